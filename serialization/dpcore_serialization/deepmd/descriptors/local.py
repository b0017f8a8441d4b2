"""What descriptors of environment rows have in common in DeePMD-kit's tables."""

import dataclasses as dc
from typing import Any, TypeVar

from dpcore.descriptors.local import LocalDescriptor
from dpcore.descriptors.radial import RadialDescriptor
from dpcore.nn import MLP
from dpcore.tree import Module, check_kinds
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
    values = read_statistics(fields)
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
        **write_environment(descriptor),
        "type_map": type_map,
    }


def read_statistics(fields: Fields) -> dict[str, Any]:
    """Read mean and deviation of environment rows."""
    with Fields(fields.take("@variables"), f"{fields.path}.@variables") as variables:
        return {key: variables.array(key, 3) for key in ("davg", "dstd")}


def write_environment(descriptor: LocalDescriptor) -> dict[str, Any]:
    """Write what the environment rows of a descriptor are made with, and their mean and deviation."""
    keys = ("rcut", "rcut_smth", "env_protection")
    return write_rows(descriptor, *(getattr(descriptor, key) for key in keys))


def write_rows(part: Any, rcut: float, rcut_smth: float, protection: float) -> dict[str, Any]:
    """Write what environment rows are made with, and their mean and deviation."""
    return {
        "env_mat": {
            "rcut": rcut,
            "rcut_smth": rcut_smth,
            "protection": protection,
            "use_exp_switch": False,
        },
        "@variables": {"davg": part.davg, "dstd": part.dstd},
    }


def write_nets(
    descriptor: LocalDescriptor, nets: Any, ndim: int, n_in: int = 1, ntypes: int | None = None
) -> dict[str, Any]:
    """Write embedding networks of ``n_in`` numbers, which ``ndim`` types choose from.

    Args:
        descriptor: has their settings.
        nets: the networks.
        ndim: how many types a network is chosen by.
        n_in: how many numbers it is given.
        ntypes: number of types, if the descriptor is a part of one that knows it.
    """
    keys = ("neuron", "activation_function", "resnet_dt", "precision")
    repeated = {key: as_list(getattr(descriptor, key)) for key in keys}
    common = {"in_dim": n_in, "bias": True} | repeated
    number = descriptor.ntypes if ntypes is None else ntypes
    return write_networks(nets, number, ndim, "embedding_network", common)


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
    return kind(**checked(kind, values, path))


def checked(kind: type[Module], values: dict[str, Any], path: str) -> dict[str, Any]:
    """Return values once the settings among them are found to be of the right kinds."""
    settings = {f.name for f in dc.fields(kind) if "doc" in f.metadata}
    check_kinds(kind, {key: value for key, value in values.items() if key in settings}, path)
    return values
