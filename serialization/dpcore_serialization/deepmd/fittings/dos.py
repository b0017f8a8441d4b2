"""The fitting of densities of states."""

from typing import Any

from dpcore.descriptors import Descriptor
from dpcore.fittings import DOSFitting
from dpcore.tree import check_kinds
from dpcore_serialization.deepmd.fields import Fields
from dpcore_serialization.deepmd.fittings.body import (
    Kind,
    read_body,
    read_statistics,
    refuse_energy_settings,
    write_body,
)


def read_dos(data: Any, path: str) -> DOSFitting:
    """Read a fitting of densities of states."""
    with Fields(data, path, version=4) as fields:
        fields.skip("var_name")
        refuse_energy_settings(fields)
        values = read_body(fields)
        values["numb_dos"] = fields.take("dim_out")
        with Fields(fields.take("@variables"), f"{path}.@variables") as variables:
            values |= read_statistics(variables)
    check_kinds(DOSFitting, values, path)
    return DOSFitting(**values)


def write_dos(fitting: DOSFitting, type_map: list[str], descriptor: Descriptor) -> dict[str, Any]:
    """Write a fitting of densities of states."""
    kind = Kind("dos", "dos", fitting.numb_dos)
    return write_body(kind, fitting, type_map, descriptor) | {
        "dim_out": fitting.numb_dos,
        "atom_ener": None,
    }
