"""The shortest distance in data systems."""

import numpy as np
import pytest

from dpcore.data import System
from dpcore.data.distances import shortest_distance
from dpcore.errors import DPError

RNG = np.random.default_rng(4)
CELL = np.array([[6.0, 0.0, 0.0], [1.0, 5.5, 0.0], [-0.5, 0.8, 6.5]])


def system(coord, cell=None, types=None):
    nframes, natoms = coord.shape[:2]
    cells = None if cell is None else np.tile(cell, (nframes, 1, 1))
    types = np.zeros(natoms, int) if types is None else types
    return System("here", types, coord, cells, {})


def by_hand(coord, cell=None):
    """Return the shortest distance of one frame, over 27 cells."""
    shifts = [np.zeros(3)]
    if cell is not None:
        shifts = [np.array([i, j, k]) @ cell for i, j, k in np.ndindex(3, 3, 3)]
        shifts = [s - cell.sum(axis=0) for s in shifts]
    distances = [
        np.linalg.norm(a - b - shift)
        for i, a in enumerate(coord)
        for j, b in enumerate(coord)
        for shift in shifts
        if i != j or shift.any()
    ]
    return min(distances)


@pytest.mark.parametrize("cell", [None, CELL], ids=["open", "periodic"])
def test_any_frame_of_any_system(cell):
    frames = RNG.uniform(0, 1, (5, 6, 3)) @ CELL
    expected = min(by_hand(frame, cell) for frame in frames)
    systems = (system(frames[i : i + 2], cell) for i in (0, 2, 4))
    assert shortest_distance(systems, 6.0) == pytest.approx(expected, rel=1e-12)


def test_atoms_that_are_not_there_do_not_count():
    coord = np.array([[[0.0, 0, 0], [0.1, 0, 0], [2.0, 0, 0]]])
    types = np.array([[0, -1, 1]])
    assert shortest_distance([system(coord, types=types)], 6.0) == pytest.approx(2.0)


def test_nothing_within_the_cutoff():
    coord = np.array([[[0.0, 0, 0], [7.0, 0, 0]]])
    assert shortest_distance([system(coord)], 6.0) is None
    assert shortest_distance([], 6.0) is None


def test_two_atoms_at_the_same_place():
    with pytest.raises(DPError, match="here: frame 1: atoms 0 and 1"):
        shortest_distance([system(np.array([[[0.0, 0, 0], [1, 0, 0]], [[2, 0, 0]] * 2]))], 6.0)
