"""Models of one descriptor and one fitting."""

from typing import Any

from dpcore.errors import DPError
from dpcore.fittings import Fitting
from dpcore.models import StandardModel
from dpcore.tree import check_kinds
from dpcore_serialization.deepmd.descriptors import read_descriptor, write_descriptor
from dpcore_serialization.deepmd.fields import Fields, UnwritableError, as_list, as_tuple, pairs
from dpcore_serialization.deepmd.fittings import read_fitting, variable_of, write_fitting


def read_standard(data: Any, path: str) -> StandardModel:
    """Read a model of one descriptor and one fitting."""
    with Fields(data, path, version=2) as fields:
        fields.skip("type")
        descriptor = read_descriptor(fields.take("descriptor"), f"{path}.descriptor")
        fitting = read_fitting(fields.take("fitting"), f"{path}.fitting")
        preset = fields.take("preset_out_bias", None)
        settings = {
            "type_map": as_tuple(fields.take("type_map")),
            "atom_exclude_types": as_tuple(fields.take("atom_exclude_types", [])),
            "pair_exclude_types": pairs(fields.take("pair_exclude_types", [])),
            "preset_out_bias": _read_preset(preset, fitting, f"{path}.preset_out_bias"),
        }
        fields.skip("rcond", "min_nbor_dist")
        with Fields(fields.take("@variables"), f"{path}.@variables") as variables:
            bias, std = variables.array("out_bias", 3), variables.array("out_std", 3)
    check_kinds(StandardModel, settings, path)
    return StandardModel(
        descriptor=descriptor, fitting=fitting, out_bias=bias, out_std=std, **settings
    )


def write_standard(model: StandardModel) -> dict[str, Any]:
    """Write a model of one descriptor and one fitting.

    Raises:
        UnwritableError: DeePMD-kit does not know the descriptor, the fitting, or what it leaves out.
    """
    type_map = list(model.type_map)
    _check_exclusions(model)
    return {
        "@class": "Model",
        "type": "standard",
        "@version": 2,
        "type_map": type_map,
        "atom_exclude_types": list(model.atom_exclude_types),
        "pair_exclude_types": as_list(model.pair_exclude_types),
        "preset_out_bias": _write_preset(model),
        "rcond": model.fitting.rcond,
        "descriptor": write_descriptor(model.descriptor, type_map),
        "fitting": write_fitting(model.fitting, type_map, model.descriptor),
        "@variables": {"out_bias": model.out_bias, "out_std": model.out_std},
    }


def _read_preset(preset: Any, fitting: Fitting, path: str) -> Any:
    if not preset:
        return None
    name = variable_of(fitting)
    if not isinstance(preset, dict) or preset.keys() != {name}:
        raise DPError(f"{path}: a table with the key {name!r} is expected")
    return as_tuple(preset[name])


def _write_preset(model: StandardModel) -> Any:
    preset = as_list(model.preset_out_bias)
    return None if preset is None else {variable_of(model.fitting): preset}


def _check_exclusions(model: StandardModel) -> None:
    """Refuse what DeePMD-kit would overlook: it replaces the fitting's excluded types by the model's."""
    for t in model.fitting.exclude_types:
        if t not in model.atom_exclude_types:
            raise UnwritableError(
                f"fitting.exclude_types: DeePMD-kit's kinds of file leave out the property of type {t} "
                "only together with its bias; name it in model.atom_exclude_types too"
            )
