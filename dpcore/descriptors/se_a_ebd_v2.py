"""``se_e2_a`` with the embedding multiplied by one of the types."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from dpcore.descriptors.descriptor import Descriptor
from dpcore.descriptors.type_embedded import TypeEmbedded
from dpcore.fused.table import TabulatedNet
from dpcore.fused.tabulate import tabulated
from dpcore.nn import MLP
from dpcore.nn.known import scaled
from dpcore.tree import buffer
from dpcore.xp import as_type_of, namespace, shape


class SeAEbdV2(TypeEmbedded, name="se_a_ebd_v2", aliases=("se_a_tpe_v2",)):
    """``se_e2_a`` with two networks, ``G(s) ⊙ (1 + F(A_j, A_i))``.

    A_j are the features of the neighbour's type, in an empty place those of no type, zeros, and A_i those
    of the centre's, which ``type_one_side`` leaves out. Unless ``set_davg_zero``, energies jump where a
    neighbour comes within the cutoff and takes an empty place.

    Attributes:
        nets: G, and F.
        weights: what G is multiplied by for a centre and a neighbour type, ``(type, type + 1, neuron)``,
            where it was computed ahead.
    """

    weights: Any = buffer(default=None)

    @classmethod
    def embedding_settings(cls, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Return the settings of the type embedding where none is given: one linear layer."""
        told = cls.network_settings(dict(settings))
        return {**told, "resnet_dt": False, "activation_function": "none"}

    @classmethod
    def inputs(cls, width: int, settings: Mapping[str, Any]) -> tuple[int, ...]:
        """Return how many numbers each network is given, for type embeddings of some width."""
        return 1, width * (1 if settings.get("type_one_side", False) else 2)

    def pair_weights(self) -> Any:
        """Return what G is multiplied by, ``(type, type + 1, neuron)``; last for empty places."""
        if self.weights is not None:
            return self.weights
        net, features = self.nets[1], self.type_embedding()
        assert isinstance(net, MLP)
        xp, (rows, width) = namespace(features), shape(features)
        pairs = (self.ntypes, rows, width)
        told = [xp.broadcast_to(features[None, :, :], pairs)]
        if not self.type_one_side:
            told.append(xp.broadcast_to(features[: self.ntypes, None, :], pairs))
        return 1.0 + net(as_type_of(xp.concat(told, axis=2), net.layers[0].weight))

    def net_of(self, centre: int, neighbour: int) -> Callable[[Any], Any]:
        """Return the network of one number that embeds a pair of types."""
        factor = self.pair_weights()[centre, neighbour, :]
        return lambda x: self.nets[0](x) * factor

    def net_of_empty(self, centre: int, neighbour: int) -> Callable[[Any], Any]:  # noqa: ARG002
        """Return the network that embeds the empty places of a pair of types."""
        return self.net_of(centre, self.ntypes)

    def untyped(self) -> Descriptor:
        """Return the same descriptor with networks of one number alone."""
        ready, weights = self.with_empty_places(), self.pair_weights()
        net = self.nets[0]
        assert isinstance(net, MLP)
        nets = tuple(scaled(net, weights[pair]) for pair in self.pairs_of_nets())
        return self.completed(self.by_pairs(nets, empty=ready.empty))

    def prepared(self, *, tables: bool | None = False, kernels: Collection[str] = ()) -> Descriptor:
        """Return the descriptor with the network of the types evaluated.

        Args:
            tables: replace the other network by a table for each pair of types; None where kernels
                evaluate these.
            kernels: embeddings to evaluate by fused kernels, of ``table`` and ``net``.
        """
        weights = self.pair_weights()
        ready = self.with_(weights=weights).with_empty_places()
        wanted = "table" in kernels if tables is None else tables
        (table,) = tabulated(self.nets[:1], self.ranges()[:1]) if wanted else self.nets[:1]
        if not isinstance(table, TabulatedNet):
            return ready
        nets = tuple(table.scaled(weights[pair]) for pair in self.pairs_of_nets())
        core = self.by_pairs(nets, empty=ready.empty)
        return self.completed(core.fuse(kernels) if kernels else core)
