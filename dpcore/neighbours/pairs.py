"""Pairs of neighbours."""

import importlib.util
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dpcore.errors import DPError, suggest
from dpcore.neighbours.cell import Box
from dpcore.neighbours.search import (
    Candidates,
    Wrapped,
    candidates,
    lattice,
    length,
    measured,
    order_of,
    usable_input,
)


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
    method: str = "auto",
    frame: int = 0,
) -> Pairs:
    """Find all pairs of atoms and periodic images closer than a cutoff.

    Args:
        coord: (atom, 3) positions, Å; atoms may lie outside the cell.
        cell: (3, 3) lattice vectors in rows, Å, or None for open boundaries. Vectors of
            non-periodic axes are ignored.
        cutoff: Distance below which a pair counts, Å. It has to be given, and may exceed the cell.
        pbc: Whether each lattice vector is periodic.
        method: ``numpy``, ``vesin`` (an optional package) or ``auto``, the faster one, ``numpy``.
        frame: Number of the frame, for messages.

    Returns:
        The pairs, the same to the last bit and in the same order for every method.

    Raises:
        DPError: A shape, a number that is not finite, a flat cell or the method is not usable.
    """
    places, box = usable_input(coord, cell, cutoff, pbc, frame)
    search = _search(method)
    parts = [_sorted(found) for found in search(places, box, cutoff)]
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


def _search(method: str) -> Callable[..., Iterator[Candidates]]:
    """Return the search to use."""
    names = ["auto", "numpy", "vesin"]
    if method not in names:
        raise DPError(f"neighbour search method {method!r} is unknown{suggest(method, names)}")
    if method == "vesin" and importlib.util.find_spec("vesin") is None:
        raise DPError(
            "neighbour search method 'vesin' needs the package vesin: pip install dpcore[fast],"
            " or use method 'numpy'"
        )
    return _vesin if method == "vesin" else candidates


def _vesin(coord: NDArray[np.float64], box: Box, cutoff: float) -> Iterator[Candidates]:
    """Search with the package vesin."""
    from vesin import NeighborList

    if not len(coord):
        return
    wrapped = Wrapped.of(coord, box, cutoff)
    pairs, steps = NeighborList(cutoff=wrapped.cutoff, full_list=True).compute(
        wrapped.coord, box.cell, box.pbc, "PS"
    )
    centre, neighbour = pairs.T.astype(np.int64, order="C")
    turns = wrapped.turns.take(centre, axis=1) - wrapped.turns.take(neighbour, axis=1)
    shift = steps.T.astype(np.int64, order="C") + turns
    moved = lattice(box.cell, shift) if box.pbc.any() else None
    step = measured(np.ascontiguousarray(coord.T), centre, neighbour, moved)
    distance = length(step)
    valid = (distance < cutoff) & ((centre != neighbour) | shift.any(axis=0))
    yield Candidates(0, len(coord), centre, neighbour, step, distance, valid)


def _sorted(found: Candidates) -> Pairs:
    rows, _ = order_of(found.centre - found.start, found)
    return Pairs(
        found.centre[rows], found.neighbour[rows], found.displacement(rows), found.distance[rows]
    )
