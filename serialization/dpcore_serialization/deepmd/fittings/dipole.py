"""The fitting of dipoles."""

from typing import Any

from dpcore.descriptors import Descriptor
from dpcore.fittings import DipoleFitting
from dpcore.tree import check_kinds
from dpcore_serialization.deepmd.fields import Fields
from dpcore_serialization.deepmd.fittings.body import (
    Kind,
    read_body,
    read_statistics,
    refuse_energy_settings,
    write_body,
)


def read_dipole(data: Any, path: str) -> DipoleFitting:
    """Read a fitting of dipoles."""
    with Fields(data, path, version=4) as fields:
        fields.skip("var_name", "embedding_width")
        fields.neutral("r_differentiable", True)
        fields.neutral("c_differentiable", True)
        refuse_energy_settings(fields)
        values = read_body(fields)
        with Fields(fields.take("@variables"), f"{path}.@variables") as variables:
            values |= read_statistics(variables)
    check_kinds(DipoleFitting, values, path)
    return DipoleFitting(**values)


def write_dipole(
    fitting: DipoleFitting, type_map: list[str], descriptor: Descriptor
) -> dict[str, Any]:
    """Write a fitting of dipoles."""
    kind = Kind("dipole", "dipole", descriptor.frame_width)
    return write_body(kind, fitting, type_map, descriptor) | {
        "embedding_width": descriptor.frame_width,
        "r_differentiable": True,
        "c_differentiable": True,
    }
