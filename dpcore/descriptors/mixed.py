"""Descriptors with networks that serve all types, which a type embedding tells them."""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from dpcore.batch import Batch, centre_types
from dpcore.descriptors.descriptor import Description
from dpcore.descriptors.local import LocalDescriptor
from dpcore.errors import DPError
from dpcore.fused.table import TabulatedNet
from dpcore.fused.tabulate import ScalarNet
from dpcore.nn import MLP, NetByKind
from dpcore.nn.net_by_kind import rows_of
from dpcore.nn.type_embedding import TypeEmbedding
from dpcore.tree import Tree, buffer, setting
from dpcore.xp import as_type_of, namespace, shape

MODES = ("concat", "strip")


class MixedDescriptor(LocalDescriptor):
    """Base of descriptors whose neighbours, of all types, come in one block, and are embedded by one network.

    With A the features of the types and x a number, the embedding is ``G(x, A_j, A_k)``, or where the types
    are stripped off, made of ``G(x)`` and ``F(A_j, A_k)``.

    Attributes:
        nets: G.
        type_net: F.
        type_embedding: gives A; None for a part of a descriptor, which is told them.
        types: A, ``(type, tebd_dim)``, where it was computed ahead.
        pairs: of each pair of types what G is given beside x, or what F gives, ``(type * type, n)``, where
            that was; of each type, ``(type, n)``, where there is no A_k.
    """

    sel: int | tuple[int, ...] = setting(
        doc="largest number of neighbours of all types within the cutoff; of a list the sum"
    )
    set_davg_zero: bool = setting(True, doc="keep the mean of the environment rows at zero")
    tebd_dim: int = setting(8, doc="number of features of a type")
    concat_output_tebd: bool = setting(
        True, doc="append the features of the centre's type to the descriptor"
    )
    use_econf_tebd: bool = setting(False, doc="embed the electron configurations of the elements")
    use_tebd_bias: bool = setting(False, doc="give the type embedding a bias")
    type_net: MLP | None = None
    type_embedding: TypeEmbedding | None
    types: Any = buffer(default=None)
    pairs: Any = buffer(default=None)

    def __post_init__(self) -> None:
        if self.places < 1:
            raise DPError(f"descriptor.sel: {self.sel} must hold a positive number of neighbours")
        _check_width(self.tebd_dim)
        super().__post_init__()
        _check_types(self)

    @classmethod
    def strips(cls, settings: Mapping[str, Any]) -> bool:  # noqa: ARG003
        """Return whether settings ask for a network of the types alone."""
        return True

    @classmethod
    def told(cls, settings: Mapping[str, Any]) -> int:  # noqa: ARG003
        """Return how many types settings tell a network of: two."""
        return 2

    @classmethod
    def create(
        cls, rng: np.random.Generator, *, type_map: tuple[str, ...], **settings: Any
    ) -> Self:
        """Draw a descriptor with random networks and neutral statistics."""
        return cls(**cls.draw_parts(rng, type_map, settings), **settings)

    @classmethod
    def draw_parts(
        cls, rng: np.random.Generator, type_map: tuple[str, ...], settings: dict[str, Any]
    ) -> dict[str, Any]:
        """Return random networks and neutral statistics for some settings."""
        width, strips = settings.get("tebd_dim", cls.tebd_dim), cls.strips(settings)
        if width < 1:
            raise DPError(f"descriptor.tebd_dim: {width} must be positive")
        _check_width(width)
        n = cls.told(settings) * width
        linear = {"resnet_dt": False, "activation_function": "none"}
        flags = {k: settings.get(k, getattr(cls, k)) for k in ("use_econf_tebd", "use_tebd_bias")}
        return {
            "nets": cls.draw_nets(rng, 1, 1 if strips else 1 + n, settings),
            "type_net": cls.draw_nets(rng, 1, n, settings)[0] if strips else None,
            "type_embedding": TypeEmbedding.create(
                rng,
                type_map=type_map,
                neuron=(width,),
                **cls.network_settings(settings) | linear | flags,
            ),
            **cls.neutral_statistics(len(type_map), int(np.sum(settings["sel"])), settings),
        }

    @classmethod
    def number_of_nets(cls, ntypes: int, settings: Mapping[str, Any]) -> int:  # noqa: ARG003
        """Return how many embedding networks the settings ask for: one."""
        return 1

    @property
    def net_inputs(self) -> tuple[int, ...]:
        """How many numbers the embedding network is given."""
        return (1 if self.strips(vars(self)) else 1 + self.told(vars(self)) * self.tebd_dim,)

    @property
    def ntypes(self) -> int:
        """Number of atom types."""
        embedding = self.type_embedding
        return int(shape(self.davg)[0]) if embedding is None else len(embedding.type_map)

    @property
    def places(self) -> int:
        """Largest number of neighbours of an atom, whatever their types."""
        return sum(self.sel) if isinstance(self.sel, tuple) else self.sel

    @property
    def mixed_types(self) -> bool:
        """Whether types enter the features: they do."""
        return True

    @property
    def scalar_nets(self) -> tuple[ScalarNet, ...]:
        """The embedding network as one of the number x alone."""
        (net,) = self.nets
        if isinstance(net, TabulatedNet) or self.type_net is not None:
            return self.nets
        return (NetByKind(net=net, constants=self.of_pairs()),)

    def with_types_known(self) -> Self:
        """Return the descriptor with everything computed that depends on types alone."""
        return self.with_(types=self.of_types(), pairs=self.of_pairs())

    def of_types(self) -> Any:
        """Return the features of the types, ``(type, tebd_dim)``."""
        return self.own_types()[: self.ntypes, :] if self.types is None else self.types

    @property
    def own_types(self) -> TypeEmbedding:
        """What gives the features of the types, of a descriptor that is no part of another."""
        assert self.type_embedding is not None
        return self.type_embedding

    def of_pairs(self) -> Any:
        """Return what belongs to each pair of types: further inputs of G, or the output of F."""
        if self.pairs is not None:
            return self.pairs
        told = features = self.of_types()
        if self.told(vars(self)) == 2:
            xp, (n, width) = namespace(features), shape(features)
            first = xp.broadcast_to(features[:, None, :], (n, n, width))
            second = xp.broadcast_to(features[None, :, :], (n, n, width))
            told = xp.reshape(xp.concat([first, second], axis=2), (n * n, 2 * width))
        return told if self.type_net is None else self.type_net(told)

    def embedding(self, x: Any, kind: Any, switch: Any | None) -> Any:
        """Return the embedding of numbers, ``(..., neuron)``.

        Args:
            x: the numbers, ``(..., 1)``.
            kind: which of the pairs of types it is, or of the types, ``(...)``.
            switch: what the network of the types is multiplied by, ``(..., 1)``; None for 1.
        """
        (net,) = self.scalar_nets
        if self.type_net is None:
            assert not isinstance(net, MLP)
            return net(x, kind)
        assert not isinstance(net, NetByKind)
        factor = rows_of(self.of_pairs(), kind)
        return net(x) * (1.0 + (factor if switch is None else factor * switch))

    def completed(self, description: Description, batch: Batch) -> Description:
        """Return a description with the features of the centres' types behind it, if they are asked for."""
        if not self.concat_output_tebd:
            return description
        features = description.features
        xp = namespace(features)
        own = as_type_of(xp.take(self.of_types(), centre_types(batch), axis=0), features)
        return Description(xp.concat([features, own], axis=1), description.frames)


class InputMode(Tree):
    """The choice whether the embedding network is told the types; to be inherited before the descriptor."""

    tebd_input_mode: str = setting(
        "concat",
        doc="concat: the features of the types are inputs of the embedding network; strip: a network of "
        "their own multiplies its output",
    )

    def __post_init__(self) -> None:
        if self.tebd_input_mode not in MODES:
            raise DPError(
                f"descriptor.tebd_input_mode: {self.tebd_input_mode!r} is unknown; allowed: "
                f"{', '.join(MODES)}"
            )
        super().__post_init__()  # type: ignore[misc]

    @classmethod
    def strips(cls, settings: Mapping[str, Any]) -> bool:
        """Return whether settings ask for a network of the types alone."""
        return bool(settings.get("tebd_input_mode", cls.tebd_input_mode) == "strip")


def _check_width(tebd_dim: int) -> None:
    if tebd_dim < 1:
        raise DPError(f"descriptor.tebd_dim: {tebd_dim} must be positive")


def _check_types(settings: MixedDescriptor) -> None:
    """Raise a one-line error for networks of the types that do not fit the settings."""
    embedding, net = settings.type_embedding, settings.type_net
    if embedding is not None:
        check_embedding(settings, embedding, "tebd_dim", settings.tebd_dim)
    told = settings.told(vars(settings)) * settings.tebd_dim
    needed = (told, settings.neuron[-1]) if settings.strips(vars(settings)) else None
    found = None if net is None else net.widths
    if found != needed:
        raise DPError(f"descriptor.type_net: widths {found}; these settings need {needed}")


def check_embedding(settings: Any, embedding: TypeEmbedding, key: str, width: int) -> None:
    """Raise a one-line error for a type embedding that does not fit the settings of a descriptor.

    Args:
        settings: has the settings of the embedding.
        embedding: the embedding.
        key: the setting that gives its width.
        width: that.
    """
    for flag in ("use_econf_tebd", "use_tebd_bias"):
        if getattr(settings, flag) != getattr(embedding, flag):
            raise DPError(
                f"descriptor.{flag}: {getattr(settings, flag)}, but that of the type embedding is "
                f"{getattr(embedding, flag)}"
            )
    if embedding.width != width:
        raise DPError(
            f"descriptor.{key}: {width}, but the type embedding has {embedding.width} features"
        )
