"""The two-body embedding descriptor."""

from typing import Any

from dpcore.descriptors import SeE2A
from dpcore_serialization.deepmd.descriptors.local import built, read_radial, write_radial
from dpcore_serialization.deepmd.fields import Fields


def read_se_e2_a(data: Any, path: str) -> SeE2A:
    """Read a two-body embedding descriptor."""
    with Fields(data, path, version=3) as fields:
        values = read_radial(fields) | {"axis_neuron": fields.take("axis_neuron")}
    return built(SeE2A, values, path)


def write_se_e2_a(descriptor: SeE2A, type_map: list[str]) -> dict[str, Any]:
    """Write a two-body embedding descriptor."""
    return write_radial(descriptor, type_map, "se_e2_a", axis_neuron=descriptor.axis_neuron)
