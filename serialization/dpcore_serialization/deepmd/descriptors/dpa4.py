"""The descriptor DPA-4."""

import dataclasses as dc
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from dpcore.descriptors.dpa4.dpa4 import DPA4
from dpcore.descriptors.dpa4.groups import GROUPS
from dpcore.descriptors.dpa4.settings import spread
from dpcore.errors import DPError
from dpcore.tree import arrays, replace
from dpcore_serialization.deepmd.descriptors.dpa4_arrays import all_places
from dpcore_serialization.deepmd.descriptors.dpa4_tables import tables
from dpcore_serialization.deepmd.fields import Fields, UnwritableError, as_list, as_tuple, pairs

# What a file says again about the settings: tables of rows, and what has not been trained.
REPEATED = re.compile(
    r"(version_tensor|mean|stddev|(gie_zonal_)?wigner_calc\..*|gie\..*|.*\b(expand_index|balance_weight|"
    r"degree_index_m|m0_idx|pos_indices|neg_indices|kernel_compact_index|kernel_dense_index))"
)
# The settings that are not in a group, and those that are, but for one that files leave out.
OWN = ("trainable", "add_chg_spin_ebd", "default_chg_spin", "use_spin")
GROUPED = tuple(field.name for kind in GROUPS.values() for field in dc.fields(kind))
KEYS = tuple(key for key in (*GROUPED, *OWN) if key != "use_amp")


def read_dpa4(data: Any, path: str) -> DPA4:
    """Read the descriptor DPA-4."""
    data = dict(data)
    version = data.pop("@version", 1.0)
    if version not in {1.1, 1.2}:
        raise DPError(f"{path}: @version {version!r} is not understood; 1.1 and 1.2 are")
    with Fields(data, path) as fields:
        fields.skip("type", "env_mat")
        settings = _settings(fields.take("config"), f"{path}.config")
        variables = fields.take("@variables")
    type_map = settings.pop("type_map")
    drawn = DPA4.create(np.random.default_rng(0), type_map=type_map, **settings)
    filled = _filled(drawn, variables, f"{path}.@variables")
    if version == 1.1 and filled.seed is not None and filled.seed.spin is not None:
        # The number that spins are multiplied by was squared then.
        filled = filled.with_(seed=filled.seed.with_(spin=filled.seed.spin**2))
    return filled


def _settings(config: Any, path: str) -> dict[str, Any]:
    with Fields(config, path) as fields:
        ntypes, type_map = fields.take("ntypes"), fields.take("type_map")
        values = {key: as_tuple(fields.take(key)) for key in KEYS if key in config}
        values["type_map"] = tuple(type_map or map(str, range(ntypes)))
        values["exclude_types"] = pairs(values.get("exclude_types"))
        fields.skip("seed", "s2_grid_resolution")
    return values


def _filled(drawn: DPA4, variables: Mapping[str, Any], path: str) -> DPA4:
    """Return a descriptor with the arrays of a file."""
    values, rest = arrays(drawn), dict(variables)
    for name, key in all_places(drawn):
        if key not in rest:
            raise DPError(f"{path}: the key {key!r} is missing")
        sizes, values[name] = values[name].shape, rest.pop(key)
        if values[name].shape != sizes:
            raise DPError(f"{path}.{key}: is not of the shape that the settings ask for")
    for key in rest:
        if not REPEATED.fullmatch(key):
            raise DPError(f"{path}: the key {key!r} is not supported by this version")
    return replace(drawn, values)


def write_dpa4(descriptor: DPA4, type_map: list[str]) -> dict[str, Any]:
    """Write the descriptor DPA-4.

    Raises:
        UnwritableError: it was made ready for evaluation.
    """
    if descriptor.charge_spin is not None and descriptor.charge_spin.tables is not None:
        raise UnwritableError("a descriptor that was made ready for evaluation cannot be written")
    told = {
        key: value for group in GROUPS for key, value in vars(getattr(descriptor, group)).items()
    }
    told |= {key: getattr(descriptor, key) for key in OWN}
    # The arrays may be places in a file: their shapes are those of another descriptor of these settings.
    like = DPA4.create(np.random.default_rng(0), type_map=tuple(type_map), **told)
    keys, values = dict(all_places(like)), arrays(descriptor)
    sizes = {path: value.shape for path, value in arrays(like).items()}
    variables = {key: values[path] for path, key in keys.items()}
    config = {key: as_list(told[key]) for key in KEYS}
    config["sel"] = as_list(spread(told["sel"], 1))
    return {
        "@class": "Descriptor",
        "type": "SeZM",
        "@version": 1.2,
        "config": {
            **config,
            "ntypes": len(type_map),
            "type_map": type_map,
            "seed": None,
        },
        "@variables": variables | tables(like, keys, sizes),
        "env_mat": {
            "rcut": told["rcut"],
            "rcut_smth": told["rcut"],
            "protection": told["eps"],
            "use_exp_switch": False,
        },
    }
