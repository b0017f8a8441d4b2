"""Fittings with the values of variables."""

from functools import singledispatch
from typing import Any

import numpy as np

from dpcore.fittings.dipole import DipoleFitting
from dpcore.fittings.dos import DOSFitting
from dpcore.fittings.energy import EnergyFitting
from dpcore.fittings.fitting import Fitting
from dpcore.fittings.polar import PolarFitting
from dpcore.nn import MLP
from dpcore_serialization.tensorflow1.networks import fitting_net, silent
from dpcore_serialization.tensorflow1.variables import Variables


@singledispatch
def filled(fitting: Fitting, variables: Variables, *, mixed: bool) -> Any:  # noqa: ARG001
    """Return a fitting with the values of variables.

    Args:
        fitting: the fitting, with other values.
        variables: the variables.
        mixed: whether one network serves all types.

    Raises:
        DPError: a variable is missing, damaged or of another shape, or such a fitting cannot be read.
    """
    raise variables.error(f"fittings of type {fitting.type_name!r} cannot be read from variables")


@filled.register
def _(fitting: EnergyFitting, variables: Variables, *, mixed: bool) -> Any:
    bias = variables.optional("fitting_attr.t_bias_atom_e", (fitting.ntypes,))
    bias = np.zeros(fitting.ntypes) if bias is None else bias
    return _common(fitting, variables, mixed=mixed).with_(bias_atom_e=bias[:, None])


@filled.register
def _(fitting: DOSFitting | DipoleFitting, variables: Variables, *, mixed: bool) -> Any:
    return _common(fitting, variables, mixed=mixed)


@filled.register
def _(fitting: PolarFitting, variables: Variables, *, mixed: bool) -> Any:
    mean = variables.take("fitting_attr.t_constant_matrix", (fitting.ntypes,))
    scale, shifts = np.array(fitting.scales), mixed and fitting.shift_diag
    selected = [t for t in range(fitting.ntypes) if t not in fitting.exclude_types]
    if not mixed:
        # Networks of their own find their numbers by their place among the selected types.
        shifts = bool(np.any(mean[: len(selected)]))
        for numbers in (mean, scale):
            numbers[selected] = numbers[: len(selected)].copy()
    if shifts and not np.all(scale[selected]):
        raise variables.error("fitting_net.scale: is 0 for a type whose polarizability is shifted")
    filled = _common(fitting, variables, mixed=mixed)
    if not fitting.fit_diag:
        filled = filled.with_(nets=tuple(_doubled(net) for net in filled.nets))
    # There the mean is added after scaling.
    constant = np.divide(mean, scale, out=np.zeros_like(mean), where=scale != 0.0)
    return filled.with_(constant_matrix=constant, scale=tuple(scale.tolist()), shift_diag=shifts)


def _common(fitting: Fitting, variables: Variables, *, mixed: bool) -> Any:
    """Return a fitting with the values of its networks, and the statistics of its parameters."""
    nets = []
    for t, net in enumerate(fitting.nets):
        suffix = "" if mixed else f"_type_{t}"
        unasked = t in fitting.exclude_types and not mixed
        absent = not variables.has(f"final_layer{suffix}.matrix")
        nets.append(silent(net) if unasked and absent else fitting_net(net, variables, suffix))
    changes: dict[str, Any] = {"nets": tuple(nets)}
    kinds = ["fparam"] if getattr(fitting, "use_aparam_as_mask", False) else ["fparam", "aparam"]
    for kind in kinds:
        for ours, theirs in {"avg": "avg", "inv_std": "istd"}.items():
            old, name = getattr(fitting, f"{kind}_{ours}"), f"fitting_attr.t_{kind}_{theirs}"
            if old is not None:
                changes[f"{kind}_{ours}"] = variables.take(name, old.shape).astype(old.dtype)
    return fitting.with_(**changes)


def _doubled(net: MLP) -> MLP:
    """Return a network of twice the numbers: there a matrix and its transpose are summed, here averaged."""
    last = net.layers[-1]
    last = last.with_(weight=2.0 * last.weight, bias=2.0 * last.bias)
    return MLP(layers=(*net.layers[:-1], last))
