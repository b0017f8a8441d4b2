"""Whole models."""

from typing import Any

from dpcore.errors import DPError
from dpcore.models import EnergyModel
from dpcore.tree import check_kinds
from dpcore_serialization.deepmd.descriptors import read_descriptor, write_descriptor
from dpcore_serialization.deepmd.fields import Fields, as_list, as_tuple, pairs
from dpcore_serialization.deepmd.fittings import read_fitting, write_fitting


def read_model(data: Any, path: str = "model") -> EnergyModel:
    """Read DeePMD-kit's model dictionary.

    Args:
        data: the dictionary, with NumPy arrays.
        path: where it is in the file, for messages.

    Raises:
        DPError: a kind of model, a key or a value that is not supported, named by its path.
    """
    kind = data.get("type", "standard") if isinstance(data, dict) else None
    if kind != "standard":
        raise DPError(f"{path}.type: the model {kind!r} is not supported; allowed: standard")
    with Fields(data, path, version=2) as fields:
        fields.skip("type")
        descriptor = read_descriptor(fields.take("descriptor"), f"{path}.descriptor")
        fitting = read_fitting(fields.take("fitting"), f"{path}.fitting")
        settings = {
            "type_map": as_tuple(fields.take("type_map")),
            "atom_exclude_types": as_tuple(fields.take("atom_exclude_types", [])),
            "pair_exclude_types": pairs(fields.take("pair_exclude_types", [])),
            "preset_out_bias": _preset(fields.take("preset_out_bias", None)),
        }
        fields.skip("rcond", "min_nbor_dist")
        with Fields(fields.take("@variables"), f"{path}.@variables") as variables:
            bias, std = variables.array("out_bias", 3), variables.array("out_std", 3)
    check_kinds(EnergyModel, settings, path)
    return EnergyModel(
        descriptor=descriptor, fitting=fitting, out_bias=bias, out_std=std, **settings
    )


def _preset(preset: Any) -> tuple[float | None, ...] | None:
    if not preset:
        return None
    if not isinstance(preset, dict) or preset.keys() != {"energy"}:
        raise DPError("model.preset_out_bias: a table with the key 'energy' is expected")
    values: tuple[float | None, ...] = as_tuple(preset["energy"])
    return values


def write_model(model: EnergyModel) -> dict[str, Any]:
    """Write a model as DeePMD-kit's dictionary, with the leaves of the tree as they are."""
    type_map = list(model.type_map)
    preset = model.preset_out_bias
    return {
        "@class": "Model",
        "type": "standard",
        "@version": 2,
        "type_map": type_map,
        "atom_exclude_types": list(model.atom_exclude_types),
        "pair_exclude_types": as_list(model.pair_exclude_types),
        "preset_out_bias": None if preset is None else {"energy": list(preset)},
        "rcond": model.fitting.rcond,
        "descriptor": write_descriptor(model.descriptor, type_map),
        "fitting": write_fitting(model.fitting, type_map, model.descriptor.width),
        "@variables": {"out_bias": model.out_bias, "out_std": model.out_std},
    }
