"""Pairs of neighbours."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dpcore.errors import DPError
from dpcore.neighbours.search import Candidates, candidates, order_of, usable_input


@dataclass(frozen=True)
class Pairs:
    """Hold the directed pairs (i, j, S) of a frame, displacement = r_j + S @ cell - r_i.

    Every pair appears in both directions. An atom pairs with its own images, never with itself.
    Rows are sorted by centre, distance, neighbour and displacement: the order is unique.

    Attributes:
        centre: (pair,) index i of the atom in the middle.
        neighbour: (pair,) index j of the atom around it.
        displacement: (pair, 3) from centre to neighbour, Å.
        distance: (pair,) length of the displacement, Å.
    """

    centre: NDArray[np.int64]
    neighbour: NDArray[np.int64]
    displacement: NDArray[np.float64]
    distance: NDArray[np.float64]


def neighbour_pairs(
    coord: ArrayLike,
    cell: ArrayLike | None = None,
    cutoff: float = 0.0,
    *,
    pbc: Sequence[bool] = (True, True, True),
    frame: int = 0,
) -> Pairs:
    """Find all pairs of atoms and periodic images closer than a cutoff.

    Args:
        coord: (atom, 3) positions, Å; atoms may lie outside the cell.
        cell: (3, 3) lattice vectors in rows, Å, or None for open boundaries. Vectors of
            non-periodic axes are ignored.
        cutoff: Distance below which a pair counts, Å. It has to be given, and may exceed the cell.
        pbc: Whether each lattice vector is periodic.
        frame: Number of the frame, for messages.

    Returns:
        The pairs.

    Raises:
        DPError: A shape, a number that is not finite or a flat cell is not usable.
    """
    places, box = usable_input(coord, cell, cutoff, pbc, frame)
    parts = [_sorted(found) for found in candidates(places, box, cutoff)]
    nothing = np.zeros(0, np.int64)
    parts.append(Pairs(nothing, nothing, np.zeros((0, 3)), np.zeros(0)))
    return Pairs(
        np.concatenate([part.centre for part in parts]),
        np.concatenate([part.neighbour for part in parts]),
        np.concatenate([part.displacement for part in parts]),
        np.concatenate([part.distance for part in parts]),
    )


def check_separation(pairs: Pairs, frame: int) -> None:
    """Refuse two atoms, or an atom and an image, at the same place.

    Args:
        pairs: The pairs of the frame.
        frame: Number of the frame, for the message.

    Raises:
        DPError: A distance is zero.
    """
    coincident = np.flatnonzero(pairs.distance == 0.0)
    if coincident.size:
        first = coincident[0]
        raise coincidence(int(pairs.centre[first]), int(pairs.neighbour[first]), frame)


def coincidence(first: int, second: int, frame: int) -> DPError:
    """Return the error of two atoms of a frame at the same place."""
    return DPError(
        f"frame {frame}: atoms {first} and {second} are at the same place; distances must be"
        " positive: remove the duplicate atom or check that the cell and the coordinates share"
        " their units"
    )


def _sorted(found: Candidates) -> Pairs:
    rows, _ = order_of(found.centre - found.start, found)
    return Pairs(
        found.centre[rows], found.neighbour[rows], found.displacement(rows), found.distance[rows]
    )
