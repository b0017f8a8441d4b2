"""One-line errors for settings of fittings that have no meaning, and for arrays that do not fit them."""

from collections.abc import Mapping
from dataclasses import MISSING
from typing import TYPE_CHECKING, Any

from dpcore.errors import DPError, suggest
from dpcore.nn import activation
from dpcore.nn.precision import numpy_dtype
from dpcore.xp import shape

if TYPE_CHECKING:
    from dpcore.fittings.fitting import Fitting


def check_trainable(trainable: tuple[bool, ...] | bool, layers: int) -> None:
    """Refuse flags that are not one for each layer."""
    if not isinstance(trainable, bool) and len(trainable) != layers:
        raise DPError(f"fitting_net.trainable: {len(trainable)} flags for {layers} layers")


def check_settings(cls: type["Fitting"], settings: Mapping[str, Any]) -> None:
    """Refuse settings that are unknown or missing, and sizes that no array has."""
    for key in settings.keys() - cls.__dataclass_fields__.keys():
        raise DPError(
            f"fitting_net.{key}: a fitting of type {cls.type_name!r} has no such setting"
            f"{suggest(key, cls.__dataclass_fields__)}"
        )
    for key, field in cls.__dataclass_fields__.items():
        if "doc" in field.metadata and settings[key] is MISSING:
            raise DPError(f"fitting_net.{key}: a fitting of type {cls.type_name!r} needs one")
    sizes = {key: (settings[key], 0) for key in ("numb_fparam", "numb_aparam", "dim_case_embd")}
    sizes |= {key: (settings[key], 1) for key in cls.sizes}
    sizes |= {"neuron": (min(settings["neuron"], default=1), 1)}
    for key, (found, least) in sizes.items():
        if found < least:
            raise DPError(f"fitting_net.{key}: {found}; at least {least} is needed")


def check_fitting(fitting: "Fitting") -> None:
    """Check the settings that all fittings have, and their arrays."""
    activation(fitting.activation_function)
    numpy_dtype(fitting.precision)
    check_settings(type(fitting), vars(fitting))
    _check_parameters(fitting)
    if not fitting.nets:
        raise DPError("fitting.nets: no networks; one for all types or one for each is needed")
    if len(fitting.nets) not in {1, fitting.ntypes}:
        raise DPError(
            f"fitting.nets: {len(fitting.nets)} networks for the {fitting.ntypes} types of bias_atom_e"
        )
    check_types("exclude_types", fitting.exclude_types, fitting.ntypes)
    check_shapes(
        fitting,
        bias_atom_e=(fitting.ntypes, fitting.nets[0].widths[1]),
        fparam_avg=(fitting.numb_fparam,),
        fparam_inv_std=(fitting.numb_fparam,),
        aparam_avg=(fitting.numb_aparam,),
        aparam_inv_std=(fitting.numb_aparam,),
        case_embd=(fitting.dim_case_embd,),
    )


def _check_parameters(fitting: "Fitting") -> None:
    default = fitting.default_fparam
    if default is not None and len(default) != fitting.numb_fparam:
        raise DPError(
            f"fitting_net.default_fparam: {len(default)} values for numb_fparam = {fitting.numb_fparam}"
        )


def check_types(key: str, types: tuple[int, ...], ntypes: int) -> None:
    """Refuse types that do not exist."""
    for t in types:
        if not 0 <= t < ntypes:
            raise DPError(f"fitting_net.{key}: there is no type {t}; allowed: 0 … {ntypes - 1}")


def check_shapes(fitting: "Fitting", **needed: tuple[Any, ...]) -> None:
    """Refuse buffers that are not of the needed shape."""
    for key, sizes in needed.items():
        value = getattr(fitting, key)
        found = (0,) if value is None else shape(value)
        if found != sizes:
            raise DPError(f"fitting.{key}: shape {found}; these settings need {sizes}")


def check_nets(fitting: "Fitting", n_in: int, n_out: int, *, mixed: bool) -> None:
    """Refuse networks that a descriptor cannot feed, or that do not give what is fitted."""
    needed = 1 if mixed else fitting.ntypes
    if len(fitting.nets) != needed:
        raise DPError(
            f"fitting.nets: {len(fitting.nets)} networks; this descriptor and {fitting.ntypes} types "
            f"need {needed}"
        )
    for i, net in enumerate(fitting.nets):
        if net.widths != (n_in, n_out):
            raise DPError(
                f"fitting.nets.{i}: from {net.widths[0]} to {net.widths[1]}; these settings need from "
                f"{n_in} to {n_out}"
            )
