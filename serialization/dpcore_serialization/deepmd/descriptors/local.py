"""What descriptors of environment rows have in common in DeePMD-kit's tables."""

import dataclasses as dc
from typing import Any, TypeVar

from dpcore.descriptors.local import LocalDescriptor
from dpcore.descriptors.radial import RadialDescriptor
from dpcore.nn import MLP
from dpcore.tree import check_kinds
from dpcore_serialization.deepmd.fields import Fields, as_list, as_tuple, pairs
from dpcore_serialization.deepmd.networks import read_networks, write_networks

Kind = TypeVar("Kind", bound=LocalDescriptor)

_SETTINGS = ("rcut", "rcut_smth", "sel", "neuron", "resnet_dt", "set_davg_zero")
_TEXTS = ("activation_function", "precision")
_OPTIONAL = {"trainable": True, "env_protection": 0.0}


def read_local(fields: Fields) -> dict[str, Any]:
    """Read the settings and statistics of a descriptor."""
    fields.skip("type", "type_map", "ntypes")
    with Fields(fields.take("env_mat", {}), f"{fields.path}.env_mat") as repeated:
        repeated.skip("rcut", "rcut_smth", "protection")
        repeated.neutral("use_exp_switch", False)
    with Fields(fields.take("@variables"), f"{fields.path}.@variables") as variables:
        values = {key: variables.array(key, 3) for key in ("davg", "dstd")}
    values |= {key: as_tuple(fields.take(key)) for key in (*_SETTINGS, *_TEXTS)}
    values |= {key: fields.take(key, default) for key, default in _OPTIONAL.items()}
    values["exclude_types"] = pairs(fields.take("exclude_types", ()))
    return values


def read_nets(fields: Fields, key: str, values: dict[str, Any]) -> tuple[MLP, ...]:
    """Read the embedding networks of a descriptor with some settings."""
    return read_networks(
        fields.take(key), f"{fields.path}.{key}", [values["trainable"] is not False]
    )


def write_local(
    descriptor: LocalDescriptor, type_map: list[str], kind: str, version: int = 2
) -> dict[str, Any]:
    """Write the settings and statistics of a descriptor."""
    keys = (*_SETTINGS, *_TEXTS, *_OPTIONAL, "exclude_types")
    return {
        "@class": "Descriptor",
        "type": kind,
        "@version": version,
        **{key: as_list(getattr(descriptor, key)) for key in keys},
        "env_mat": {
            "rcut": descriptor.rcut,
            "rcut_smth": descriptor.rcut_smth,
            "protection": descriptor.env_protection,
            "use_exp_switch": False,
        },
        "@variables": {"davg": descriptor.davg, "dstd": descriptor.dstd},
        "type_map": type_map,
    }


def write_nets(descriptor: LocalDescriptor, nets: Any, ndim: int, n_in: int = 1) -> dict[str, Any]:
    """Write embedding networks of ``n_in`` numbers, which ``ndim`` types choose from."""
    keys = ("neuron", "activation_function", "resnet_dt", "precision")
    repeated = {key: as_list(getattr(descriptor, key)) for key in keys}
    common = {"in_dim": n_in, "bias": True} | repeated
    return write_networks(nets, descriptor.ntypes, ndim, "embedding_network", common)


def read_radial(fields: Fields) -> dict[str, Any]:
    """Read what descriptors of single neighbours are made of."""
    values = read_local(fields)
    fields.neutral("spin", None)
    values["type_one_side"] = fields.take("type_one_side")
    return values | {"nets": read_nets(fields, "embeddings", values)}


def write_radial(
    descriptor: RadialDescriptor, type_map: list[str], kind: str, **others: Any
) -> dict[str, Any]:
    """Write a descriptor of single neighbours."""
    ndim = 1 if descriptor.type_one_side else 2
    return {
        **write_local(descriptor, type_map, kind),
        "type_one_side": descriptor.type_one_side,
        **others,
        "spin": None,
        "embeddings": write_nets(descriptor, descriptor.nets, ndim),
    }


def built(kind: type[Kind], values: dict[str, Any], path: str) -> Kind:
    """Return the descriptor of what was read, once its settings are found to be of the right kinds."""
    settings = {f.name for f in dc.fields(kind) if "doc" in f.metadata}
    check_kinds(kind, {key: value for key, value in values.items() if key in settings}, path)
    return kind(**values)
