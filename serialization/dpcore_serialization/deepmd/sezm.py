"""Models of DPA-4 as DeePMD-kit's PyTorch backend writes them, with a wrapper of their own."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from dpcore.descriptors import DPA4
from dpcore.errors import DPError
from dpcore.fittings import GatedEnergyFitting
from dpcore.models import InnerPotential, LinearModel, Model, StandardModel
from dpcore_serialization.deepmd.fields import Fields
from dpcore_serialization.deepmd.native_spin import check_flags
from dpcore_serialization.deepmd.standard import read_standard

# What the wrapper says of a model without a repulsion.
_PLAIN = {
    "bridging_method": "NONE",
    "bridging_r_inner": 0.5,
    "bridging_r_outer": 0.8,
    "lora": None,
}


def read_sezm(data: Any, path: str) -> Model:
    """Read a model of DPA-4 in its wrapper."""
    with Fields(data, path) as fields:
        fields.skip("type")
        if fields.take("lora", None) is not None:
            raise DPError(
                f"{path}.lora: low-rank adapters are not supported; merge them into the weights first, as "
                "DeePMD-kit does in the checkpoint that it writes beside"
            )
        method = fields.take("bridging_method", "NONE")
        radii = {key: fields.take(f"bridging_{key}", None) for key in ("r_inner", "r_outer")}
        spin = fields.take("spin", None)
        model = _read_atomic(fields.take("atomic_model"), f"{path}.atomic_model")
    if spin is not None:
        check_flags(model, spin, path)
    elif model.magnetic:
        raise DPError(f"{path}.spin: missing, but the descriptor is told of spins")
    if str(method).lower() == "none":
        return model
    return _bridged(model, str(method), radii, path)


def _read_atomic(data: Any, path: str) -> StandardModel:
    """Read the model inside: a standard one with the state of another fitting beside."""
    if not isinstance(data, Mapping) or data.get("type") != "sezm_atomic":
        raise DPError(f"{path}.type: a table of the type 'sezm_atomic' is expected")
    inside = dict(data)
    version = inside.pop("@version", 2)
    if version not in {2, 3}:
        raise DPError(f"{path}: @version {version!r} is not understood; 2 and 3 are")
    if inside.pop("dens_fitting", None) is not None:
        raise DPError(f"{path}.dens_fitting: the fitting of denoised densities is not supported")
    mode = inside.pop("active_mode", None)
    if mode not in {None, "ener"}:
        raise DPError(f"{path}.active_mode: {mode!r} is not supported; allowed: ener")
    kept = {k: v for k, v in dict(inside.get("@variables", {})).items() if k != "dens_force_rmsd"}
    return read_standard(inside | {"@version": 2, "@variables": kept}, path)


def _bridged(model: StandardModel, method: str, radii: Mapping[str, Any], path: str) -> LinearModel:
    """Return a model with the repulsion of nuclei."""
    if not isinstance(model.descriptor, DPA4):
        raise DPError(f"{path}.bridging_method: a repulsion goes with the descriptor dpa4 alone")
    edges = model.descriptor.edges
    found = {key: getattr(edges, f"inner_clamp_{key}") for key in radii}
    if found != dict(radii):
        raise DPError(
            f"{path}.bridging_r_inner: {list(radii.values())}, but {list(found.values())} of the "
            "descriptor; both must agree"
        )
    types, ntypes = model.type_map, len(model.type_map)
    # This backend lets atoms of excluded types repel no one; in a sum of models they do.
    silent = tuple((s, t) for s in model.atom_exclude_types for t in range(ntypes))
    told = {"mode": method, "rcut": edges.rcut, "sel": edges.sel, "pair_exclude_types": silent}
    inner = InnerPotential.create(type_map=types, **told)
    return LinearModel.create(
        models=(model.with_(atom_exclude_types=(), pair_exclude_types=()), inner),
        type_map=types,
        weights="sum",
        atom_exclude_types=model.atom_exclude_types,
        pair_exclude_types=model.pair_exclude_types or edges.exclude_types,
    )


def needs_wrapper(model: Model) -> bool:
    """Return whether DeePMD-kit reads a model in the wrapper alone: that with a vector of the data set."""
    return (
        isinstance(model, StandardModel)
        and isinstance(model.descriptor, DPA4)
        and isinstance(model.fitting, GatedEnergyFitting)
        and model.fitting.dim_case_embd > 0
    )


def in_wrapper(data: dict[str, Any], model: Model) -> dict[str, Any]:
    """Return the dictionary of a standard model in the wrapper."""
    state = {"dens_force_rmsd": np.array(1.0)}
    inside = data | {"type": "sezm_atomic", "@version": 3, "dens_fitting": None}
    inside |= {"active_mode": "ener", "@variables": data["@variables"] | state}
    whole = {"@class": "Model", "@version": 1, "type": "SeZM", "atomic_model": inside, **_PLAIN}
    if not model.magnetic:
        return whole
    spin = {"use_spin": list(model.magnetic), "virtual_scale": None}
    return whole | {"type": "sezm_native_spin", "spin": spin}
