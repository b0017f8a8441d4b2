"""The entries of all models that have an output bias of their own."""

from typing import Any

from dpcore.errors import DPError
from dpcore.models.biased import BiasedModel
from dpcore.tree import check_kinds
from dpcore_serialization.deepmd.fields import Fields, as_list, as_tuple, pairs


def read_biased(fields: Fields, variable: str = "energy") -> dict[str, Any]:
    """Read the settings and the output statistics.

    Args:
        fields: the model's dictionary.
        variable: DeePMD-kit's name of what the model gives for an atom.
    """
    fields.skip("type", "rcond", "min_nbor_dist")
    preset = fields.take("preset_out_bias", None)
    if preset and (not isinstance(preset, dict) or preset.keys() != {variable}):
        raise DPError(
            f"{fields.path}.preset_out_bias: a table with the key {variable!r} is expected"
        )
    settings = {
        "type_map": as_tuple(fields.take("type_map")),
        "atom_exclude_types": as_tuple(fields.take("atom_exclude_types", [])),
        "pair_exclude_types": pairs(fields.take("pair_exclude_types", [])),
        "preset_out_bias": as_tuple(preset[variable]) if preset else None,
    }
    check_kinds(BiasedModel, settings, fields.path)
    with Fields(fields.take("@variables"), f"{fields.path}.@variables") as variables:
        return settings | {key: variables.array(key, 3) for key in ("out_bias", "out_std")}


def write_biased(
    model: BiasedModel, kind: str, version: int, variable: str = "energy"
) -> dict[str, Any]:
    """Return the entries of a model of a kind, for the version of its class."""
    preset = as_list(model.preset_out_bias)
    return {
        "@class": "Model",
        "type": kind,
        "@version": version,
        "type_map": list(model.type_map),
        "atom_exclude_types": list(model.atom_exclude_types),
        "pair_exclude_types": as_list(model.pair_exclude_types),
        "preset_out_bias": None if preset is None else {variable: preset},
        "rcond": None,
        "@variables": {"out_bias": model.out_bias, "out_std": model.out_std},
    }
