"""What the dictionaries of all fittings share."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from dpcore.descriptors import Descriptor
from dpcore.errors import DPError
from dpcore.fittings import Fitting
from dpcore_serialization.deepmd.arrays import map_variables
from dpcore_serialization.deepmd.fields import Fields, as_list, as_tuple
from dpcore_serialization.deepmd.networks import read_networks, write_networks

_NETWORK = ("neuron", "activation_function", "resnet_dt", "precision")
_SETTINGS = (*_NETWORK, "numb_fparam", "numb_aparam", "exclude_types")
_STATISTICS = ("fparam_avg", "fparam_inv_std", "aparam_avg", "aparam_inv_std", "case_embd")


def read_body(fields: Fields, nets: Any = None) -> dict[str, Any]:
    """Read the settings, networks and statistics that every fitting has.

    Args:
        fields: the dictionary.
        nets: the networks, where they have been read.

    Returns:
        them by the names of the fields of :class:`dpcore.fittings.Fitting`.
    """
    fields.skip("type", "ntypes", "dim_descrpt", "type_map")
    fields.neutral("tot_ener_zero", False)
    fields.neutral("spin", None)
    values = {key: as_tuple(fields.take(key)) for key in _SETTINGS}
    values["rcond"] = fields.take("rcond", None)
    values["dim_case_embd"] = fields.take("dim_case_embd", 0)
    values["default_fparam"] = as_tuple(fields.take("default_fparam", None))
    values["nets"] = _read_nets(fields) if nets is None else nets
    if fields.take("mixed_types", False) and len(values["nets"]) > 1:
        raise DPError(
            f"{fields.path}.mixed_types: one network for all types, but there are {len(values['nets'])}"
        )
    return values


def _read_nets(fields: Fields) -> Any:
    trainable = fields.take("trainable", True)
    flags = trainable if isinstance(trainable, list) else [trainable is not False]
    path = f"{fields.path}.nets"
    return read_networks(_without_gaps(fields.take("nets")), path, flags)


def _without_gaps(data: Any) -> Any:
    """Return networks with zeros for those that are missing.

    Models of TensorFlow have no networks for types that do not have the property.
    """
    networks = data.get("networks") if isinstance(data, dict) else None
    if not isinstance(networks, list) or None not in networks:
        return data
    some = next((net for net in networks if net is not None), None)
    silent = map_variables(some, np.zeros_like)
    return data | {"networks": [silent if net is None else net for net in networks]}


def read_statistics(variables: Fields) -> dict[str, Any]:
    """Read the arrays that every fitting has."""
    values = {key: variables.optional_array(key, 1) for key in _STATISTICS}
    return values | {"bias_atom_e": variables.array("bias_atom_e", 2)}


def refuse_energy_settings(fields: Fields) -> None:
    """Read what only energies have: masked atoms, energies in vacuum and names of shared layers."""
    fields.neutral("use_aparam_as_mask", False)
    fields.neutral("atom_ener", None, [])
    names = fields.take("layer_name", None)
    if names is not None and any(names):
        raise DPError(f"{fields.path}.layer_name: sharing layers by name is not supported")


@dataclass(frozen=True)
class Kind:
    """What DeePMD-kit writes of a kind of fitting beside its settings.

    Attributes:
        type: its type.
        version: the version of its dictionary.
        variable: the name of what it gives.
        outputs: how many numbers the networks give.
    """

    type: str
    variable: str
    outputs: int
    version: int = 4


def write_body(
    kind: Kind, fitting: Fitting, type_map: list[str], descriptor: Descriptor
) -> dict[str, Any]:
    """Write the settings, networks and statistics that every fitting has."""
    repeated = {key: as_list(getattr(fitting, key)) for key in _NETWORK}
    n_in = fitting.input_width(descriptor.width)
    return {
        "@class": "Fitting",
        "type": kind.type,
        "@version": kind.version,
        "var_name": kind.variable,
        "ntypes": len(type_map),
        "dim_descrpt": descriptor.width,
        "dim_case_embd": fitting.dim_case_embd,
        "mixed_types": descriptor.mixed_types,
        **{key: as_list(getattr(fitting, key)) for key in _SETTINGS},
        "rcond": fitting.rcond,
        "default_fparam": as_list(fitting.default_fparam),
        "use_aparam_as_mask": False,
        "layer_name": None,
        "tot_ener_zero": False,
        "spin": None,
        "trainable": [layer.trainable for layer in fitting.nets[0].layers],
        "nets": write_networks(
            fitting.nets,
            len(type_map),
            0 if descriptor.mixed_types else 1,
            "fitting_network",
            {"in_dim": n_in, "out_dim": kind.outputs, "bias_out": True} | repeated,
        ),
        "@variables": {
            "bias_atom_e": fitting.bias_atom_e,
            **{key: getattr(fitting, key) for key in _STATISTICS},
        },
        "type_map": type_map,
    }
