"""The fitting of polarizabilities."""

from typing import Any

import numpy as np

from dpcore.descriptors import Descriptor
from dpcore.fittings import PolarFitting
from dpcore.tree import check_kinds
from dpcore_serialization.deepmd.fields import Fields
from dpcore_serialization.deepmd.fittings.body import (
    Kind,
    read_body,
    read_statistics,
    refuse_energy_settings,
    write_body,
)


def read_polar(data: Any, path: str) -> PolarFitting:
    """Read a fitting of polarizabilities."""
    with Fields(data, path, version=5) as fields:
        fields.skip("var_name", "embedding_width")
        refuse_energy_settings(fields)
        values = read_body(fields)
        values["fit_diag"] = fields.take("fit_diag")
        values["shift_diag"] = fields.take("shift_diag", True)
        with Fields(fields.take("@variables"), f"{path}.@variables") as variables:
            values |= read_statistics(variables)
            values["scale"] = tuple(variables.array("scale", 2).ravel().tolist())
            constant = variables.optional_array("constant_matrix", 1)
        none = np.zeros(len(values["bias_atom_e"]))
        values["constant_matrix"] = none if constant is None else constant
    check_kinds(PolarFitting, values, path)
    return PolarFitting(**values)


def write_polar(
    fitting: PolarFitting, type_map: list[str], descriptor: Descriptor
) -> dict[str, Any]:
    """Write a fitting of polarizabilities."""
    size = descriptor.frame_width
    kind = Kind("polar", "polar", size if fitting.fit_diag else size**2, version=5)
    data = write_body(kind, fitting, type_map, descriptor)
    data["@variables"] |= {
        "scale": np.array(fitting.scales)[:, None],
        "constant_matrix": fitting.constant_matrix,
    }
    return data | {
        "embedding_width": size,
        "fit_diag": fitting.fit_diag,
        "shift_diag": fitting.shift_diag,
    }
