"""Frames: what users ask predictions for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Frame:
    """Atoms to predict for.

    Attributes:
        coord: coordinates, ``(atom, 3)``, Å.
        types: type indices, ``(atom,)``; -1 marks an atom that is not there.
        cell: lattice vectors as rows, ``(3, 3)``, Å, or None for open boundaries.
        pbc: along which lattice vectors the cell repeats.
        fparam: frame parameters, ``(n,)``.
        aparam: atomic parameters, ``(atom, n)``.
        spin: spins, ``(atom, 3)``.
        charge_spin: charge and spin multiplicity, ``(2,)``.
    """

    coord: Floats
    types: NDArray[np.int64]
    cell: Floats | None = None
    pbc: tuple[bool, bool, bool] = (True, True, True)
    fparam: Floats | None = None
    aparam: Floats | None = None
    spin: Floats | None = None
    charge_spin: Floats | None = None


def split(frames: Sequence[Frame], atoms: int) -> list[list[Frame]]:
    """Split frames into batches of at most about ``atoms`` atoms, one frame at least."""
    batches: list[list[Frame]] = []
    held = atoms
    for frame in frames:
        if held + len(frame.types) > atoms:
            batches.append([])
            held = 0
        batches[-1].append(frame)
        held += len(frame.types)
    return batches


Prediction = dict[str, NDArray[Any]]
