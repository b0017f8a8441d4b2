"""The neighbour kernels against the NumPy search, bit for bit."""

import itertools
import subprocess
import sys

import numpy as np
import pytest

from dpcore.errors import DPError
from dpcore.neighbours.cell import Box, usable_box
from dpcore.neighbours.edges import Edges, fill_block, find_edges
from dpcore.neighbours.selection import Selection
from dpcore_kernels import library

CUBE = 12.0 * np.eye(3)
SKEWED = np.array([[3.013, 0.0, 0.0], [2.6, 1.97, 0.0], [-2.1, 1.7, 3.71]])
PERIODIC = (True, True, True)


def search(coord, types, box, selection):
    return library.neighbours.search(
        coord=np.ascontiguousarray(coord, np.float64),
        types=np.asarray(types, np.int64),
        cell=np.ascontiguousarray(box.cell),
        periodic=box.pbc,
        cutoff=selection.rcut,
        sel=np.array(selection.sel, np.int64),
        total=selection.most,
        allowed=selection.allowed(),
    )


def same_bits(one, other):
    return (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())


def assert_same(coord, types, cell, selection, pbc=PERIODIC):
    """Compare both searches; return what they found."""
    box = usable_box(cell, pbc, 0)
    expected = find_edges(np.ascontiguousarray(coord), types, box, selection, 0)
    found = search(coord, types, box, selection)
    assert found.coincident is None
    assert found.overfull == expected.overfull
    assert same_bits(found.start, expected.start)
    assert same_bits(found.neighbour, expected.neighbour)
    assert same_bits(found.displacement, expected.displacement)
    return expected


@pytest.mark.parametrize("seed", range(60))
def test_random_frames(seed):
    rng = np.random.default_rng(seed)
    ntypes, atoms = int(rng.integers(1, 5)), int(rng.integers(1, 120))
    cell = rng.uniform(-1.0, 1.0, (3, 3)) * rng.choice([0.0, 1.0, 3.0])
    cell += np.diag(rng.uniform(3.0, 14.0, 3))
    cell = cell[rng.permutation(3)]
    pbc = tuple(rng.random(3) < 0.8)
    coord = rng.random((atoms, 3)) @ cell
    coord += rng.integers(-3, 4, (atoms, 3)) @ cell * (seed % 2)
    types = rng.integers(0, ntypes, atoms)
    sel = tuple(rng.integers(0, 40, ntypes).tolist())
    exclude = ((0, ntypes - 1),) if seed % 3 == 0 else ()
    selection = Selection(float(rng.uniform(1.0, 6.0)), sel, exclude)
    assert_same(coord, types, None if seed % 7 == 0 else cell, selection, pbc)


@pytest.mark.parametrize("pbc", list(itertools.product([True, False], repeat=3)))
@pytest.mark.parametrize("cell", [SKEWED, SKEWED[[1, 0, 2]]], ids=["right", "left"])
def test_cells_smaller_than_the_cutoff(cell, pbc):
    rng = np.random.default_rng(1)
    coord = rng.random((7, 3)) @ cell + rng.uniform(-20.0, 20.0, (7, 3))
    edges = assert_same(coord, np.array([0, 1] * 3 + [0]), cell, Selection(6.013, (90, 70)), pbc)
    assert not any(pbc) or len(edges.neighbour)


@pytest.mark.parametrize("sel", [(30, 30), (200, 200), (20, 3), (0, 5)])
@pytest.mark.parametrize("cutoff", [3.0, np.nextafter(3.0, 4.0), 4.3])
def test_ties_in_a_crystal(sel, cutoff):
    grid = np.array(list(itertools.product(range(6), repeat=3))) * 1.5
    types = np.arange(len(grid)) % 2
    edges = assert_same(grid, types, 9.0 * np.eye(3), Selection(cutoff, sel))
    assert len(edges.neighbour)


@pytest.mark.parametrize("apart", [1e3, 1e6, 1e12])
def test_far_clusters(apart):
    rng = np.random.default_rng(2)
    cluster = rng.uniform(-6.0, 6.0, (200, 3))
    coord = np.concatenate([cluster, cluster + np.array([apart, -apart, apart])])
    types = rng.integers(0, 2, len(coord))
    assert_same(coord, types, None, Selection(3.0, (10, 10)))
    assert_same(coord, types, 2.5 * apart * np.eye(3), Selection(3.0, (10, 10)))


@pytest.mark.parametrize("axis", range(3))
def test_elongated_boxes(axis):
    rng = np.random.default_rng(3)
    lengths = np.full(3, 5.0)
    lengths[axis] = 1e5
    coord = rng.random((300, 3)) * lengths
    coord[100:] = coord[:200] + rng.uniform(-3.0, 3.0, (200, 3))
    edges = assert_same(coord, np.zeros(300, np.int64), np.diag(lengths), Selection(6.0, (50,)))
    assert len(edges.neighbour) > 300


@pytest.mark.parametrize("turns", [10, 30_000, 10**9])
def test_atoms_outside_the_cell(turns):
    rng = np.random.default_rng(4)
    coord = rng.random((40, 3)) @ CUBE + rng.integers(-turns, turns + 1, (40, 3)) @ CUBE
    assert_same(coord, rng.integers(0, 2, 40), CUBE, Selection(4.0, (20, 5)))


def test_many_atoms_by_several_threads():
    rng = np.random.default_rng(5)
    cell = np.diag([30.0, 31.0, 32.0]) + 4.0 * np.eye(3, k=-1)
    coord = rng.random((3000, 3)) @ cell
    types = rng.integers(0, 3, 3000)
    edges = assert_same(coord, types, cell, Selection(6.0, (40, 30, 20)))
    assert edges.overfull
    assert len(edges.neighbour) > 3000 * 60


@pytest.mark.parametrize("atoms", [0, 1])
@pytest.mark.parametrize("cell", [None, CUBE])
def test_next_to_nothing(atoms, cell):
    edges = assert_same(
        np.zeros((atoms, 3)), np.zeros(atoms, np.int64), cell, Selection(6.0, (4, 5))
    )
    assert not len(edges.neighbour)


@pytest.mark.parametrize("seed", range(5))
def test_the_same_coincident_atoms_are_named(seed):
    rng = np.random.default_rng(seed)
    coord, types = rng.random((300, 3)) @ CUBE, rng.integers(0, 2, 300)
    for first, second in rng.permutation(300)[:8].reshape(4, 2):
        coord[first] = coord[second] + rng.integers(0, 2) * CUBE[0]
    box, selection = usable_box(CUBE, PERIODIC, 0), Selection(4.0, (0, 3), ((1, 1),))
    found = search(np.round(coord * 4) / 4, types, box, selection)
    with pytest.raises(DPError, match="atoms {} and {} are".format(*found.coincident)):
        find_edges(np.round(coord * 4) / 4, types, box, selection, 0)


def test_what_cannot_be_counted_is_left_to_numpy():
    coord, types = np.array([[0.0, 0.0, 0.0], [1e17, 0.0, 0.0]]), np.zeros(2, np.int64)
    box = usable_box(CUBE, (True, False, False), 0)
    assert search(coord, types, box, Selection(3.0, (5,))) is None
    assert search(coord[:1], types[:1] + 1, box, Selection(3.0, (5,))) is None
    assert search(coord[:1], types[:1] - 1, box, Selection(3.0, (5,))) is None


CROWDED = """
import resource
import numpy as np
from dpcore_kernels import library

def search(edge, atoms, cutoff):
    return library.neighbours.search(
        coord=np.random.default_rng(0).random((atoms, 3)) * edge,
        types=np.zeros(atoms, np.int64), cell=np.eye(3) * edge, periodic=np.ones(3, bool),
        cutoff=cutoff, sel=np.array([10]), total=10, allowed=np.ones((1, 1), bool))

expected = search(9.0, 200, 4.0)
in_use = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (in_use + 2**28,) * 2)
refused = 0
# Too many images to hold, too many to count, and too many neighbours of one atom.
for edge, cutoff in ((0.05, 9.0), (1e-4, 9.0), (1e-9, 9.0), (1.0, 200.0)):
    for _ in range(3):
        try:
            search(edge, 1, cutoff)
        except MemoryError:
            refused += 1
again = search(9.0, 200, 4.0)
assert again.displacement.tobytes() == expected.displacement.tobytes()
print("refused", refused)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory cannot be limited")
def test_too_little_memory_is_an_error_and_no_crash():
    done = subprocess.run(
        [sys.executable, "-c", CROWDED], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("refused 12\n", "")


def test_other_arrays_are_refused():
    box, selection = usable_box(None, PERIODIC, 0), Selection(3.0, (5,))
    given = {
        "coord": np.zeros((2, 3)),
        "types": np.zeros(2, np.int64),
        "cell": box.cell,
        "periodic": box.pbc,
        "cutoff": 3.0,
        "sel": np.array([5]),
        "total": 5,
        "allowed": selection.allowed(),
    }
    for bad in (
        {"coord": np.zeros((2, 3), np.float32)},
        {"coord": np.zeros((3, 2)).T},
        {"types": np.zeros(2, np.int32)},
        {"periodic": np.ones(3)},
    ):
        with pytest.raises(ValueError, match="contiguous array"):
            library.neighbours.search(**(given | bad))


def edges_of_a_liquid():
    rng = np.random.default_rng(6)
    types = rng.integers(0, 2, 400)
    box = Box(CUBE, np.ones(3, np.bool_))
    return find_edges(rng.random((400, 3)) @ CUBE, types, box, Selection(4.0, (30, 30)), 0), types


def filled(fill, edges, kind, centres, sizes, dtype):
    block = {
        "displacement": np.full((*sizes, 3), np.nan, dtype),
        "index": np.full(sizes, -7),
        "count": np.full(sizes[0], -7),
    }
    fill(edges, kind, centres, 4.0, **block)
    return block


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("kind", [0, 1])
def test_blocks(dtype, kind):
    edges, types = edges_of_a_liquid()
    width = int(edges.count[:, kind].max())
    some = np.flatnonzero(types == 1)
    for centres in (np.arange(400), some, some[::-7].copy(), some[:0]):
        for rows, wider in ((0, 0), (5, 0), (0, 9), (2000, 40)):
            sizes = (len(centres) + rows, width + wider)
            ours = filled(library.neighbours.fill, edges, kind, centres, sizes, dtype)
            expected = filled(fill_block, edges, kind, centres, sizes, dtype)
            for name, array in ours.items():
                assert same_bits(array, expected[name]), name


def test_blocks_of_nothing():
    nothing = Edges(2, np.zeros(1, np.int64), np.zeros(0, np.int32), np.zeros((0, 3)), 0)
    for sizes in ((0, 0), (0, 3), (2, 0), (2, 3)):
        block = filled(library.neighbours.fill, nothing, 1, np.arange(0), sizes, "float64")
        pad = np.broadcast_to([4.0, 0.0, 0.0], (*sizes, 3))
        np.testing.assert_array_equal(block["displacement"], pad)
        assert not block["index"].any()
        assert not block["count"].any()
