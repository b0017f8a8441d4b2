"""``se_e2_a`` with types among the inputs of its network."""

from collections.abc import Collection, Mapping
from typing import Any

from dpcore.descriptors.descriptor import Descriptor
from dpcore.descriptors.type_embedded import TypeEmbedded
from dpcore.errors import DPError
from dpcore.nn import MLP
from dpcore.nn.known import with_known
from dpcore.tree import setting
from dpcore.xp import namespace


class SeATpe(TypeEmbedded, name="se_a_tpe", aliases=("se_a_ebd",)):
    """``se_e2_a`` with one network of the radial part and the features of the types, ``G(s, A_j, A_i)``.

    A_j are the features of the neighbour's type, A_i those of the centre's, which ``type_one_side`` leaves
    out. It is what ``se_e2_a`` becomes where a model has a ``type_embedding``.
    """

    type_nchanl: int = setting(
        4, doc="number of features of a type, where the model has no type_embedding"
    )
    type_nlayer: int = setting(
        2, doc="number of layers of the type embedding, where the model has no type_embedding"
    )
    numb_aparam: int = setting(
        0, doc="number of atomic parameters among the inputs of the type embedding: 0"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.numb_aparam:
            raise DPError(
                f"descriptor.numb_aparam: {self.numb_aparam}; atomic parameters cannot enter the type "
                "embedding: leave it out, and give them to the fitting net"
            )

    @classmethod
    def embedding_settings(cls, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Return the settings of the type embedding where none is given."""
        keys = ("type_nchanl", "type_nlayer")
        width, layers = (settings.get(key, getattr(cls, key)) for key in keys)
        for key, value in zip(keys, (width, layers), strict=True):
            if value < 1:
                raise DPError(f"descriptor.{key}: {value} must be positive")
        told = cls.network_settings(dict(settings))
        return {**told, "resnet_dt": False, "neuron": (width,) * layers}

    @classmethod
    def inputs(cls, width: int, settings: Mapping[str, Any]) -> tuple[int, ...]:
        """Return how many numbers the network is given, for type embeddings of some width."""
        return (1 + width * (1 if settings.get("type_one_side", False) else 2),)

    def net_of(self, centre: int, neighbour: int) -> MLP:
        """Return the network of one number that embeds a pair of types."""
        (net,) = self.nets
        assert isinstance(net, MLP)
        features = self.type_embedding()
        told = [features[neighbour, :]]
        if not self.type_one_side:
            told.append(features[centre, :])
        return with_known(net, namespace(features).concat(told, axis=0))

    def untyped(self) -> Descriptor:
        """Return the same descriptor with networks of one number alone."""
        nets = tuple(self.net_of(*pair) for pair in self.pairs_of_nets())
        return self.completed(self.by_pairs(nets))

    def prepared(self, *, tables: bool | None = False, kernels: Collection[str] = ()) -> Descriptor:
        """Return the descriptor with the types made part of a network for each pair of them."""
        return self.untyped().prepared(tables=tables, kernels=kernels)
