"""Descriptors whose neighbours attend to each other."""

from collections.abc import Collection, Mapping
from typing import Any, Self

import numpy as np

from dpcore.batch import Batch
from dpcore.descriptors.descriptor import Description
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
from dpcore.descriptors.surroundings import Surroundings, surroundings
from dpcore.errors import DPError
from dpcore.neighbours.selection import Selection
from dpcore.nn.attention import AttentionLayer, Gates, gates_of
from dpcore.nn.precision import numpy_dtype
from dpcore.tree import buffer, param, setting
from dpcore.xp import as_type_of, namespace, shape

# What layer normalisation adds to the variance.
LN_EPS = 1e-5
MOST_DEGREES = 4
# Spread of the gains of degrees when they are drawn.
_GAIN = 0.1


class AttendedDescriptor(MixedDescriptor):
    """Moments of the environment as in ``se_e2_a``, of neighbours that have attended to each other.

    ``D = (Gᵀ R)(Rᵀ G<) / N²`` with the normalised environment rows R, their embedding G by one network for
    all types (see :class:`MixedDescriptor`) and ``attn_layer`` layers of attention after it, ``G<`` its first
    ``axis_neuron`` columns, and N the number of places.
    Source: Zhang et al., arXiv:2208.08236.

    Attributes:
        smooth: whether attention and the network of the types are switched off towards the cutoff.
        attention: the layers.
        degree_gain: gains of the degrees from 2 to ``lmax``; None where there are none.
        padding: what is known of the places without a neighbour: nothing (``each``), that all add the same
            (``alike``), or that they add nothing (``none``).
        empty: what such a place adds to the moments, by types of the frame's first atom and of the centre,
            ``(type * type, row, neuron)``, where they are alike.
    """

    axis_neuron: int = setting(4, doc="number of axis columns", aliases=("n_axis_neuron",))
    type_one_side: bool = setting(False, doc="tell the networks the neighbour's type alone")
    attn: int = setting(128, doc="length of queries, keys and values")
    attn_layer: int = setting(2, doc="number of attention layers")
    attn_dotr: bool = setting(True, doc="multiply attention by the cosine between the neighbours")
    attn_mask: bool = setting(False, doc="no neighbour attends to itself")
    scaling_factor: float = setting(
        1.0, doc="logits are divided by the root of this times attn, unless there is a temperature"
    )
    normalize: bool = setting(True, doc="scale queries, keys and values to unit length")
    temperature: float | None = setting(None, doc="what logits are multiplied by")
    trainable_ln: bool = setting(True, doc="whether the layer normalisation is trained")
    ln_eps: float | None = setting(
        None, doc="what layer normalisation adds to the variance; by default 1e-5"
    )
    lmax: int = setting(1, doc="highest degree of the directions in the moments, 1 to 4")
    attention: tuple[AttentionLayer, ...]
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
        get = {
            k: settings.get(k, getattr(cls, k)) for k in ("neuron", "attn", "attn_layer", "lmax")
        }
        told = cls.network_settings(settings)
        degrees = max(get["lmax"] - 1, 0)
        gain = rng.normal(0.0, _GAIN, degrees).astype(numpy_dtype(told["precision"]))
        layer = {
            "eps": settings.get("ln_eps") or LN_EPS,
            "trainable_norm": settings.get("trainable_ln", cls.trainable_ln),
            "precision": told["precision"],
            "trainable": told["trainable"],
        }
        return super().draw_parts(rng, type_map, settings) | {
            "attention": tuple(
                AttentionLayer.create(get["neuron"][-1], get["attn"], rng, **layer)
                for _ in range(get["attn_layer"])
            ),
            "degree_gain": gain if degrees else None,
        }

    @property
    def smooth(self) -> bool:
        """Whether attention and the network of the types are switched off towards the cutoff."""
        return True

    @property
    def scaling(self) -> float:
        """What the products of queries and keys are multiplied by."""
        if self.temperature is not None:
            return self.temperature
        return float((self.attn * self.scaling_factor) ** -0.5)

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

    def ranges(self, shortest: float = SHORTEST) -> list[Range]:
        """Return the lower and upper end of the radial part of the normalised rows.

        Args:
            shortest: distance of the closest neighbours, Å.
        """
        largest = 1.0 / (shortest + self.env_protection)
        mean, std = (x[:, :, 0].astype(float) for x in (self.davg, self.dstd))
        return [(float(np.min(-mean / std)), float(np.max((largest - mean) / std)))]

    def prepared(self, *, tables: bool = False, kernels: Collection[str] = ()) -> Self:  # noqa: ARG002
        """Return the descriptor with everything computed that no input changes.

        Args:
            tables: replace networks by tables that agree with them to rounding, where there are such.
            kernels: there are none for attention.
        """
        ready = self.with_types_known()
        ready = ready.with_tables() if tables else ready
        known = known_of(self.davg, self.dstd)
        if known != "alike":
            return ready.with_(padding=known)
        empty = moments_by_types(-self.davg / self.dstd, ready.embedded_empty)
        return ready.with_(padding=known, empty=empty.astype(self.davg.dtype))

    def __call__(self, batch: Batch, displacement: Any) -> Description:
        """Describe the centres of a batch.

        Args:
            batch: the atoms and their neighbours.
            displacement: vectors to the neighbours on the batch's edge axis, ``(edge, 3)``, Å.
        """
        xp, around = namespace(displacement), surroundings(self, batch, displacement)
        switch, rows = (as_type_of(x, self.davg) for x in (around.switch, around.rows))
        features = self._embedded(rows[:, :, :1], around.types, around.centre, switch)
        if self.attention:
            told = self._gates(around)
            for layer in self.attention:
                features = layer(features, told)
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
            return alike_moments(batch, self.empty, self.places)
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

    def _gates(self, around: Surroundings) -> Gates:
        """Return what the attention layers are told of the neighbours."""
        weight = around.switch if self.smooth else around.there
        return gates_of(
            as_type_of(weight, self.davg),
            as_type_of(around.units, self.davg) if self.attn_dotr else None,
            smooth=self.smooth,
            diagonal=not self.attn_mask,
            places=self.places,
            scaling=self.scaling,
            normalize=self.normalize,
        )


def _check(settings: AttendedDescriptor) -> None:
    """Raise a one-line error for settings that have no meaning, or layers that do not fit them."""
    if not 1 <= settings.axis_neuron <= settings.neuron[-1]:
        raise DPError(
            f"descriptor.axis_neuron: {settings.axis_neuron} must lie between 1 and the last width "
            f"of neuron, {settings.neuron[-1]}"
        )
    if settings.attn < 1:
        raise DPError(f"descriptor.attn: {settings.attn} must be positive")
    if settings.scaling_factor <= 0.0:
        raise DPError(f"descriptor.scaling_factor: {settings.scaling_factor} must be positive")
    eps = LN_EPS if settings.ln_eps is None else settings.ln_eps
    if eps <= 0.0:
        raise DPError(f"descriptor.ln_eps: {eps} must be positive")
    if not 1 <= settings.lmax <= MOST_DEGREES:
        raise DPError(f"descriptor.lmax: {settings.lmax} must lie between 1 and {MOST_DEGREES}")
    gains = 0 if settings.degree_gain is None else shape(settings.degree_gain)[0]
    if gains != settings.lmax - 1:
        raise DPError(f"descriptor.degree_gain: {gains} gains for lmax = {settings.lmax}")
    if len(settings.attention) != settings.attn_layer:
        raise DPError(
            f"descriptor.attention: {len(settings.attention)} layers for attn_layer = {settings.attn_layer}"
        )
    for i, layer in enumerate(settings.attention):
        found = (*shape(layer.out_proj.weight), layer.norm.eps)
        if found != (settings.attn, settings.neuron[-1], eps):
            raise DPError(
                f"descriptor.attention.{i}: attn, width and ln_eps {found}; these settings need "
                f"{(settings.attn, settings.neuron[-1], eps)}"
            )
