"""The neighbour search against every image written out."""

import itertools
import tracemalloc

import numpy as np
import pytest
from vesin import NeighborList

from dpcore.errors import DPError
from dpcore.neighbours import images, neighbour_pairs

FIELDS = ("centre", "neighbour", "displacement", "distance")
PBC = list(itertools.product([True, False], repeat=3))
SKEWED = np.array([[3.013, 0.0, 0.0], [2.6, 1.97, 0.0], [-2.1, 1.7, 3.71]])
LEFT = SKEWED[[1, 0, 2]]


@pytest.fixture(params=["usual", "sparse"])
def blocks(request, monkeypatch):
    """Search in the usual way, and as in empty space, in many small blocks."""
    if request.param == "sparse":
        monkeypatch.setattr(images, "_TABLE", 0)
        monkeypatch.setattr(images, "_CENTRES", 7)
        monkeypatch.setattr(images, "_ROWS", 64)


def brute_force(coord, cell, cutoff, pbc):
    """Return rows (i, j, dx, dy, dz) of all pairs among enough explicit images."""
    vectors = np.array([row for row, periodic in zip(cell, pbc, strict=True) if periodic])
    points = np.zeros((1, 3))
    if len(vectors):
        farthest = cutoff + 2 * np.linalg.norm(coord, axis=1).max()
        most = np.ceil(farthest * np.linalg.norm(np.linalg.pinv(vectors), axis=0)).astype(int)
        ranges = [range(-m, m + 1) for m in most]
        points = np.array(list(itertools.product(*ranges))) @ vectors
    rows = []
    for i, here in enumerate(coord):
        for j, there in enumerate(coord):
            apart = there + points - here
            inside = np.linalg.norm(apart, axis=1) < cutoff
            if i == j:
                inside &= points.any(axis=1)
            rows += [(i, j, *vector) for vector in apart[inside]]
    return canonical(np.array(rows).reshape(-1, 5))


def canonical(rows):
    """Sort rows by their numbers, rounded so that the last bits do not matter."""
    return rows[np.lexsort(np.round(rows, 6).T)]


def rows_of(pairs):
    return canonical(np.column_stack([pairs.centre, pairs.neighbour, pairs.displacement]))


def assert_same_pairs(pairs, expected):
    found = rows_of(pairs)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10)
    np.testing.assert_allclose(
        pairs.distance, np.sqrt((pairs.displacement**2).sum(axis=1)), rtol=1e-14
    )


def scattered(seed, atoms, cell, outside=20.0):
    rng = np.random.default_rng(seed)
    return rng.random((atoms, 3)) @ cell + rng.uniform(-outside, outside, (atoms, 3))


def assert_identical(first, second):
    for field in FIELDS:
        np.testing.assert_array_equal(getattr(first, field), getattr(second, field))


@pytest.mark.parametrize("pbc", PBC)
@pytest.mark.parametrize(("seed", "atoms", "cell"), [(0, 5, SKEWED), (1, 4, LEFT)])
@pytest.mark.usefixtures("blocks")
def test_small_skewed_cell(seed, atoms, cell, pbc):
    coord = scattered(seed, atoms, cell)
    pairs = neighbour_pairs(coord, cell, 6.013, pbc=pbc)
    assert_same_pairs(pairs, brute_force(coord, cell, 6.013, pbc))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.usefixtures("blocks")
def test_random_cells_and_cutoffs(seed):
    rng = np.random.default_rng(100 + seed)
    cell = rng.uniform(-1.0, 1.0, (3, 3)) + np.diag(rng.uniform(2.5, 7.0, 3))
    pbc = rng.random(3) < 0.7
    cutoff = rng.uniform(1.0, 7.0)
    coord = scattered(seed, 12, cell, outside=3.0)
    pairs = neighbour_pairs(coord, cell, cutoff, pbc=pbc)
    assert len(pairs.centre)
    assert_same_pairs(pairs, brute_force(coord, cell, cutoff, pbc))


@pytest.mark.usefixtures("blocks")
def test_medium_cell_larger_than_the_cutoff():
    cell = np.array([[14.0, 0.0, 0.0], [5.0, 13.0, 0.0], [-4.0, 3.0, 12.0]])
    coord = scattered(7, 80, cell, outside=0.0)
    expected = brute_force(coord, cell, 4.017, (True, True, True))
    assert_same_pairs(neighbour_pairs(coord, cell, 4.017), expected)


@pytest.mark.parametrize("cell", [None, np.zeros((3, 3)), SKEWED])
@pytest.mark.usefixtures("blocks")
def test_open_boundaries(cell):
    coord = scattered(2, 40, np.eye(3), outside=5.0)
    pbc = (cell is None,) * 3
    pairs = neighbour_pairs(coord, cell, 4.2, pbc=pbc)
    assert_same_pairs(pairs, brute_force(coord, np.eye(3), 4.2, (False, False, False)))


@pytest.mark.parametrize("rest", [0.0, np.nan])
@pytest.mark.parametrize("pbc", PBC[1:-1])
@pytest.mark.usefixtures("blocks")
def test_lattice_vectors_of_open_axes_are_ignored(pbc, rest):
    coord = scattered(3, 5, SKEWED, outside=6.0)
    partial = np.where(np.array(pbc)[:, None], SKEWED, rest)
    pairs = neighbour_pairs(coord, partial, 5.021, pbc=pbc)
    assert_same_pairs(pairs, brute_force(coord, SKEWED, 5.021, pbc))


@pytest.mark.usefixtures("blocks")
def test_simple_cubic_shells_by_hand():
    pairs = neighbour_pairs([[0.3, -7.0, 90.1]], np.eye(3), 1.8)
    assert len(pairs.distance) == 6 + 12 + 8
    np.testing.assert_allclose(pairs.distance[:6], 1.0, rtol=1e-12)
    np.testing.assert_allclose(pairs.distance[6:18], np.sqrt(2), rtol=1e-12)
    np.testing.assert_allclose(pairs.distance[18:], np.sqrt(3), rtol=1e-12)
    assert not pairs.neighbour.any()


@pytest.mark.usefixtures("blocks")
def test_nothing_to_pair():
    for coord in (np.zeros((0, 3)), np.zeros((1, 3)), [[0.0, 0.0, 0.0], [9.0, 0.0, 0.0]]):
        for cell in (None, 50.0 * np.eye(3)):
            pairs = neighbour_pairs(coord, cell, 6.0)
            assert pairs.centre.shape == pairs.neighbour.shape == pairs.distance.shape == (0,)
            assert pairs.displacement.shape == (0, 3)


@pytest.mark.usefixtures("blocks")
def test_cutoff_is_exclusive():
    coord = [[0.0, 0.0, 0.0], [0.0, 2.0, 0.0]]
    assert not len(neighbour_pairs(coord, None, 2.0).centre)
    pairs = neighbour_pairs(coord, None, np.nextafter(2.0, 3.0))
    assert pairs.centre.tolist() == [0, 1]
    assert pairs.neighbour.tolist() == [1, 0]
    assert pairs.displacement.tolist() == [[0.0, 2.0, 0.0], [0.0, -2.0, 0.0]]


@pytest.mark.parametrize("turns", [0, 30_000])
@pytest.mark.usefixtures("blocks")
def test_rounding_at_the_cutoff_loses_no_pair(turns):
    coord = scattered(10, 5, SKEWED, outside=0.0)
    coord += np.random.default_rng(10).integers(-turns, turns + 1, (5, 3)) @ SKEWED
    distance = neighbour_pairs(coord, SKEWED, 5.0).distance
    for cutoff in np.nextafter(np.unique(distance)[::50], np.inf):
        pairs = neighbour_pairs(coord, SKEWED, cutoff)
        assert len(pairs.distance) == np.count_nonzero(distance < cutoff)


@pytest.mark.parametrize("cutoff", [3.0, 4.0, np.sqrt(2) * 2.0])
@pytest.mark.usefixtures("blocks")
def test_every_pair_has_its_exact_reverse_at_commensurate_cutoffs(cutoff):
    grid = np.array(list(itertools.product(range(3), repeat=3))) * 1.0
    pairs = neighbour_pairs(grid + 0.1, 3.0 * np.eye(3), cutoff)
    rows = np.column_stack([pairs.centre, pairs.neighbour, pairs.displacement])
    reverse = np.column_stack([pairs.neighbour, pairs.centre, -pairs.displacement])
    assert sorted(map(tuple, rows.tolist())) == sorted(map(tuple, reverse.tolist()))


@pytest.mark.parametrize("jitter", [0.0, 0.1])
@pytest.mark.usefixtures("blocks")
def test_rows_are_sorted_with_ties_resolved(jitter):
    grid = np.array(list(itertools.product(range(3), repeat=3))) * 1.5
    coord = grid + jitter * np.random.default_rng(5).random(grid.shape)
    pairs = neighbour_pairs(coord, 4.5 * np.eye(3), 5.03)
    columns = (pairs.centre, pairs.distance, pairs.neighbour, *pairs.displacement.T)
    rows = list(zip(*(column.tolist() for column in columns), strict=True))
    assert rows == sorted(rows)
    assert len(set(rows)) == len(rows)


@pytest.mark.usefixtures("blocks")
def test_atoms_moved_by_lattice_vectors_keep_their_displacements():
    coord = scattered(8, 6, SKEWED, outside=0.0)
    moved = coord + np.random.default_rng(8).integers(-30, 31, (6, 3)) @ SKEWED
    expected = rows_of(neighbour_pairs(coord, SKEWED, 6.013))
    found = rows_of(neighbour_pairs(moved, SKEWED, 6.013))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-11)


@pytest.mark.parametrize("apart", [1e5, 1e12])
@pytest.mark.usefixtures("blocks")
def test_far_clusters_cost_no_memory(apart):
    cluster = scattered(9, 300, np.eye(3), outside=6.0)
    alone = neighbour_pairs(cluster, None, 3.0)
    coord = np.concatenate([cluster, cluster + np.array([apart, -apart, apart])])
    tracemalloc.start()
    both = neighbour_pairs(coord, None, 3.0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 50e6
    first = both.centre < len(cluster)
    np.testing.assert_array_equal(both.displacement[first], alone.displacement)
    if apart < 1e6:
        assert len(both.centre) == 2 * len(alone.centre)


@pytest.fixture
def compared(monkeypatch):
    """Return a list of the numbers of candidates that are compared at once."""
    compare, sizes = images.Bins._compare, []

    def record(self, place, rows, first, count):
        sizes.append(int(count.sum()))
        return compare(self, place, rows, first, count)

    monkeypatch.setattr(images.Bins, "_compare", record)
    return sizes


def test_blocks_of_candidates_are_bounded(monkeypatch, compared):
    monkeypatch.setattr(images, "_ROWS", 1000)
    coord = scattered(11, 200, np.eye(3), outside=2.0)
    pairs = neighbour_pairs(coord, None, 3.0)
    assert_same_pairs(pairs, brute_force(coord, np.eye(3), 3.0, (False, False, False)))
    assert sum(compared) >= len(pairs.centre)
    assert len(compared) > 10
    assert max(compared) <= 1000 + len(coord)


@pytest.mark.parametrize("cell", [None, 25.0 * np.eye(3)])
def test_few_more_candidates_than_pairs_are_compared(compared, cell):
    coord = np.random.default_rng(18).random((1500, 3)) * 25.0
    pairs = neighbour_pairs(coord, cell, 6.0)
    assert len(pairs.centre) < sum(compared) < 3 * len(pairs.centre)


@pytest.mark.parametrize("kind", ["small", "crystal", "liquid", "slab", "far"])
def test_another_program_finds_the_same_pairs(kind):
    crystal = np.array(list(itertools.product(range(6), repeat=3))) * 2.0
    cube, liquid = 12.0 * np.eye(3), np.diag([20.0, 21.0, 22.0]) + np.eye(3, k=-1) * 5
    coord, cell, pbc = {
        "small": (scattered(12, 6, SKEWED), SKEWED, (True, True, True)),
        "crystal": (crystal, cube, (True, True, True)),
        "liquid": (scattered(13, 900, liquid, 0.0), liquid, (True, True, True)),
        "slab": (scattered(14, 400, liquid), liquid, (True, False, True)),
        "far": (scattered(15, 400, np.eye(3), 8.0) + 1e5, None, (True, True, True)),
    }[kind]
    own = neighbour_pairs(coord, cell, 6.0, pbc=pbc)
    assert len(own.centre) > 1000
    box = np.eye(3) if cell is None else cell
    centre, neighbour, vector = NeighborList(cutoff=6.0, full_list=True).compute(
        coord, box, pbc if cell is not None else (False,) * 3, "ijD"
    )
    other = canonical(np.column_stack([centre, neighbour, vector]))
    np.testing.assert_allclose(rows_of(own), other, rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"coord": np.zeros((2, 2))}, r"frame 4: coordinates have shape \(2, 2\)"),
        ({"coord": [[0, 0, 0], [0, np.nan, 0]]}, "frame 4, atom 1: .*finite"),
        ({"cell": np.zeros((3, 3))}, "frame 4: the cell .*volume.*cells=None"),
        ({"cell": np.eye(2)}, r"frame 4: the cell has shape \(2, 2\)"),
        ({"cell": np.full((3, 3), np.inf), "pbc": (True, False, False)}, "frame 4: .*finite"),
        ({"cell": np.ones((3, 3)), "pbc": (True, True, False)}, "frame 4: .*volume"),
        ({"cutoff": 0.0}, "frame 4: the cutoff is 0.0"),
        ({"cutoff": np.inf}, "frame 4: the cutoff is inf"),
        ({"pbc": (True,)}, r"frame 4: pbc has shape \(1,\)"),
    ],
)
def test_unusable_arguments(change, message):
    usable = {"coord": np.zeros((2, 3)), "cell": np.eye(3), "cutoff": 2.0, "frame": 4}
    with pytest.raises(DPError, match=message) as caught:
        neighbour_pairs(**(usable | change))
    assert "\n" not in str(caught.value)
