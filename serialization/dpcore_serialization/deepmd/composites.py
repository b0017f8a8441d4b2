"""Energies put together from those of other models, and tables of pair energies."""

from typing import Any

import numpy as np

from dpcore.errors import DPError
from dpcore.models import (
    FrozenModel,
    InnerPotential,
    LinearModel,
    Model,
    PairTable,
    StandardModel,
    ZBLModel,
)
from dpcore.models.biased import BiasedModel
from dpcore.tree import check_kinds
from dpcore_serialization.deepmd.biased import read_biased, write_biased
from dpcore_serialization.deepmd.fields import Fields, UnwritableError, as_list, as_tuple

_SWITCH = ("sw_rmin", "sw_rmax", "smin_alpha")


def read_linear(data: Any, path: str) -> LinearModel:
    """Read a weighted sum of energies."""
    with Fields(data, path, version=3) as fields:
        shared = read_biased(fields)
        weights = as_tuple(fields.take("weights", "mean"))
        models = _read_parts(fields)
    check_kinds(LinearModel, {"weights": weights}, path)
    return LinearModel(models=models, weights=weights, **shared)


def write_linear(model: LinearModel) -> dict[str, Any]:
    """Write a weighted sum of energies."""
    weights = as_list(model.weights)
    return write_biased(model, "linear", 3) | {
        "models": _write_parts(model.models),
        "weights": weights,
    }


def read_zbl(data: Any, path: str) -> ZBLModel:
    """Read an interpolation between a model and a table."""
    with Fields(data, path, version=2) as fields:
        shared = read_biased(fields)
        fields.skip("weights")
        switch = {key: fields.take(key) for key in _SWITCH}
        models = _read_parts(fields)
    check_kinds(ZBLModel, switch, path)
    return ZBLModel(models=models, **switch, **shared)


def write_zbl(model: ZBLModel) -> dict[str, Any]:
    """Write an interpolation between a model and a table.

    Raises:
        UnwritableError: the bias is not added to the table.
    """
    if not model.srtab_add_bias:
        raise UnwritableError("model.srtab_add_bias: DeePMD-kit's kinds of file know true alone")
    switch = {key: getattr(model, key) for key in _SWITCH}
    parts = {"models": _write_parts(model.models), "weights": "mean"}
    return write_biased(model, "zbl", 2) | parts | switch


def read_inner_potential(data: Any, path: str) -> InnerPotential:
    """Read the repulsion of nuclei."""
    with Fields(data, path) as fields:
        shared = read_biased(fields)
        settings = {key: as_tuple(fields.take(key)) for key in ("mode", "rcut", "sel")}
    check_kinds(InnerPotential, settings, path)
    return InnerPotential(**settings, **shared)


def write_inner_potential(model: InnerPotential) -> dict[str, Any]:
    """Write the repulsion of nuclei, which DeePMD-kit reads as a part of other models."""
    told = {"mode": model.mode, "rcut": model.rcut, "sel": as_list(model.sel)}
    return write_biased(model, "inner_potential", 1) | told


def read_pair_table(data: Any, path: str) -> PairTable:
    """Read a table of pair energies."""
    with Fields(data, path, version=2) as fields:
        shared = read_biased(fields)
        settings = {
            "rcut": fields.take("rcut"),
            "sel": as_tuple(fields.take("sel")),
            "tab_file": "",
        }
        with Fields(fields.take("tab"), f"{path}.tab") as table:
            table.skip("rmin", "rmax", "hh", "ntypes", "rcut", "nspline")
            with Fields(table.take("@variables"), f"{path}.tab.@variables") as variables:
                rows, grid = variables.array("vdata", 2), variables.array("tab_info", 1)
                cubics = np.asarray(variables.take("tab_data"))
    check_kinds(PairTable, settings, path)
    if grid.shape != (4,) or not np.isfinite(grid).all():
        raise DPError(f"{path}.tab.@variables.tab_info: four finite numbers are expected")
    intervals, ntypes = int(grid[2]), int(grid[3])
    if cubics.size != 4 * intervals * ntypes**2:
        raise DPError(
            f"{path}.tab.@variables.tab_data: {cubics.size} numbers; {ntypes} types and {intervals} "
            f"intervals need {4 * intervals * ntypes**2}"
        )
    return PairTable(
        lower=float(grid[0]),
        spacing=float(grid[1]),
        intervals=intervals,
        rows=rows,
        grid=grid,
        cubics=cubics.reshape(ntypes, ntypes, intervals, 4),
        **settings,
        **shared,
    )


def write_pair_table(model: PairTable) -> dict[str, Any]:
    """Write a table of pair energies, which DeePMD-kit reads as a part of other models."""
    table = {
        "@class": "PairTab",
        "@version": 1,
        "rmin": model.lower,
        "rmax": model.lower + model.spacing * model.intervals,
        "hh": model.spacing,
        "ntypes": len(model.type_map),
        "rcut": model.rcut,
        "nspline": model.intervals,
        "@variables": {"vdata": model.rows, "tab_info": model.grid, "tab_data": model.cubics},
    }
    return write_biased(model, "pairtab", 2) | {"tab": table, "rcut": model.rcut, "sel": model.most}


def write_frozen(model: FrozenModel) -> dict[str, Any]:
    """Write the model inside, as DeePMD-kit does.

    Raises:
        UnwritableError: its types have other names.
    """
    from dpcore_serialization.deepmd.models import write_model

    if model.type_map != model.model.type_map:
        raise UnwritableError(
            f"model.type_map: {list(model.type_map)} are not all types of {model.model_file}, "
            f"{list(model.model.type_map)}; DeePMD-kit's kinds of file know no other names"
        )
    return write_model(model.model)


def _read_parts(fields: Fields) -> tuple[Model, ...]:
    """Read the parts of a model."""
    parts = fields.take("models")
    if not isinstance(parts, list) or not parts:
        raise DPError(f"{fields.path}.models: a list of models is expected")
    return tuple(_read_part(part, f"{fields.path}.models.{i}") for i, part in enumerate(parts))


def _read_part(data: Any, path: str) -> Model:
    """Read a part of a model."""
    from dpcore_serialization.deepmd.models import read_model

    part = read_model(data, path)
    if not isinstance(part, BiasedModel):
        raise DPError(f"{path}.type: a model of type {part.type_name!r} is no part of others")
    return part


def _write_part(part: Model, path: str) -> dict[str, Any]:
    """Write a part of a model.

    Raises:
        UnwritableError: DeePMD-kit does not take it for a part, or leaves something of it out of account.
    """
    from dpcore_serialization.deepmd.models import write_part
    from dpcore_serialization.deepmd.sezm import needs_wrapper

    while isinstance(part, FrozenModel):
        part = part.model
    if isinstance(part, StandardModel) and not part.descriptor.mixed_types:
        raise UnwritableError(
            f"{path}: the descriptor {part.descriptor.type_name!r} does not mix types; DeePMD-kit takes "
            "no such part"
        )
    if needs_wrapper(part):
        raise UnwritableError(
            f"{path}.fitting_net.dim_case_embd: DeePMD-kit takes no such part of this descriptor"
        )
    for key in ("atom_exclude_types", "pair_exclude_types"):
        if getattr(part, key, ()):
            raise UnwritableError(
                f"{path}.{key}: some of DeePMD-kit's backends leave it out of account in a part; name the "
                "types in the whole model"
            )
    return write_part(part)


def _write_parts(models: tuple[Model, ...]) -> list[dict[str, Any]]:
    return [_write_part(part, f"model.models.{i}") for i, part in enumerate(models)]
