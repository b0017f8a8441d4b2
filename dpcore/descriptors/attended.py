"""Descriptors whose neighbours attend to each other."""

from collections.abc import Collection, Mapping
from typing import Any, Literal, Self

import numpy as np

from dpcore.batch import Batch, Neighbours, centre_types, neighbour_types
from dpcore.descriptors.descriptor import Description
from dpcore.descriptors.environment import switch_of
from dpcore.descriptors.local import SHORTEST, Range
from dpcore.descriptors.mixed import MixedDescriptor
from dpcore.descriptors.mixed_rows import counted, first_types, normalised_rows
from dpcore.descriptors.moments import contracted
from dpcore.descriptors.multipoles import contracted_by_degree, multipoles
from dpcore.errors import DPError
from dpcore.neighbours.selection import Selection
from dpcore.nn.attention import AttentionLayer, Gates, gates_of
from dpcore.nn.net_by_kind import rows_of
from dpcore.nn.precision import numpy_dtype
from dpcore.tree import buffer, param, setting
from dpcore.xp import as_type_of, namespace, shape

# What layer normalisation adds to the variance.
LN_EPS = 1e-5
_MOST_DEGREES = 4
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
    padding: Literal["each", "alike", "none"] = "each"
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
        get = {k: settings.get(k, getattr(cls, k)) for k in ("neuron", "attn", "attn_layer", "lmax")}
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
        return ready.with_padding_known()

    def with_padding_known(self) -> Self:
        """Return the descriptor with what places without a neighbour add computed ahead, if they agree."""
        if not self.davg.any():
            return self.with_(padding="none")
        if np.ptp(self.davg, axis=1).any() or np.ptp(self.dstd, axis=1).any():
            return self
        pairs = np.arange(self.ntypes**2)
        rows = self._empty_rows(pairs % self.ntypes)[:, :1, :]
        features = self._of_empty(rows, (pairs // self.ntypes)[:, None], pairs % self.ntypes)
        empty = (rows.transpose(0, 2, 1) @ features).astype(self.davg.dtype)
        return self.with_(padding="alike", empty=empty)

    def __call__(self, batch: Batch, displacement: Any) -> Description:
        """Describe the centres of a batch.

        Args:
            batch: the atoms and their neighbours.
            displacement: vectors to the neighbours on the batch's edge axis, ``(edge, 3)``, Å.
        """
        xp, block = namespace(displacement), batch.view.blocks[0][0]
        displacement = xp.reshape(displacement, (*shape(block.index), 3))
        rows, there = self._rows(batch, block, displacement)
        weight = as_type_of(there, self.davg)
        if self.smooth and (self.attention or self.type_net is not None):
            switch = switch_of(displacement, self.rcut_smth, self.rcut) * there
            weight = as_type_of(switch, self.davg)
        ...
