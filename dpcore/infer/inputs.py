"""From the arrays users pass to frames, in every form that DeePMD-kit's Python calls accept."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from dpcore.errors import DPError
from dpcore.frames import Floats, Frame
from dpcore.models import Model
from dpcore.neighbours.cell import check_cell, check_coordinates
from dpcore.nn.charge_spin import check_state


def frames_from_arrays(
    model: Model,
    coords: ArrayLike,
    cells: ArrayLike | None,
    atom_types: ArrayLike,
    fparam: ArrayLike | None = None,
    aparam: ArrayLike | None = None,
    *,
    spin: ArrayLike | None = None,
    charge_spin: ArrayLike | None = None,
    pbc: Sequence[bool] = (True, True, True),
    mixed_type: bool = False,
) -> list[Frame]:
    """Check user input and split it into frames.

    Args:
        model: the model that the input is for.
        coords: ``(frame, atom, 3)`` or flat in any way, Å.
        cells: ``(frame, 3, 3)`` or ``(frame, 9)``, Å; None for open boundaries.
        atom_types: ``(atom,)``, or ``(frame, atom)`` with -1 for atoms that are not there.
        fparam: ``(frame, n)``, or ``(n,)`` for all frames.
        aparam: ``(frame, atom, n)``, ``(atom, n)`` for all frames, or ``(n,)`` for all atoms.
        spin: ``(frame, atom, 3)`` or ``(atom, 3)`` for all frames.
        charge_spin: charge and spin multiplicity, ``(frame, 2)`` or ``(2,)`` for all frames.
        pbc: along which lattice vectors the cells repeat.
        mixed_type: read flat ``atom_types`` as one row for each frame.

    Raises:
        DPError: shapes that do not fit, values that are not finite, unknown types.
    """
    if mixed_type and np.ndim(atom_types) == 1:
        atom_types = np.reshape(atom_types, (len(np.atleast_2d(coords)), -1))
    types = _types(atom_types, len(model.type_map))
    coord = _coordinates(coords, types.shape[-1])
    nframes, natoms = coord.shape[:2]
    if types.ndim == 2 and len(types) != nframes:
        raise DPError(
            f"atom_types: {len(types)} rows for {nframes} frames of {natoms} atoms; "
            "give one row for each frame or one for all"
        )
    types = np.broadcast_to(types, (nframes, natoms))
    cell = None if cells is None else _cells(cells, nframes)
    frame_parameters = _fparam(model, fparam, nframes)
    atom_parameters = _aparam(model, aparam, nframes, natoms)
    spins = _spin(model, spin, nframes, natoms)
    states = _charge_spin(model, charge_spin, nframes)
    for number in range(nframes):
        check_coordinates(coord[number][types[number] >= 0], number)
        if cell is not None and all(pbc):
            check_cell(cell[number], number)
    a, b, c = (bool(p) for p in pbc)
    return [
        Frame(
            coord[i],
            types[i],
            None if cell is None else cell[i],
            (a, b, c),
            None if frame_parameters is None else frame_parameters[i],
            None if atom_parameters is None else atom_parameters[i],
            None if spins is None else spins[i],
            None if states is None else states[i],
        )
        for i in range(nframes)
    ]


def _types(atom_types: ArrayLike, ntypes: int) -> np.ndarray:
    types = np.asarray(atom_types)
    if types.ndim not in {1, 2} or types.shape[-1] == 0:
        raise DPError(f"atom_types: shape {types.shape}; give (natoms,) or (nframes, natoms)")
    whole = types.astype(np.int64, copy=False) if types.dtype.kind in "iuf" else None
    if whole is None or not np.array_equal(whole, types):
        raise DPError("atom_types: the values are not whole numbers; give type indices")
    if whole.max() >= ntypes or whole.min() < -1:
        atom = np.argwhere((whole >= ntypes) | (whole < -1))[0]
        raise DPError(
            f"atom_types: atom {atom[-1]} has type {whole[tuple(atom)]}; the model knows types "
            f"0 … {ntypes - 1} (and -1 for an atom that is not there)"
        )
    return whole


def _floats(values: Any, name: str) -> Floats:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise DPError(f"{name}: not an array of numbers; give equal rows of numbers") from None


def _coordinates(coords: ArrayLike, natoms: int) -> Floats:
    coord = _floats(coords, "coords")
    if coord.size == 0 or coord.size % (3 * natoms):
        raise DPError(
            f"coords: shape {coord.shape} holds {coord.size} numbers, not a multiple of "
            f"3 × {natoms} atoms of atom_types"
        )
    if coord.ndim == 3 and coord.shape[1:] != (natoms, 3):
        raise DPError(f"coords: shape {coord.shape}; give (nframes, {natoms}, 3)")
    return coord.reshape(-1, natoms, 3)


def _cells(cells: ArrayLike, nframes: int) -> Floats:
    cell = _floats(cells, "cells")
    if cell.size not in {9, 9 * nframes}:
        raise DPError(
            f"cells: shape {cell.shape} does not fit {nframes} frames; give ({nframes}, 9), or None "
            "for open boundaries"
        )
    return np.broadcast_to(cell.reshape(-1, 3, 3), (nframes, 3, 3))


def _fparam(model: Model, fparam: ArrayLike | None, nframes: int) -> Floats | None:
    told = model.conditions
    width, default = told.numb_fparam, told.default_fparam
    if not width:
        _refuse("fparam", fparam)
        return None
    if fparam is None and default is None:
        raise DPError(f"fparam: the model needs {width} frame parameters; pass fparam=")
    values = _floats(default if fparam is None else fparam, "fparam")
    if values.size not in {width, nframes * width}:
        raise DPError(
            f"fparam: shape {values.shape} does not fit; give ({nframes}, {width}) or ({width},)"
        )
    return _finite(np.broadcast_to(values.reshape(-1, width), (nframes, width)), "fparam")


def _aparam(model: Model, aparam: ArrayLike | None, nframes: int, natoms: int) -> Floats | None:
    width = model.conditions.numb_aparam
    if not width:
        _refuse("aparam", aparam)
        return None
    if aparam is None:
        raise DPError(f"aparam: the model needs {width} atomic parameters; pass aparam=")
    values, full = _floats(aparam, "aparam"), (nframes, natoms, width)
    for sizes in (full, (1, natoms, width), (1, 1, width)):
        if values.size == np.prod(sizes):
            return _finite(np.broadcast_to(values.reshape(sizes), full), "aparam")
    raise DPError(
        f"aparam: shape {values.shape} does not fit; give {full}, {full[1:]} or ({width},)"
    )


def _spin(model: Model, spin: ArrayLike | None, nframes: int, natoms: int) -> Floats | None:
    if not model.conditions.spin:
        if spin is not None and np.size(spin):
            raise DPError("spin: the model takes none; leave it out")
        return None
    if spin is None:
        raise DPError("spin: the model needs the spins of the atoms; pass spin=")
    values, full = _floats(spin, "spin"), (nframes, natoms, 3)
    if values.size not in {3 * natoms, 3 * nframes * natoms}:
        raise DPError(f"spin: shape {values.shape} does not fit; give {full} or {full[1:]}")
    return np.broadcast_to(values.reshape(-1, natoms, 3), full)


def _charge_spin(model: Model, charge_spin: ArrayLike | None, nframes: int) -> Floats | None:
    told = model.conditions
    if not told.charge_spin:
        if charge_spin is not None and np.size(charge_spin):
            raise DPError("charge_spin: the model takes none (add_chg_spin_ebd); leave it out")
        return None
    given = told.default_chg_spin if charge_spin is None else charge_spin
    if given is None:
        raise DPError(
            "charge_spin: the model needs the charge and the spin multiplicity of frames; pass "
            "charge_spin="
        )
    values = _floats(given, "charge_spin")
    if values.size not in {2, 2 * nframes}:
        raise DPError(
            f"charge_spin: shape {values.shape} does not fit; give ({nframes}, 2) or (2,)"
        )
    states = values.reshape(-1, 2)
    for number, state in enumerate(states):
        check_state(tuple(state), f"charge_spin: frame {number}")
    return np.broadcast_to(states, (nframes, 2))


def _refuse(name: str, values: Any) -> None:
    if values is not None and np.size(values):
        raise DPError(f"{name}: the model takes none (numb_{name} = 0); leave it out")


def _finite(values: Floats, name: str) -> Floats:
    if not np.isfinite(values).all():
        frame = int(np.argwhere(~np.isfinite(values))[0][0])
        raise DPError(f"{name}: frame {frame} has a value that is not finite")
    return values
