"""The three-body embedding descriptor with one network for all types."""

from collections.abc import Collection, Mapping
from typing import Any, Self

import numpy as np

from dpcore.batch import Batch, centre_types
from dpcore.descriptors.descriptor import Description
from dpcore.descriptors.environment import switch_of
from dpcore.descriptors.local import SHORTEST, Range
from dpcore.descriptors.mixed_rows import counted, normalised_rows, types_in_places
from dpcore.descriptors.three_body import (
    ThreeBodyDescriptor,
    angles,
    largest_vector,
    symmetric_range,
    weighted_sum,
)
from dpcore.errors import DPError
from dpcore.fused.table import TabulatedNet
from dpcore.fused.tabulate import ScalarNet
from dpcore.neighbours.selection import Selection
from dpcore.nn import MLP, NetByKind
from dpcore.nn.net_by_kind import rows_of
from dpcore.nn.type_embedding import TypeEmbedding
from dpcore.tree import buffer, setting
from dpcore.xp import as_type_of, namespace, shape

MODES = ("concat", "strip")


class SeE3Tebd(ThreeBodyDescriptor, name="se_e3_tebd"):
    """The embedded angles between neighbours of all types, ``D = Σ_jk θ_jk G_jk / N²``.

    ``θ_jk`` is the scalar product of the directional parts of the normalised environment rows of the
    neighbours j and k, and N is ``sel``. With A the features of the types, G_jk is ``G(θ_jk, A_j, A_k)``
    (concat) or ``G(θ_jk) (1 + F(A_j, A_k) w_j w_k)`` (strip), where the switch functions w are left out
    unless ``smooth``.

    Attributes:
        nets: G.
        type_net: F.
        type_embedding: gives A.
        types: A, ``(type, tebd_dim)``, where it was computed ahead.
        pairs: of each pair of types what G is given, or F, ``(type * type, n)``, where that was.
    """

    sel: int | tuple[int, ...] = setting(
        doc="largest number of neighbours of all types within the cutoff; of a list the sum"
    )
    set_davg_zero: bool = setting(True, doc="keep the mean of the environment rows at zero")
    tebd_dim: int = setting(8, doc="number of features of a type")
    tebd_input_mode: str = setting(
        "concat",
        doc="concat: the features of the types are inputs of the embedding network; strip: a network of "
        "their own multiplies its output",
    )
    smooth: bool = setting(
        True, doc="switch the network of the types off at the cutoff, in strip mode"
    )
    concat_output_tebd: bool = setting(
        True, doc="append the features of the centre's type to the descriptor"
    )
    use_econf_tebd: bool = setting(False, doc="embed the electron configurations of the elements")
    use_tebd_bias: bool = setting(True, doc="give the type embedding a bias")
    type_net: MLP | None = None
    type_embedding: TypeEmbedding
    types: Any = buffer(default=None)
    pairs: Any = buffer(default=None)

    def __post_init__(self) -> None:
        if self.places < 1:
            raise DPError(f"descriptor.sel: {self.sel} must hold a positive number of neighbours")
        if self.tebd_input_mode not in MODES:
            raise DPError(
                f"descriptor.tebd_input_mode: {self.tebd_input_mode!r} is unknown; allowed: {', '.join(MODES)}"
            )
        super().__post_init__()
        _check_types(self)

    @classmethod
    def create(
        cls, rng: np.random.Generator, *, type_map: tuple[str, ...], **settings: Any
    ) -> Self:
        """Draw a descriptor with random networks and neutral statistics."""
        width = settings.get("tebd_dim", cls.tebd_dim)
        strip = settings.get("tebd_input_mode", cls.tebd_input_mode) == "strip"
        told = cls.network_settings(settings) | {"resnet_dt": False, "activation_function": "none"}
        flags = {k: settings.get(k, getattr(cls, k)) for k in ("use_econf_tebd", "use_tebd_bias")}
        return cls(
            nets=cls.draw_nets(rng, 1, 1 if strip else 1 + 2 * width, settings),
            type_net=cls.draw_nets(rng, 1, 2 * width, settings)[0] if strip else None,
            type_embedding=TypeEmbedding.create(
                rng, type_map=type_map, neuron=(width,), **told, **flags
            ),
            **cls.neutral_statistics(len(type_map), int(np.sum(settings["sel"])), settings),
            **settings,
        )

    @classmethod
    def number_of_nets(cls, ntypes: int, settings: Mapping[str, Any]) -> int:  # noqa: ARG003
        """Return how many embedding networks the settings ask for: one."""
        return 1

    @property
    def net_inputs(self) -> tuple[int, ...]:
        """How many numbers the embedding network is given."""
        return (1 if self.type_net is not None else 1 + 2 * self.tebd_dim,)

    @property
    def ntypes(self) -> int:
        """Number of atom types."""
        return len(self.type_embedding.type_map)

    @property
    def places(self) -> int:
        """Largest number of neighbours of an atom, whatever their types."""
        return sum(self.sel) if isinstance(self.sel, tuple) else self.sel

    @property
    def width(self) -> int:
        """Number of features of an atom."""
        return self.neuron[-1] + (self.tebd_dim if self.concat_output_tebd else 0)

    @property
    def mixed_types(self) -> bool:
        """Whether types enter the features: they do."""
        return True

    @property
    def selections(self) -> tuple[Selection, ...]:
        """The neighbours this descriptor asks for."""
        return (Selection.of_all_types(self.rcut, self.places, self.ntypes, full=self.is_padded),)

    @property
    def scalar_nets(self) -> tuple[ScalarNet, ...]:
        """The embedding network as one of the angle alone."""
        (net,) = self.nets
        if self.type_net is not None or isinstance(net, TabulatedNet):
            return self.nets
        return (NetByKind(net=net, constants=self._of_pairs()),)

    def ranges(self, shortest: float = SHORTEST) -> list[Range]:
        """Return the lower and upper end of the angles.

        Args:
            shortest: distance of the closest neighbours, Å.
        """
        size = 1.0 / (shortest + self.env_protection)
        lengths = [largest_vector(*both, size) for both in zip(self.davg, self.dstd, strict=True)]
        return [symmetric_range(max(lengths) ** 2)]

    def prepared(self, *, tables: bool = False, kernels: Collection[str] = ()) -> Self:  # noqa: ARG002
        """Return the descriptor with everything computed that no input changes.

        Args:
            tables: replace networks by tables that agree with them to rounding, where there are such.
            kernels: there are none for pairs of neighbours.
        """
        ready = self.with_(types=self._of_types(), pairs=self._of_pairs())
        return super(SeE3Tebd, ready).prepared(tables=tables)

    def _of_types(self) -> Any:
        """Return the features of the types, ``(type, tebd_dim)``."""
        return self.type_embedding()[: self.ntypes, :] if self.types is None else self.types

    def _of_pairs(self) -> Any:
        """Return what belongs to each pair of types: inputs of G, or the output of F."""
        if self.pairs is not None:
            return self.pairs
        features = self._of_types()
        xp, (n, width) = namespace(features), shape(features)
        first = xp.broadcast_to(features[:, None, :], (n, n, width))
        second = xp.broadcast_to(features[None, :, :], (n, n, width))
        both = xp.reshape(xp.concat([first, second], axis=2), (n * n, 2 * width))
        return both if self.type_net is None else self.type_net(both)

    def __call__(self, batch: Batch, displacement: Any) -> Description:
        """Describe the centres of a batch.

        Args:
            batch: the atoms and their neighbours.
            displacement: vectors to the neighbours on the batch's edge axis, ``(edge, 3)``, Å.
        """
        block = batch.view.blocks[0][0]
        n, k = shape(block.index)
        xp = namespace(displacement)
        vectors = self._vectors(batch, xp.reshape(self.environment(displacement), (n, k, 4)))
        theta = angles(vectors, vectors)
        types = types_in_places(batch, block)
        kind = types[:, :, None] * self.ntypes + types[:, None, :]
        features = self._embedded(theta, kind, xp.reshape(displacement, (n, k, 3)))
        found = weighted_sum(theta, features) / self.places**2
        if self.concat_output_tebd:
            own = xp.take(self._of_types(), centre_types(batch), axis=0)
            found = xp.concat([found, own], axis=1)
        return Description(found)

    def _vectors(self, batch: Batch, rows: Any) -> Any:
        """Return the directional part of the normalised rows, ``(centre, neighbour, 3)``."""
        vectors = normalised_rows(batch, rows, self.davg, self.dstd)[:, :, 1:]
        if self.exclude_types:
            block = batch.view.blocks[0][0]
            here = counted(batch, block, self.excluded, self.ntypes, vectors)
            vectors = vectors * here[:, :, None]
        return as_type_of(vectors, self.davg)

    def _embedded(self, theta: Any, kind: Any, displacement: Any) -> Any:
        """Return the embedding of each pair of neighbours, ``(centre, j, k, neuron)``."""
        net: Any = self.scalar_nets[0]
        angle = theta[:, :, :, None]
        if self.type_net is None:
            return net(angle, kind)
        xp = namespace(theta)
        factor = rows_of(self._of_pairs(), kind)
        if self.smooth:
            switch = as_type_of(switch_of(displacement, self.rcut_smth, self.rcut), theta)
            both = xp.matmul(switch, xp.permute_dims(switch, (0, 2, 1)))
            factor = factor * both[:, :, :, None]
        return net(angle) * (1.0 + factor)


def _check_types(settings: SeE3Tebd) -> None:
    """Raise a one-line error for networks of the types that do not fit the settings."""
    embedding, net = settings.type_embedding, settings.type_net
    for key in ("use_econf_tebd", "use_tebd_bias"):
        if getattr(settings, key) != getattr(embedding, key):
            raise DPError(
                f"descriptor.{key}: {getattr(settings, key)}, but that of the type embedding is "
                f"{getattr(embedding, key)}"
            )
    if embedding.width != settings.tebd_dim:
        raise DPError(
            f"descriptor.tebd_dim: {settings.tebd_dim}, but the type embedding has {embedding.width} "
            "features"
        )
    strip = settings.tebd_input_mode == "strip"
    needed = (2 * settings.tebd_dim, settings.neuron[-1]) if strip else None
    found = None if net is None else net.widths
    if found != needed:
        raise DPError(
            f"descriptor.type_net: widths {found}; tebd_input_mode = {settings.tebd_input_mode!r} needs "
            f"{needed}"
        )
