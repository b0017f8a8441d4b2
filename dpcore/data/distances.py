"""Distances between the atoms of data systems."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from dpcore.data.system import System
from dpcore.errors import DPError
from dpcore.neighbours import check_separation, neighbour_pairs


def shortest_distance(systems: Iterable[System], cutoff: float) -> float | None:
    """Return the distance of the two closest atoms, images included, in any frame.

    Args:
        systems: the data; a generator may load one system at a time.
        cutoff: how far to look, Å.

    Returns:
        The distance, Å, or None if no two atoms are closer than the cutoff.

    Raises:
        DPError: two atoms at the same place, or coordinates or cells that are not usable.
    """
    shortest: float | None = None
    for system in systems:
        try:
            for frame in range(system.nframes):
                # Nothing beyond what was found so far is of interest.
                found = _shortest(system, frame, shortest or cutoff)
                shortest = shortest if found is None else found
        except DPError as error:
            raise DPError(f"{system.path}: {error}") from error
    return shortest


def _shortest(system: System, frame: int, cutoff: float) -> float | None:
    real: NDArray[np.bool_] = np.broadcast_to(system.atom_types, system.coord.shape[:2])[frame] >= 0
    cell = None if system.cell is None else system.cell[frame]
    pairs = neighbour_pairs(system.coord[frame][real], cell, cutoff, frame=frame)
    check_separation(pairs, frame)
    return float(pairs.distance.min()) if len(pairs.distance) else None
