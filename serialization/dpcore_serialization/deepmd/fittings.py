"""Fitting networks."""

from collections.abc import Callable
from typing import Any

from dpcore.errors import DPError, suggest
from dpcore.fittings import EnergyFitting
from dpcore.tree import check_kinds
from dpcore_serialization.deepmd.fields import Fields, as_list, as_tuple
from dpcore_serialization.deepmd.networks import read_networks, write_networks

_SETTINGS = (
    "neuron",
    "activation_function",
    "resnet_dt",
    "precision",
    "numb_fparam",
    "numb_aparam",
    "exclude_types",
    "rcond",
)
_STATISTICS = ("fparam_avg", "fparam_inv_std", "aparam_avg", "aparam_inv_std")


def read_energy(data: Any, path: str) -> EnergyFitting:
    """Read the fitting of the energy."""
    with Fields(data, path, version=4) as fields:
        fields.skip("type", "var_name", "ntypes", "dim_descrpt", "type_map", "dim_out")
        fields.neutral("mixed_types", False)
        fields.neutral("dim_case_embd", 0)
        fields.neutral("tot_ener_zero", False)
        fields.neutral("spin", None)
        trainable = fields.take("trainable", True)
        flags = trainable if isinstance(trainable, list) else [trainable is not False]
        nets = read_networks(fields.take("nets"), f"{path}.nets", flags)
        values = {key: as_tuple(fields.take(key)) for key in _SETTINGS}
        values["default_fparam"] = as_tuple(fields.take("default_fparam", None))
        values["atom_ener"] = as_tuple(fields.take("atom_ener", None)) or ()
        values["use_aparam_as_mask"] = bool(fields.take("use_aparam_as_mask", False))
        values["layer_name"] = as_tuple(fields.take("layer_name", None))
        with Fields(fields.take("@variables"), f"{path}.@variables") as variables:
            variables.neutral("case_embd", None)
            statistics = {key: variables.optional_array(key, 1) for key in _STATISTICS}
            bias = variables.array("bias_atom_e", 2)
    check_kinds(EnergyFitting, values, path)
    return EnergyFitting(nets=nets, bias_atom_e=bias, **statistics, **values)


def write_energy(fitting: EnergyFitting, type_map: list[str], width: int) -> dict[str, Any]:
    """Write the fitting of the energy."""
    n_in = width + fitting.numb_fparam + (0 if fitting.use_aparam_as_mask else fitting.numb_aparam)
    repeated = {
        "neuron": list(fitting.neuron),
        "activation_function": fitting.activation_function,
        "resnet_dt": fitting.resnet_dt,
        "precision": fitting.precision,
    }
    return {
        "@class": "Fitting",
        "type": "ener",
        "@version": 4,
        "var_name": "energy",
        "ntypes": len(type_map),
        "dim_descrpt": width,
        "dim_out": 1,
        "dim_case_embd": 0,
        "mixed_types": False,
        **{key: as_list(getattr(fitting, key)) for key in _SETTINGS},
        "default_fparam": as_list(fitting.default_fparam),
        "atom_ener": as_list(fitting.atom_ener) or None,
        "use_aparam_as_mask": fitting.use_aparam_as_mask,
        "layer_name": as_list(fitting.layer_name),
        "tot_ener_zero": False,
        "spin": None,
        "trainable": [layer.trainable for layer in fitting.nets[0].layers],
        "nets": write_networks(
            fitting.nets,
            len(type_map),
            1,
            "fitting_network",
            {"in_dim": n_in, "out_dim": 1, "bias_out": True} | repeated,
        ),
        "@variables": {
            "bias_atom_e": fitting.bias_atom_e,
            "case_embd": None,
            **{key: getattr(fitting, key) for key in _STATISTICS},
        },
        "type_map": type_map,
    }


READERS: dict[str, Callable[[Any, str], EnergyFitting]] = {"ener": read_energy}
WRITERS: dict[type, Callable[[Any, list[str], int], dict[str, Any]]] = {EnergyFitting: write_energy}


def read_fitting(data: Any, path: str) -> EnergyFitting:
    """Read a fitting of any supported type."""
    kind = data.get("type") if isinstance(data, dict) else None
    if kind not in READERS:
        raise DPError(
            f"{path}.type: the fitting {kind!r} is not supported{suggest(str(kind), READERS)}"
        )
    return READERS[kind](data, path)


def write_fitting(fitting: EnergyFitting, type_map: list[str], width: int) -> dict[str, Any]:
    """Write a fitting."""
    return WRITERS[type(fitting)](fitting, type_map, width)
