"""Descriptors."""

from collections.abc import Callable
from typing import Any

from dpcore.descriptors import SeE2A
from dpcore.errors import DPError, suggest
from dpcore.tree import check_kinds
from dpcore_serialization.deepmd.fields import Fields, as_list, as_tuple, pairs
from dpcore_serialization.deepmd.networks import read_networks, write_networks


def read_se_e2_a(data: Any, path: str) -> SeE2A:
    """Read a two-body embedding descriptor."""
    with Fields(data, path, version=2) as fields:
        fields.skip("type", "type_map", "ntypes")
        fields.neutral("spin", None)
        trainable = fields.take("trainable", True)
        _read_environment(fields)
        nets = read_networks(fields.take("embeddings"), f"{path}.embeddings", [trainable])
        with Fields(fields.take("@variables"), f"{path}.@variables") as variables:
            davg, dstd = variables.array("davg", 3), variables.array("dstd", 3)
        values = {
            key: as_tuple(fields.take(key))
            for key in ("rcut", "rcut_smth", "sel", "neuron", "axis_neuron", "resnet_dt")
        }
        values |= {
            key: fields.take(key)
            for key in ("type_one_side", "set_davg_zero", "activation_function", "precision")
        }
        values["exclude_types"] = pairs(fields.take("exclude_types", ()))
        values["env_protection"] = fields.take("env_protection", 0.0)
    check_kinds(SeE2A, values, path)
    return SeE2A(nets=nets, davg=davg, dstd=dstd, trainable=trainable, **values)


def _read_environment(fields: Fields) -> None:
    """Read the table that repeats the settings of the environment matrix."""
    with Fields(fields.take("env_mat", {}), f"{fields.path}.env_mat") as repeated:
        repeated.skip("rcut", "rcut_smth", "protection")
        repeated.neutral("use_exp_switch", False)


def write_se_e2_a(descriptor: SeE2A, type_map: list[str]) -> dict[str, Any]:
    """Write a two-body embedding descriptor."""
    repeated = {
        "neuron": list(descriptor.neuron),
        "activation_function": descriptor.activation_function,
        "resnet_dt": descriptor.resnet_dt,
        "precision": descriptor.precision,
    }
    keys = ["rcut", "rcut_smth", "sel", "axis_neuron", "trainable", "type_one_side"]
    keys += ["exclude_types", "env_protection", "set_davg_zero"]
    return {
        "@class": "Descriptor",
        "type": "se_e2_a",
        "@version": 2,
        **{key: as_list(getattr(descriptor, key)) for key in keys},
        **repeated,
        "spin": None,
        "env_mat": {
            "rcut": descriptor.rcut,
            "rcut_smth": descriptor.rcut_smth,
            "protection": descriptor.env_protection,
            "use_exp_switch": False,
        },
        "embeddings": write_networks(
            descriptor.nets,
            descriptor.ntypes,
            1 if descriptor.type_one_side else 2,
            "embedding_network",
            {"in_dim": 1, "bias": True} | repeated,
        ),
        "@variables": {"davg": descriptor.davg, "dstd": descriptor.dstd},
        "type_map": type_map,
    }


READERS: dict[str, Callable[[Any, str], SeE2A]] = {"se_e2_a": read_se_e2_a, "se_a": read_se_e2_a}
WRITERS: dict[type, Callable[[Any, list[str]], dict[str, Any]]] = {SeE2A: write_se_e2_a}


def read_descriptor(data: Any, path: str) -> SeE2A:
    """Read a descriptor of any supported type."""
    kind = data.get("type") if isinstance(data, dict) else None
    if kind not in READERS:
        raise DPError(
            f"{path}.type: the descriptor {kind!r} is not supported{suggest(str(kind), READERS)}"
        )
    return READERS[kind](data, path)


def write_descriptor(descriptor: SeE2A, type_map: list[str]) -> dict[str, Any]:
    """Write a descriptor."""
    return WRITERS[type(descriptor)](descriptor, type_map)
