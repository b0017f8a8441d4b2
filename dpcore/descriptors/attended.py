"""Descriptors whose neighbours attend to each other."""

from collections.abc import Collection, Mapping
from typing import Any, Self

import numpy as np

from dpcore.batch import Batch
from dpcore.descriptors.attention_settings import AttentionSettings
from dpcore.descriptors.descriptor import Description, Descriptor
from dpcore.descriptors.empty_places import (
    Known,
    alike_moments,
    each_moments,
    known_of,
    moments_by_types,
)
from dpcore.descriptors.local import SHORTEST, Range
from dpcore.descriptors.mixed import MixedDescriptor
from dpcore.descriptors.moments import contracted
from dpcore.descriptors.multipoles import contracted_by_degree, multipoles
from dpcore.descriptors.paired import by_pairs
from dpcore.descriptors.surroundings import Surroundings, surroundings
from dpcore.errors import DPError
from dpcore.fused.tabulate import MOST_KINDS
from dpcore.neighbours.selection import Selection
from dpcore.nn.precision import numpy_dtype
from dpcore.tree import buffer, param, setting
from dpcore.xp import as_type_of, namespace, shape

MOST_DEGREES = 4
# Spread of the gains of degrees when they are drawn.
_GAIN = 0.1


class AttendedDescriptor(AttentionSettings, MixedDescriptor):
    """Moments of the environment as in ``se_e2_a``, of neighbours that have attended to each other.

    ``D = (Gᵀ R)(Rᵀ G<) / N²`` with the normalised environment rows R, their embedding G by one network for
    all types (see :class:`MixedDescriptor`) and ``attn_layer`` layers of attention after it, ``G<`` its first
    ``axis_neuron`` columns, and N the number of places.
    Source: Zhang et al., arXiv:2208.08236.

    Attributes:
        smooth: whether attention and the network of the types are switched off towards the cutoff.
        degree_gain: gains of the degrees from 2 to ``lmax``; None where there are none.
        padding: what is known of the places without a neighbour: nothing (``each``), that all add the same
            (``alike``), or that they add nothing (``none``).
        empty: what such a place adds to the moments, by types of the frame's first atom and of the centre,
            ``(type * type, row, neuron)``, where they are alike.
    """

    axis_neuron: int = setting(4, doc="number of axis columns", aliases=("n_axis_neuron",))
    type_one_side: bool = setting(False, doc="tell the networks the neighbour's type alone")
    lmax: int = setting(1, doc="highest degree of the directions in the moments, 1 to 4")
    degree_gain: Any = param()
    padding: Known = "each"
    empty: Any = buffer(default=None)

    def __post_init__(self) -> None:
        super().__post_init__()
        _check(self)

    @classmethod
    def told(cls, settings: Mapping[str, Any]) -> int:
        """Return how many types settings tell a network of."""
        return 1 if settings.get("type_one_side", cls.type_one_side) else 2

    @classmethod
    def draw_parts(
        cls, rng: np.random.Generator, type_map: tuple[str, ...], settings: dict[str, Any]
    ) -> dict[str, Any]:
        """Return random networks and neutral statistics for some settings."""
        told, neuron = cls.network_settings(settings), settings.get("neuron", cls.neuron)
        told = {key: told[key] for key in ("precision", "trainable")}
        degrees = max(settings.get("lmax", cls.lmax) - 1, 0)
        gain = rng.normal(0.0, _GAIN, degrees).astype(numpy_dtype(told["precision"]))
        return super().draw_parts(rng, type_map, settings) | {
            "attention": cls.draw_attention(rng, neuron[-1], settings, **told),
            "degree_gain": gain if degrees else None,
        }

    @property
    def smooth(self) -> bool:
        """Whether attention and the network of the types are switched off towards the cutoff."""
        return True

    @property
    def width(self) -> int:
        """Number of features of an atom."""
        types = self.tebd_dim if self.concat_output_tebd else 0
        return self.neuron[-1] * self.axis_neuron + types

    @property
    def frame_width(self) -> int:
        """Number of vectors that rotate with the atoms."""
        return self.neuron[-1]

    @property
    def selections(self) -> tuple[Selection, ...]:
        """The neighbours this descriptor asks for."""
        return (Selection.of_all_types(self.rcut, self.places, self.ntypes),)

    @property
    def rows(self) -> int:
        """How many rows are held for an atom at most; pairs that attend count as a quarter of one."""
        return self.places * (max(self.places, self.attn) // 4 if self.attention else 1)

    def ranges(self, shortest: float = SHORTEST) -> list[Range]:
        """Return the lower and upper end of the radial part of the normalised rows.

        Args:
            shortest: distance of the closest neighbours, Å.
        """
        largest = 1.0 / (shortest + self.env_protection)
        mean, std = (x[:, :, 0].astype(float) for x in (self.davg, self.dstd))
        return [(float(np.min(-mean / std)), float(np.max((largest - mean) / std)))]

    def prepared(self, *, tables: bool | None = False, kernels: Collection[str] = ()) -> Descriptor:
        """Return the descriptor with everything computed that no input changes.

        Args:
            tables: replace networks by tables that agree with them to rounding, where there are such; None
                for those that kernels evaluate.
            kernels: embeddings to evaluate by fused kernels, of ``table`` and ``net``; there are none for
                attention.
        """
        ready = self.with_types_known().with_padding_known()
        if kernels and ready.is_separable:
            paired = by_pairs(ready, ready.axis_neuron, ready.empty, one_side=self.type_one_side)
            return paired.prepared(tables=tables, kernels=kernels)
        return ready.with_tables() if tables else ready

    def with_padding_known(self) -> Self:
        """Return the descriptor with what places without a neighbour add computed ahead, if they agree."""
        known = known_of(self.davg, self.dstd)
        if known != "alike":
            return self.with_(padding=known)
        empty = moments_by_types(-self.davg / self.dstd, self.embedded_empty)
        return self.with_(padding=known, empty=empty.astype(self.davg.dtype))

    @property
    def is_separable(self) -> bool:
        """Whether the moments are sums of one function of the radial part for each pair of types."""
        simple = self.padding != "each" and not np.ptp(self.dstd, axis=1).any()
        plain = not self.attention and self.lmax == 1 and len(self.of_pairs()) <= MOST_KINDS
        return plain and simple and not (self.smooth and self.type_net is not None)

    def __call__(self, batch: Batch, displacement: Any) -> Description:
        """Describe the centres of a batch.

        Args:
            batch: the atoms and their neighbours.
            displacement: vectors to the neighbours on the batch's edge axis, ``(edge, 3)``, Å.
        """
        xp, around = namespace(displacement), surroundings(self, batch, displacement)
        switch, rows = (as_type_of(x, self.davg) for x in (around.switch, around.rows))
        weight = switch if self.smooth else as_type_of(around.there, self.davg)
        features = self.attended(
            self._embedded(rows[:, :, :1], around.types, around.centre, switch),
            weight,
            as_type_of(around.units, self.davg),
            smooth=self.smooth,
            places=self.places,
        )
        moments = xp.matmul(xp.permute_dims(rows, (0, 2, 1)), features)
        if self.padding != "none":
            moments = moments + self._of_empty(batch)
        moments = moments / self.places
        if self.lmax > 1:
            higher = xp.permute_dims(self._multipoles(around), (0, 2, 1))
            moments = xp.concat([moments, xp.matmul(higher, features) / self.places], axis=1)
            found = contracted_by_degree(moments, self.degree_gain, self.axis_neuron)
        else:
            found = contracted(moments, self.axis_neuron)
        return self.completed(found, batch)

    def _of_empty(self, batch: Batch) -> Any:
        """Return what places without a neighbour add, ``(centre, 4, neuron)``."""
        if self.padding == "alike":
            count = batch.view.blocks[0][0].count
            return alike_moments(batch, self.empty, self.places - count)
        return each_moments(batch, -self.davg / self.dstd, self.embedded_empty)

    def _multipoles(self, around: Surroundings) -> Any:
        """Return the normalised directions of higher degree, ``(centre, neighbour, row)``."""
        xp, width = namespace(around.rows), shape(around.rows)[1]
        std = as_type_of(self.dstd[:, :width, :1], around.rows)
        radial = around.switch / xp.take(std, around.centre, axis=0)
        found = multipoles(around.displacement, radial, self.env_protection, self.lmax)
        return as_type_of(found, self.davg)

    def _embedded(self, radial: Any, types: Any, centre: Any, switch: Any) -> Any:
        """Return the embedding of neighbours before attention, ``(centre, neighbour, neuron)``.

        Args:
            radial: first column of their rows, ``(centre, neighbour, 1)``.
            types: their types, ``(centre, neighbour)``.
            centre: types of the centres, ``(centre,)``.
            switch: the switch function, ``(centre, neighbour, 1)``.
        """
        kind = types if self.type_one_side else types * self.ntypes + centre[:, None]
        return self.embedding(radial, kind, switch if self.smooth else None)

    def embedded_empty(self, radial: Any, first: Any, centre: Any) -> Any:
        """Return the features of places without a neighbour, ``(centre, place, neuron)``.

        Args:
            radial: first column of their rows, ``(centre, place, 1)``.
            first: type of the first atom of the frame, ``(centre,)``.
            centre: types of the centres, ``(centre,)``.
        """
        xp = namespace(radial)
        types = first[:, None] + xp.zeros(shape(radial)[:2], like=first)
        features = self._embedded(radial, types, centre, xp.zeros_like(radial))
        for layer in self.attention:
            features = layer.of_empty(features)
        return features


def _check(settings: AttendedDescriptor) -> None:
    """Raise a one-line error for settings that have no meaning, or layers that do not fit them."""
    if not 1 <= settings.axis_neuron <= settings.neuron[-1]:
        raise DPError(
            f"descriptor.axis_neuron: {settings.axis_neuron} must lie between 1 and the last width "
            f"of neuron, {settings.neuron[-1]}"
        )
    if not 1 <= settings.lmax <= MOST_DEGREES:
        raise DPError(f"descriptor.lmax: {settings.lmax} must lie between 1 and {MOST_DEGREES}")
    gains = 0 if settings.degree_gain is None else shape(settings.degree_gain)[0]
    if gains != settings.lmax - 1:
        raise DPError(f"descriptor.degree_gain: {gains} gains for lmax = {settings.lmax}")
    settings.check_attention(settings.neuron[-1])
