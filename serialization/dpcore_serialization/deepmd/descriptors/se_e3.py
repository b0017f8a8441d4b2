"""The three-body embedding descriptor."""

from typing import Any

from dpcore.descriptors import SeE3
from dpcore.errors import DPError
from dpcore_serialization.deepmd.descriptors.local import (
    built,
    read_local,
    read_nets,
    write_local,
    write_nets,
)
from dpcore_serialization.deepmd.fields import Fields


def read_se_e3(data: Any, path: str) -> SeE3:
    """Read a three-body embedding descriptor.

    DeePMD-kit has a network for each ordered pair of neighbour types, of which it uses those with the
    lower type first.
    """
    with Fields(data, path, version=3) as fields:
        values = read_local(fields)
        nets = read_nets(fields, "embeddings", values)
    n = len(values["sel"])
    if len(nets) != n * n:
        raise DPError(f"{path}.embeddings: {len(nets)} networks; {n} types need {n * n}")
    values["nets"] = tuple(nets[a + b * n] for b in range(n) for a in range(b + 1))
    return built(SeE3, values, path)


def write_se_e3(descriptor: SeE3, type_map: list[str]) -> dict[str, Any]:
    """Write a three-body embedding descriptor, with each network in the places of both orders."""
    number = {pair: i for i, pair in enumerate(descriptor.neighbour_pairs)}
    types = range(descriptor.ntypes)
    nets = [descriptor.nets[number[min(a, b), max(a, b)]] for b in types for a in types]
    return {
        **write_local(descriptor, type_map, "se_e3"),
        "embeddings": write_nets(descriptor, nets, 2),
    }
