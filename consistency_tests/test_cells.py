"""Periodic boundaries of every kind against systems without them, and against larger cells."""

import dataclasses as dc
import itertools

import numpy as np
import pytest
from example_models import BY_NAME, CELL, PAIRWISE
from harness import FRAMEWORKS, Backend, assert_close, assert_same

from dpcore.frames import Frame

TOLERANCE = 1e-10
UNRANKED = [e for e in PAIRWISE if not e.ranked]
EVERY = pytest.mark.parametrize("example", PAIRWISE, ids=str)


def copies(frame, counts):
    """Return the atoms of a frame and those of its images, the frame's own first, without a cell."""
    ranges = [range(-n, n + 1) for n in counts]
    shifts = sorted(itertools.product(*ranges), key=lambda s: sum(map(abs, s)))
    coord = np.concatenate([frame.coord + np.array(s) @ frame.cell for s in shifts])
    return repeated(frame, coord, None)


def supercell(frame, counts):
    """Return a frame repeated along its lattice vectors."""
    shifts = list(itertools.product(*map(range, counts)))
    coord = np.concatenate([frame.coord + np.array(s) @ frame.cell for s in shifts])
    return repeated(frame, coord, np.diag(counts) @ frame.cell)


def repeated(frame, coord, cell):
    """Return a frame of so many atoms in a row that are those of another over and over."""
    times = len(coord) // len(frame.coord)

    def rows(values):
        return None if values is None else np.tile(values, (times, 1))

    types = np.tile(frame.types, times)
    whole = dc.replace(frame, coord=coord, types=types, cell=cell)
    return dc.replace(whole, aparam=rows(frame.aparam), spin=rows(frame.spin))


def assert_first_atoms(result, expected, tolerance=TOLERANCE):
    n = len(result["mask"])
    for key in ("atom_energy", "force", "atom_virial", "mask"):
        assert_close(result[key], expected[key][:n], tolerance, key)


PARTIAL = [p for p in itertools.product([True, False], repeat=3) if not all(p)]


@pytest.mark.parametrize("pbc", PARTIAL, ids=lambda p: "".join("pf"[not x] for x in p))
@EVERY
def test_partial_periodicity_is_that_of_explicit_copies(example, pbc, predict):
    frame = dc.replace(example.frame(), pbc=pbc)
    # Two cells to either side are farther than twice the cutoff, which is how far forces reach.
    result, expected = predict(example.double(), [frame, copies(frame, [2 * p for p in pbc])])
    assert_first_atoms(result, expected)


@pytest.mark.parametrize("backend", FRAMEWORKS, ids=str)
def test_full_periodicity_is_that_of_explicit_copies(backend, predict):
    example = BY_NAME["by_place"]
    frame = example.frame()
    (result,) = predict(example.model, [frame], backend.required())
    (expected,) = predict(example.model, [copies(frame, (2, 2, 2))])
    assert_first_atoms(result, expected)


@EVERY
def test_vectors_of_open_directions_do_not_matter(example, predict):
    frame = dc.replace(example.frame(), pbc=(True, False, True))
    for vector in ([0.0, 0.0, 0.0], [1e3, 2.0, np.nan], frame.cell[0]):
        cell = frame.cell.copy()
        cell[1] = vector
        result, expected = predict(example.double(), [dc.replace(frame, cell=cell), frame])
        assert_same(result, expected, TOLERANCE)


def tiny(example):
    """Return two atoms in a cell that is much smaller than the cutoff."""
    cell = np.array([[2.4, 0.0, 0.0], [0.3, 2.5, 0.0], [-0.2, 0.4, 4.6]])
    coord = np.array([[0.1, 0.2, 0.3], [1.3, 1.1, 2.6]])
    return example.with_parameters(Frame(coord, example.types[[0, 1]], cell), seed=6)


@pytest.mark.parametrize("counts", [(2, 2, 1), (3, 2, 2)], ids=["2x2x1", "3x2x2"])
@pytest.mark.parametrize("example", UNRANKED, ids=str)
def test_cell_smaller_than_the_cutoff(example, counts, predict):
    frame, model = tiny(example), example.double()
    (result,) = predict(model, [frame])
    (expected,) = predict(model, [supercell(frame, counts)])
    number = int(np.prod(counts))
    assert_close(number * result["energy"], expected["energy"], TOLERANCE, "energy")
    assert_close(number * result["virial"], expected["virial"], TOLERANCE, "virial")
    assert_first_atoms(result, expected)


@EVERY
def test_atoms_outside_the_cell(example, predict):
    frame = example.frame()
    turns = np.random.default_rng(2).integers(-3, 4, (len(frame.types), 3))
    away = dc.replace(frame, coord=frame.coord + turns @ frame.cell)
    result, expected = predict(example.double(), [away, frame])
    assert_same(result, expected, TOLERANCE)


@EVERY
def test_the_choice_of_lattice_vectors_does_not_matter(example, predict):
    """Swapped vectors make a left-handed cell, sums of vectors a skewed one."""
    frame = example.frame()
    for change in (
        [[0, 1, 0], [1, 0, 0], [0, 0, 1]],
        [[-1, 0, 0], [0, 1, 0], [0, 0, 1]],
        [[1, 0, 0], [2, 1, 0], [-1, 1, 1]],
    ):
        cell = np.array(change) @ CELL
        result, expected = predict(example.double(), [dc.replace(frame, cell=cell), frame])
        assert_same(result, expected, TOLERANCE)


def test_left_handed_cell_is_left_handed():
    assert np.linalg.det(CELL) > 0.0 > np.linalg.det(CELL[[1, 0, 2]])


@EVERY
def test_a_large_cell_is_as_good_as_none(example, predict):
    cluster = example.frame(periodic=False)
    boxed = dc.replace(cluster, cell=40.0 * np.eye(3))
    result, expected = predict(example.double(), [boxed, cluster])
    assert_same(result, expected, TOLERANCE)


@pytest.mark.parametrize("name", ["exclude_types", "truncated"])
def test_backends_agree_in_a_tiny_cell(name, predict):
    example = BY_NAME[name]
    (expected,) = predict(example.model, [tiny(example)])
    (result,) = predict(example.model, [tiny(example)], Backend.TORCH.required())
    assert_same(result, expected, TOLERANCE)
