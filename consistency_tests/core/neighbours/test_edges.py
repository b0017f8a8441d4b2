"""The neighbours that a model asks for, against the rule written out atom by atom."""

import dataclasses as dc
import itertools

import numpy as np
import pytest

from dpcore.errors import DPError
from dpcore.neighbours import images
from dpcore.neighbours.cell import usable_box
from dpcore.neighbours.edges import Edges, fill_block, find_edges, join_edges
from dpcore.neighbours.selection import Selection

PERIODIC = (True, True, True)
SKEWED = np.array([[5.013, 0.0, 0.0], [2.6, 3.97, 0.0], [-2.1, 1.7, 4.71]])


def find(coord, types, cell, selection, pbc=PERIODIC, frame=0):
    return find_edges(coord, types, usable_box(cell, pbc, frame), selection, frame)


def expected_edges(coord, types, cell, selection):
    """Return by centre and type the neighbours to keep, (neighbour, displacement), and the excess."""
    vectors = [] if cell is None else cell
    steps = itertools.product(*[range(-3, 4) for _ in vectors])
    moves = [np.array(n) @ np.array(vectors) if n else np.zeros(3) for n in steps]
    kept, overfull = [], 0
    for i, here in enumerate(coord):
        around = sorted(
            (np.linalg.norm(away), j, tuple(away))
            for j, there in enumerate(coord)
            for move in moves
            for away in [there + move - here]
            if i != j or move.any()
        )
        around = [edge for edge in around if edge[0] < selection.rcut]
        runs = [[] for _ in selection.sel]
        for place, (_, j, away) in enumerate(around):
            t, pair = types[j], {(types[i], types[j]), (types[j], types[i])}
            seen = sum(types[other] == t for _, other, _ in around[:place])
            beyond = max(place - sum(selection.sel), seen - selection.sel[t]) + 1
            if not pair & set(selection.exclude):
                overfull = max(overfull, beyond)
                if beyond <= 0:
                    runs[t].append((j, away))
        kept += runs
    return kept, overfull


def assert_edges(edges, expected):
    kept, overfull = expected
    assert edges.overfull == overfull
    assert edges.start[0] == 0
    np.testing.assert_array_equal(np.diff(edges.start), [len(run) for run in kept])
    np.testing.assert_array_equal(edges.count.ravel(), [len(run) for run in kept])
    rows = [edge for run in kept for edge in run]
    np.testing.assert_array_equal(edges.neighbour, [j for j, _ in rows])
    vectors = np.array([away for _, away in rows]).reshape(-1, 3)
    np.testing.assert_allclose(edges.displacement, vectors, rtol=0, atol=1e-12)


SELECTIONS = {
    "roomy": Selection(4.5, (60, 60)),
    "one type short": Selection(4.5, (60, 12)),
    "both short": Selection(4.5, (9, 12)),
    "none of a type": Selection(4.5, (0, 30)),
    "excluded": Selection(4.5, (8, 9), ((0, 1),)),
    "excluded itself": Selection(4.5, (60, 4), ((1, 1),)),
    "absent type": Selection(4.5, (10, 12, 5)),
}


@pytest.mark.parametrize("selection", SELECTIONS.values(), ids=SELECTIONS)
@pytest.mark.parametrize("cell", [SKEWED, None], ids=["periodic", "open"])
def test_the_nearest_are_kept(monkeypatch, selection, cell):
    monkeypatch.setattr(images, "_ROWS", 100)
    rng = np.random.default_rng(1)
    coord = rng.random((14, 3)) @ SKEWED
    types = rng.integers(0, 2, 14)
    expected = expected_edges(coord, types, cell, selection)
    assert any(expected[0])
    assert_edges(find(coord, types, cell, selection), expected)


def test_some_selections_are_too_small():
    rng = np.random.default_rng(1)
    coord, types = rng.random((14, 3)) @ SKEWED, rng.integers(0, 2, 14)
    excess = {n: find(coord, types, SKEWED, s).overfull for n, s in SELECTIONS.items()}
    assert excess["roomy"] == 0
    assert min(excess["both short"], excess["one type short"], excess["none of a type"]) > 0


def test_ties_go_to_the_first_atom_in_number():
    coord = np.array([[0.0, 0, 0], [0, 0, 1], [0, 1, 0], [1, 0, 0], [0, 0, -1]])
    types = np.array([0, 1, 0, 1, 0])
    edges = find(coord, types, None, Selection(1.2, (1, 1)))
    np.testing.assert_array_equal(edges.count[0], [1, 1])
    np.testing.assert_array_equal(edges.neighbour[:2], [2, 1])
    assert edges.overfull == 2


def test_no_atoms_and_no_neighbours():
    selection = Selection(2.0, (3, 4))
    none = find(np.zeros((0, 3)), np.zeros(0, np.int64), None, selection)
    assert none.start.tolist() == [0]
    assert none.neighbour.shape == (0,)
    assert none.displacement.shape == (0, 3)
    alone = find(np.zeros((1, 3)), np.zeros(1, np.int64), None, selection)
    assert alone.start.tolist() == [0, 0, 0]
    assert alone.count.tolist() == [[0, 0]]


def test_atoms_at_the_same_place_are_refused():
    coord = np.array([[0.0, 0, 0], [3, 0, 0], [1, 0, 0], [1, 0, 0], [3, 0, 0], [1, 0, 0]])
    types = np.array([0, 0, 1, 0, 1, 1])
    # Whether the model would see these two or not.
    for selection in (Selection(1.5, (5, 5)), Selection(1.5, (0, 0), ((0, 0), (0, 1), (1, 1)))):
        with pytest.raises(DPError, match="frame 3: atoms 1 and 4 are at the same place"):
            find(coord, types, None, selection, frame=3)
    with pytest.raises(DPError, match="frame 0: atoms 0 and 1 "):
        find(coord[1:3], types[1:3], 2.0 * np.eye(3), Selection(1.5, (5, 5)))


def edges_of_three_centres():
    """Two types; the first centre has neighbours 1, 2 of type 0 and 2 of type 1, and so on."""
    return Edges(
        types=2,
        start=np.array([0, 2, 3, 3, 6, 7, 7]),
        neighbour=np.array([1, 2, 2, 0, 1, 2, 1], np.int32),
        displacement=np.arange(21.0).reshape(7, 3),
        overfull=0,
    )


def test_joined_edges_follow_each_other():
    one = edges_of_three_centres()
    both = join_edges([one, dc.replace(one, overfull=5)], 2, [0, 10])
    np.testing.assert_array_equal(both.start, [0, 2, 3, 3, 6, 7, 7, 9, 10, 10, 13, 14, 14])
    np.testing.assert_array_equal(both.neighbour[7:], one.neighbour + 10)
    np.testing.assert_array_equal(both.displacement, np.tile(one.displacement, (2, 1)))
    assert both.neighbour.dtype == np.int32
    assert both.overfull == 5
    assert join_edges([one], 2, [0]) is one
    np.testing.assert_array_equal(join_edges([one], 2, [4]).neighbour, one.neighbour + 4)
    assert join_edges([], 2, []).start.tolist() == [0]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_block_by_hand(dtype):
    displacement, index = np.full((3, 4, 3), np.nan, dtype), np.full((3, 4), -7)
    count = np.full(3, -7)
    block = {"displacement": displacement, "index": index, "count": count}
    fill_block(edges_of_three_centres(), 1, np.array([1, 0]), 9.0, **block)
    pad = [9.0, 0.0, 0.0]
    first = [[9.0, 10, 11], [12, 13, 14], [15, 16, 17], pad]
    np.testing.assert_array_equal(displacement, [first, [[6.0, 7, 8], pad, pad, pad], [pad] * 4])
    np.testing.assert_array_equal(index, [[0, 1, 2, 0], [2, 0, 0, 0], [0] * 4])
    np.testing.assert_array_equal(count, [3, 1, 0])


@pytest.mark.parametrize(("rows", "width"), [(0, 0), (0, 3), (2, 0), (2, 3)])
def test_blocks_of_padding_alone(rows, width):
    empty = find(np.zeros((0, 3)), np.zeros(0, np.int64), None, Selection(2.0, (3, 4)))
    for edges in (empty, edges_of_three_centres()):
        displacement, index = np.full((rows, width, 3), np.nan), np.full((rows, width), -7)
        count, nobody = np.full(rows, -7), np.zeros(0, np.int64)
        block = {"displacement": displacement, "index": index, "count": count}
        fill_block(edges, 1, nobody, 9.0, **block)
        np.testing.assert_array_equal(displacement, np.broadcast_to([9.0, 0, 0], (rows, width, 3)))
        assert not index.any()
        assert not count.any()


def test_allowed_pairs_of_types():
    selection = Selection(2.0, (1, 1, 1), ((0, 2), (1, 1)))
    expected = [[True, True, False], [True, False, True], [False, True, True]]
    np.testing.assert_array_equal(selection.allowed(), expected)
