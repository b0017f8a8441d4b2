"""A vector for each atom type."""

from typing import Any, Self

import numpy as np

from dpcore.errors import DPError
from dpcore.nn.electrons import configuration_vector
from dpcore.nn.mlp import MLP
from dpcore.nn.precision import numpy_dtype
from dpcore.tree import Module, buffer, setting
from dpcore.xp import dtype_name, namespace, shape


class TypeEmbedding(Module, name="type_embedding"):
    """A network that turns the name of an atom type, or its electron configuration, into a vector.

    A type is a unit vector of as many numbers as there are types, or with ``use_econf_tebd`` the vector
    of its element's electrons.
    """

    type_map: tuple[str, ...] = setting(doc="names of the atom types")
    neuron: tuple[int, ...] = setting((8,), doc="widths of the layers")
    activation_function: str = setting("tanh", doc="activation of the layers")
    resnet_dt: bool = setting(False, doc="scale residual layers by a trained timestep")
    precision: str = setting("default", doc="precision of the parameters")
    trainable: bool = setting(True, doc="whether the parameters are trained")
    use_econf_tebd: bool = setting(False, doc="embed the electron configurations of the elements")
    use_tebd_bias: bool = setting(False, doc="give the layers a bias")
    net: MLP
    configurations: Any = buffer(default=None)

    def __post_init__(self) -> None:
        _check(self)

    @classmethod
    def create(
        cls,
        rng: np.random.Generator,
        *,
        type_map: tuple[str, ...],
        neuron: tuple[int, ...] = (8,),
        **settings: Any,
    ) -> Self:
        """Draw a type embedding with a random network."""
        if not neuron or min(neuron) < 1:
            raise DPError(f"type_embedding.neuron: {list(neuron)} must hold positive widths")
        precision = settings.get("precision", "default")
        vectors = None
        if settings.get("use_econf_tebd", False):
            vectors = configurations(type_map, precision)
        net = MLP.create(
            len(type_map) if vectors is None else vectors.shape[1],
            neuron,
            rng,
            resnet_dt=settings.get("resnet_dt", False),
            activation_function=settings.get("activation_function", "tanh"),
            precision=precision,
            trainable=settings.get("trainable", True),
        )
        if not settings.get("use_tebd_bias", False):
            net = net.with_(layers=tuple(layer.with_(bias=None) for layer in net.layers))
        return cls(type_map=type_map, neuron=neuron, net=net, configurations=vectors, **settings)

    @property
    def width(self) -> int:
        """Number of features of a type."""
        return self.net.widths[1]

    def __call__(self) -> Any:
        """Return the features of the types, ``(type + 1, width)``; the last row, of no type, is zero."""
        weight = self.net.layers[0].weight
        xp = namespace(weight)
        given = self.configurations
        if given is None:
            names = xp.arange(len(self.type_map), like=weight)
            given = xp.astype(names[:, None] == names[None, :], dtype_name(weight))
        features = self.net(given)
        return xp.concat([features, xp.zeros_like(features[:1, :])], axis=0)


def configurations(type_map: tuple[str, ...], precision: str) -> Any:
    """Return the electron configurations of the elements of a type map, ``(type, 118)``."""
    rows = [configuration_vector(symbol) for symbol in type_map]
    return np.stack(rows).astype(numpy_dtype(precision))


def _check(embedding: TypeEmbedding) -> None:
    """Raise a one-line error for a network that does not fit the settings."""
    vectors = embedding.configurations
    if (vectors is not None) != embedding.use_econf_tebd:
        raise DPError(
            f"type_embedding.use_econf_tebd: {embedding.use_econf_tebd}, but there are "
            f"{'no ' if vectors is None else ''}electron configurations"
        )
    n_in = len(embedding.type_map) if vectors is None else shape(vectors)[1]
    needed = (n_in, embedding.neuron[-1] if embedding.neuron else 0)
    if embedding.net.widths != needed:
        raise DPError(
            f"type_embedding.net: from {embedding.net.widths[0]} to {embedding.net.widths[1]}; these "
            f"settings need from {needed[0]} to {needed[1]}"
        )
    for layer in embedding.net.layers:
        if (layer.bias is not None) != embedding.use_tebd_bias:
            raise DPError(
                f"type_embedding.use_tebd_bias: {embedding.use_tebd_bias}, but a layer has "
                f"{'no bias' if layer.bias is None else 'one'}"
            )
