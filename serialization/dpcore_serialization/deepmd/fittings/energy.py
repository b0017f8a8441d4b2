"""The fitting of the energy."""

from typing import Any

from dpcore.descriptors import Descriptor
from dpcore.fittings import EnergyFitting
from dpcore.tree import check_kinds
from dpcore_serialization.deepmd.fields import Fields, as_list, as_tuple
from dpcore_serialization.deepmd.fittings.body import Kind, read_body, read_statistics, write_body


def read_energy(data: Any, path: str) -> EnergyFitting:
    """Read the fitting of the energy."""
    with Fields(data, path, version=4) as fields:
        values = read_energy_fields(fields)
    check_kinds(EnergyFitting, values, path)
    return EnergyFitting(**values)


def read_energy_fields(fields: Fields, nets: Any = None) -> dict[str, Any]:
    """Read the settings, statistics and, where they are not given, the networks."""
    fields.skip("var_name", "dim_out")
    values = read_body(fields, nets)
    values["atom_ener"] = as_tuple(fields.take("atom_ener", None)) or ()
    values["use_aparam_as_mask"] = bool(fields.take("use_aparam_as_mask", False))
    values["layer_name"] = as_tuple(fields.take("layer_name", None))
    with Fields(fields.take("@variables"), f"{fields.path}.@variables") as variables:
        values |= read_statistics(variables)
    return values


def write_energy(
    fitting: EnergyFitting, type_map: list[str], descriptor: Descriptor
) -> dict[str, Any]:
    """Write the fitting of the energy."""
    return write_body(Kind("ener", "energy", 1), fitting, type_map, descriptor) | {
        "dim_out": 1,
        "atom_ener": as_list(fitting.atom_ener) or None,
        "use_aparam_as_mask": fitting.use_aparam_as_mask,
        "layer_name": as_list(fitting.layer_name),
    }
