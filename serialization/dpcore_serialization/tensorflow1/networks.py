"""Networks from the variables of their layers."""

import numpy as np

from dpcore.nn import MLP, Dense
from dpcore.nn.attention import AttentionLayer
from dpcore.nn.type_embedding import TypeEmbedding
from dpcore.tree import map_arrays
from dpcore.xp import shape
from dpcore_serialization.tensorflow1.variables import Array, Variables


def like(value: Array, model: Array, name: str, variables: Variables) -> Array:
    """Return a variable in the dtype of the model's array, which must hold it exactly."""
    if not np.can_cast(value.dtype, model.dtype):
        raise variables.error(
            f"{name}: is {value.dtype}, the settings ask for {model.dtype}; correct 'precision'"
        )
    return value.astype(model.dtype)


def embedding_net(net: MLP, variables: Variables, scope: str, suffix: str = "") -> MLP:
    """Return an embedding network with the values of ``SCOPE.matrix_LSUFFIX``, ….

    Args:
        net: the network, with other values.
        variables: the variables.
        scope: what their names begin with.
        suffix: what follows the number of the layer.
    """
    layers = []
    for number, layer in enumerate(net.layers, 1):
        n_out = shape(layer.weight)[1]
        timestep = f"{scope}.idt_{number}{suffix}"
        new = _dense(
            layer, variables, f"{scope}.matrix_{number}{suffix}", f"{scope}.bias_{number}{suffix}"
        )
        if layer.timestep is None:
            variables.skip(timestep)
        else:
            value = like(variables.take(timestep, (1, n_out)), layer.timestep, timestep, variables)
            new = new.with_(timestep=value[0])
        layers.append(new)
    return MLP(layers=tuple(layers))


def fitting_net(net: MLP, variables: Variables, suffix: str) -> MLP:
    """Return a fitting network with the values of ``layer_LSUFFIX.matrix``, ….

    Only a hidden layer as wide as the one before it adds its input.

    Args:
        net: the network, with other values.
        variables: the variables.
        suffix: what follows the names of the layers.
    """
    layers, last = [], len(net.layers) - 1
    for number, layer in enumerate(net.layers):
        scope = f"final_layer{suffix}" if number == last else f"layer_{number}{suffix}"
        n_in, n_out = shape(layer.weight)
        adds = 0 < number < last and n_in == n_out
        new = _dense(layer, variables, f"{scope}.matrix", f"{scope}.bias").with_(resnet=adds)
        if adds and layer.timestep is not None:
            value = like(variables.take(f"{scope}.idt", (n_out,)), layer.timestep, scope, variables)
            new = new.with_(timestep=value)
        else:
            new = new.with_(timestep=None)
        layers.append(new)
    return MLP(layers=tuple(layers))


def type_embedding(embedding: TypeEmbedding, variables: Variables) -> TypeEmbedding:
    """Return a type embedding with the values of ``type_embed_net.matrix_L``, …."""
    return embedding.with_(net=embedding_net(embedding.net, variables, "type_embed_net"))


def attention_layer(
    layer: AttentionLayer, variables: Variables, scope: str, eps: float
) -> AttentionLayer:
    """Return an attention layer with the values of ``SCOPE.c_query.matrix``, ….

    Args:
        layer: the layer, with other values.
        variables: the variables.
        scope: what their names begin with.
        eps: what the normalisation adds to the variance.
    """
    hidden, width = shape(layer.out_proj.weight)
    parts = {
        kind: [
            variables.take(f"{scope}.c_{name}.{kind}", sizes) for name in ("query", "key", "value")
        ]
        for kind, sizes in (("matrix", (width, hidden)), ("bias", (hidden,)))
    }
    weight, bias = (np.concatenate(values, axis=-1) for values in parts.values())
    return layer.with_(
        in_proj=layer.in_proj.with_(
            weight=like(weight, layer.in_proj.weight, scope, variables),
            bias=like(bias, layer.in_proj.bias, scope, variables),
        ),
        out_proj=_dense(layer.out_proj, variables, f"{scope}.c_out.matrix", f"{scope}.c_out.bias"),
        norm=layer.norm.with_(
            eps=eps,
            scale=variables.take(f"{scope}.layer_normalization.gamma", (width,)),
            shift=variables.take(f"{scope}.layer_normalization.beta", (width,)),
        ),
    )


def silent(net: MLP) -> MLP:
    """Return a network that gives zeros: one that is never asked, and for which there are no variables."""
    return map_arrays(np.zeros_like, net)


def _dense(layer: Dense, variables: Variables, weight: str, bias: str) -> Dense:
    values = {"weight": variables.take(weight, shape(layer.weight))}
    names = {"weight": weight, "bias": bias}
    if layer.bias is not None:
        values["bias"] = variables.take(bias, shape(layer.bias))
    return layer.with_(
        **{
            key: like(value, getattr(layer, key), names[key], variables)
            for key, value in values.items()
        }
    )
