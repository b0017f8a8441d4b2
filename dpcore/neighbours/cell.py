"""Simulation cells and the checks that coordinates and cells pass before a search."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dpcore.errors import DPError

_FLATTEST = 1e-8
"""Smallest volume of a usable cell, in units of the product of its edge lengths."""
_DENSEST = 100.0
"""Most atoms in a volume, 1/Å^3; matter has less than a hundredth of it."""


@dataclass(frozen=True)
class Box:
    """Hold a cell that has a volume.

    Attributes:
        cell: (3, 3) lattice vectors in rows, Å; unit normals of the others where there is no period.
        pbc: (3,) whether each lattice vector is a period.
    """

    cell: NDArray[np.float64]
    pbc: NDArray[np.bool_]


def volume(cell: NDArray[np.float64]) -> float:
    """Return the volume of a cell, positive for either handedness.

    Args:
        cell: (3, 3) lattice vectors in rows, Å.

    Returns:
        The volume, Å^3.
    """
    return float(abs(np.linalg.det(cell)))


def heights(cell: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the distances between opposite faces of a cell.

    Args:
        cell: (3, 3) lattice vectors in rows, Å.

    Returns:
        (3,) height along the normal of the face that each lattice vector leaves, Å.
    """
    faces = np.cross(np.roll(cell, -1, axis=0), np.roll(cell, -2, axis=0))
    return np.asarray(volume(cell) / np.linalg.norm(faces, axis=1), dtype=np.float64)


def complete_cell(cell: NDArray[np.float64] | None, pbc: Sequence[bool]) -> NDArray[np.float64]:
    """Replace the lattice vectors of non-periodic axes by unit normals of the periodic ones.

    Args:
        cell: (3, 3) lattice vectors in rows, Å, or None for open boundaries.
        pbc: Whether each axis is periodic.

    Returns:
        (3, 3) a cell with a volume whenever the periodic vectors are independent, Å. A cell whose
        periodic vectors are not finite comes back as it is, for `check_cell` to refuse.
    """
    periodic = np.asarray(pbc, dtype=np.bool_)
    if cell is None or not periodic.any():
        return np.eye(3)
    if periodic.all() or not np.isfinite(cell[periodic]).all():
        return cell
    whole = np.where(periodic[:, None], cell, 0.0)
    # The right singular vectors beyond the rank span what is normal to the periodic vectors.
    _, _, directions = np.linalg.svd(whole)
    whole[~periodic] = directions[np.count_nonzero(periodic) :]
    return whole


def usable_box(cell: ArrayLike | None, pbc: Sequence[bool], frame: int) -> Box:
    """Check a cell and complete its non-periodic axes.

    Args:
        cell: (3, 3) lattice vectors in rows, Å, or None for open boundaries.
        pbc: Whether each axis is periodic.
        frame: Number of the frame, for messages.

    Returns:
        The box.

    Raises:
        DPError: A shape is wrong, or the cell has no volume.
    """
    periodic = np.asarray(pbc, dtype=np.bool_)
    if periodic.shape != (3,):
        raise DPError(f"frame {frame}: pbc has shape {periodic.shape}; give three booleans")
    if cell is None:
        return Box(np.eye(3), np.zeros(3, dtype=np.bool_))
    given = np.asarray(cell, dtype=np.float64)
    if given.shape != (3, 3):
        raise DPError(f"frame {frame}: the cell has shape {given.shape}; give (3, 3)")
    whole = complete_cell(given, pbc)
    check_cell(whole, frame)
    return Box(whole, periodic)


def check_cell(cell: NDArray[np.float64], frame: int) -> None:
    """Refuse a cell that is not finite or has no volume.

    Args:
        cell: (3, 3) lattice vectors in rows, Å.
        frame: Number of the frame, for the message.

    Raises:
        DPError: A component is NaN or infinite, or the volume is below 1e-8 of the product of
            the edge lengths.
    """
    if not np.isfinite(cell).all():
        what = "is not finite"
    elif volume(cell) <= _FLATTEST * float(np.prod(np.linalg.norm(cell, axis=1))):
        what = "has no volume; three independent lattice vectors are needed"
    else:
        return
    found = np.array2string(cell, separator=", ").replace("\n", "")
    raise DPError(
        f"frame {frame}: the cell {found} {what}: pass cells=None for open boundaries or correct"
        " the cell"
    )


def check_coordinates(coord: NDArray[np.float64], frame: int) -> None:
    """Refuse coordinates that are not finite.

    Args:
        coord: (atom, 3) positions, Å.
        frame: Number of the frame, for the message.

    Raises:
        DPError: A component is NaN or infinite.
    """
    finite = np.isfinite(coord).all(axis=1)
    if not finite.all():
        atom = int(np.argmin(finite))
        raise DPError(
            f"frame {frame}, atom {atom}: the position {coord[atom].tolist()} is not finite;"
            " every coordinate must be a finite number in Å: correct or drop the frame"
        )


def check_density(natoms: int, box: Box, frame: int) -> None:
    """Refuse more atoms than a cell can hold, whose neighbours would be without number.

    Args:
        natoms: Number of atoms.
        box: The cell.
        frame: Number of the frame, for the message.

    Raises:
        DPError: There are more than 100 atoms in a cubic ångström of a periodic cell.
    """
    if box.pbc.all() and natoms > _DENSEST * volume(box.cell):
        raise DPError(
            f"frame {frame}: {natoms} atoms in a cell of {volume(box.cell):.3g} Å^3; check that the cell"
            " is in Å and has the right shape"
        )
