"""Cells: sizes with known values, completion of open axes, and refusals."""

import numpy as np
import pytest

from dpcore.errors import DPError
from dpcore.neighbours import (
    check_cell,
    check_coordinates,
    check_separation,
    heights,
    neighbour_pairs,
    volume,
)
from dpcore.neighbours.cell import complete_cell

HEXAGONAL = np.array([[2.0, 0.0, 0.0], [-1.0, np.sqrt(3.0), 0.0], [0.0, 0.0, 5.0]])


@pytest.mark.parametrize("rows", [[0, 1, 2], [1, 0, 2], [2, 0, 1]])
def test_hexagonal_sizes_for_either_handedness(rows):
    assert volume(HEXAGONAL[rows]) == pytest.approx(10 * np.sqrt(3))
    expected = np.array([np.sqrt(3), np.sqrt(3), 5.0])[rows]
    np.testing.assert_allclose(heights(HEXAGONAL[rows]), expected, rtol=1e-14)


def test_sizes_of_a_sheared_box():
    cell = np.array([[2.0, 0.0, 0.0], [3.0, 4.0, 0.0], [7.0, -9.0, 5.0]])
    assert volume(cell) == pytest.approx(40.0)
    assert heights(cell)[2] == pytest.approx(5.0)
    faces = [np.linalg.det(cell[np.ix_([0, 1], pair)]) for pair in ([0, 1], [0, 2], [1, 2])]
    assert heights(cell)[2] == pytest.approx(40.0 / np.linalg.norm(faces))


@pytest.mark.parametrize("pbc", [(True, True, False), (False, True, False), (False, False, True)])
def test_completed_axes_are_unit_normals(pbc):
    cell = np.array([[2.0, 1.0, 0.3], [-1.0, 3.0, 0.7], [0.2, 0.1, 5.0]])
    whole = complete_cell(cell, pbc)
    periodic = np.array(pbc)
    np.testing.assert_array_equal(whole[periodic], cell[periodic])
    normals = whole[~periodic]
    np.testing.assert_allclose(normals @ normals.T, np.eye(len(normals)), atol=1e-14)
    np.testing.assert_allclose(normals @ cell[periodic].T, 0.0, atol=1e-14)


def test_usable_cells_pass():
    for cell in (HEXAGONAL, HEXAGONAL[[1, 0, 2]], 1e-6 * HEXAGONAL, 1e6 * HEXAGONAL):
        check_cell(cell, 0)


@pytest.mark.parametrize(
    "cell",
    [
        np.zeros((3, 3)),
        np.diag([1.0, 1.0, 0.0]),
        np.array([[1.0, 0.0, 0.0], [1.0, 1e-9, 0.0], [0.0, 0.0, 1.0]]),
        1e4 * np.arange(9.0).reshape(3, 3),
        np.full((3, 3), np.nan),
        np.diag([1.0, np.inf, 1.0]),
    ],
)
def test_unusable_cells_are_refused(cell):
    with pytest.raises(DPError, match=r"frame 7: .*pass cells=None") as caught:
        check_cell(cell, 7)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_coordinates_name_frame_and_atom(bad):
    coord = np.zeros((5, 3))
    check_coordinates(coord, 2)
    check_coordinates(np.zeros((0, 3)), 2)
    coord[3, 1] = coord[4, 0] = bad
    with pytest.raises(DPError, match="frame 2, atom 3: "):
        check_coordinates(coord, 2)


def test_coincident_atoms_are_named():
    coord = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [3.0, 0.0, 0.0]])
    cell = 2.0 * np.eye(3)
    check_separation(neighbour_pairs(coord, None, 1.5), 3)
    check_separation(neighbour_pairs(coord[:0], None, 1.5), 3)
    with pytest.raises(DPError, match="frame 3: atoms 1 and 2 "):
        check_separation(neighbour_pairs(coord, cell, 1.5), 3)
