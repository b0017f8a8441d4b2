"""Layers, networks and collections of networks."""

from collections.abc import Sequence
from typing import Any

from dpcore.errors import DPError
from dpcore.fused import TabulatedNet
from dpcore.nn import MLP, Dense
from dpcore.tree import check_kinds
from dpcore_serialization.deepmd.fields import Fields, UnwritableError


def read_layer(data: Any, path: str, *, trainable: bool) -> Dense:
    """Read one layer."""
    with Fields(data, path, version=2) as fields:
        settings = {
            "activation_function": fields.take("activation_function") or "none",
            "resnet": fields.take("resnet"),
            "precision": fields.take("precision"),
            "trainable": fields.take("trainable", trainable),
        }
        fields.skip("bias", "use_timestep")
        with Fields(fields.take("@variables"), f"{path}.@variables") as variables:
            weight = variables.array("w", 2)
            bias, timestep = (variables.take(key, None) for key in ("b", "idt"))
    check_kinds(Dense, settings, path)
    flat = {k: None if v is None else v.reshape(-1) for k, v in (("b", bias), ("idt", timestep))}
    for key, value in flat.items():
        if value is not None and value.shape != weight.shape[1:]:
            raise DPError(
                f"{path}.@variables.{key}: {value.size} values for width {weight.shape[1]}"
            )
    return Dense(weight=weight, bias=flat["b"], timestep=flat["idt"], **settings)


def write_layer(layer: Dense) -> dict[str, Any]:
    """Write one layer."""
    return {
        "@class": "Layer",
        "@version": 2,
        "bias": layer.bias is not None,
        "use_timestep": layer.timestep is not None,
        "activation_function": layer.activation_function,
        "resnet": layer.resnet,
        "precision": layer.precision,
        "trainable": layer.trainable,
        "@variables": {"w": layer.weight, "b": layer.bias, "idt": layer.timestep},
    }


def read_networks(data: Any, path: str, trainable: list[bool]) -> tuple[MLP, ...]:
    """Read a collection of networks, in the order of DeePMD-kit's type index.

    Args:
        data: the collection.
        path: where it is in the file.
        trainable: flags of the layers, for files that do not keep them.
    """
    with Fields(data, path) as fields:
        fields.skip("ndim", "ntypes", "network_type")
        networks = fields.take("networks")
    if not isinstance(networks, list) or not networks or None in networks:
        raise DPError(f"{path}.networks: a list of networks without gaps is expected")
    return tuple(
        read_network(net, f"{path}.networks.{i}", trainable) for i, net in enumerate(networks)
    )


def read_network(data: Any, path: str, trainable: list[bool]) -> MLP:
    """Read one network (see :func:`read_networks`)."""
    with Fields(data, path, version=2) as fields:
        fields.skip("in_dim", "out_dim", "neuron", "activation_function", "resnet_dt", "precision")
        fields.skip("bias", "bias_out")
        layers = fields.take("layers")
    if not isinstance(layers, list) or not layers:
        raise DPError(f"{path}.layers: a list of layers is expected")
    flags = trainable if len(trainable) == len(layers) else [all(trainable)] * len(layers)
    return MLP(
        layers=tuple(
            read_layer(layer, f"{path}.layers.{i}", trainable=flag)
            for i, (layer, flag) in enumerate(zip(layers, flags, strict=True))
        )
    )


def write_networks(
    nets: Sequence[MLP | TabulatedNet], ntypes: int, ndim: int, kind: str, common: dict[str, Any]
) -> dict[str, Any]:
    """Write a collection of networks.

    Args:
        nets: the networks.
        ntypes: number of atom types.
        ndim: number of types that select a network.
        kind: DeePMD-kit's name of the kind of network.
        common: the entries that each network repeats.

    Raises:
        UnwritableError: a network is a table.
    """
    return {
        "@class": "NetworkCollection",
        "@version": 1,
        "ndim": ndim,
        "ntypes": ntypes,
        "network_type": kind,
        "networks": [write_network(net, kind, common) for net in nets],
    }


def write_network(net: MLP | TabulatedNet, kind: str, common: dict[str, Any]) -> dict[str, Any]:
    """Write one network (see :func:`write_networks`)."""
    version = 2 if kind == "embedding_network" else 1
    head = {"@class": _CLASSES[kind], "@version": version}
    return head | common | {"layers": _write_layers(net)}


def _write_layers(net: MLP | TabulatedNet) -> list[dict[str, Any]]:
    if isinstance(net, TabulatedNet):
        raise UnwritableError(
            "the model is compressed: it has tables in place of networks, which DeePMD-kit's kinds of "
            "file cannot hold; convert the model that it was made from"
        )
    return [write_layer(layer) for layer in net.layers]


_CLASSES = {"embedding_network": "EmbeddingNetwork", "fitting_network": "FittingNetwork"}
