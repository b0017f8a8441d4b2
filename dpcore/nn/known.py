"""Networks of several numbers of which all but the first are known."""

from typing import Any

from dpcore.nn.dense import Dense
from dpcore.nn.mlp import MLP
from dpcore.xp import as_type_of, namespace, shape


def with_known(net: MLP, known: Any) -> MLP:
    """Return the network of one number that a network is where its other inputs are known.

    Args:
        net: a network of ``1 + n`` numbers.
        known: the other inputs, ``(n,)``.
    """
    first, rest = net.layers[0], net.layers[1:]
    n_in = net.widths[0]
    xp, known = namespace(first.weight), as_type_of(known, first.weight)
    if first.adds_input:
        # The layer adds its input: the known numbers have to be there.
        one = xp.ones_like(first.weight[:1, :1])
        weight = xp.concat([one, xp.zeros((1, n_in - 1), like=one)], axis=1)
        bias = xp.concat([xp.zeros((1,), like=one), known], axis=0)
        return MLP(layers=(_linear(weight, bias, first), *net.layers))
    bias = xp.matmul(known[None, :], first.weight[1:, :])[0, :]
    bias = bias if first.bias is None else bias + first.bias
    return MLP(layers=(first.with_(weight=first.weight[:1, :], bias=bias, resnet=False), *rest))


def scaled(net: MLP, factor: Any) -> MLP:
    """Return a network with each of its outputs multiplied by a number, ``(n,)``."""
    xp, last = namespace(factor), net.layers[-1]
    place = xp.arange(shape(factor)[0], like=factor)
    diagonal = as_type_of(place[:, None] == place[None, :], last.weight)
    weight = diagonal * as_type_of(factor, last.weight)[None, :]
    return MLP(layers=(*net.layers, _linear(weight, None, last)))


def _linear(weight: Any, bias: Any, like: Dense) -> Dense:
    """Return a layer without activation, of the precision of another."""
    return Dense(
        activation_function="none",
        resnet=False,
        precision=like.precision,
        trainable=like.trainable,
        weight=weight,
        bias=bias,
        timestep=None,
    )
