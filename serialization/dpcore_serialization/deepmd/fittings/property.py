"""The fitting of any other property."""

from typing import Any

from dpcore.descriptors import Descriptor
from dpcore.fittings import PropertyFitting
from dpcore.tree import check_kinds
from dpcore_serialization.deepmd.fields import Fields
from dpcore_serialization.deepmd.fittings.body import (
    Kind,
    read_body,
    read_statistics,
    refuse_energy_settings,
    write_body,
)


def read_property(data: Any, path: str) -> PropertyFitting:
    """Read a fitting of a property.

    Before version 4 the property had no name of its own, and before version 6 all types had the
    statistics of the first.
    """
    with Fields(data, path, version=6) as fields:
        fields.skip("dim_out")
        refuse_energy_settings(fields)
        values = read_body(fields)
        values["property_name"] = fields.take("var_name", "property")
        values["task_dim"] = fields.take("task_dim")
        values["intensive"] = fields.take("intensive", False)
        values["distinguish_types"] = fields.take("distinguish_types", False)
        with Fields(fields.take("@variables"), f"{path}.@variables") as variables:
            values |= read_statistics(variables)
    check_kinds(PropertyFitting, values, path)
    return PropertyFitting(**values)


def write_property(
    fitting: PropertyFitting, type_map: list[str], descriptor: Descriptor
) -> dict[str, Any]:
    """Write a fitting of a property."""
    kind = Kind("property", fitting.property_name, fitting.task_dim, version=6)
    return write_body(kind, fitting, type_map, descriptor) | {
        "dim_out": fitting.task_dim,
        "atom_ener": None,
        "task_dim": fitting.task_dim,
        "intensive": fitting.intensive,
        "distinguish_types": fitting.distinguish_types,
    }
