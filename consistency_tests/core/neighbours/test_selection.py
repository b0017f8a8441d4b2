"""Selections: which neighbours they keep, by brute force."""

import numpy as np
import pytest

from dpcore.errors import DPError
from dpcore.frames import Frame
from dpcore.infer.edges import edges_of
from dpcore.neighbours.selection import Selection
from dpcore.registry import kernels

CUTOFF = 3.0


def cluster(natoms=30, seed=3):
    rng = np.random.default_rng(seed)
    return Frame(rng.uniform(0.0, 5.0, (natoms, 3)), rng.integers(0, 3, natoms))


def around(frame, centre):
    """Return the atoms within the cutoff of one, nearest first."""
    distance = np.linalg.norm(frame.coord - frame.coord[centre], axis=1)
    near = [j for j in np.argsort(distance) if j != centre and distance[j] < CUTOFF]
    return np.array(near, int)


def found(edges, centre, kind=0):
    row = centre * edges.types + kind
    return edges.neighbour[edges.start[row] : edges.start[row + 1]].tolist()


@pytest.fixture(params=["kernels", "numpy"], autouse=True)
def library(request, monkeypatch):
    if request.param == "numpy":
        monkeypatch.setenv("DPCORE_KERNELS", "0")
        kernels.cache_clear()
    yield
    monkeypatch.undo()
    kernels.cache_clear()


@pytest.mark.parametrize("total", [1, 7, 60])
def test_mixed_types_come_by_distance(total):
    frame = cluster()
    edges = edges_of([frame], Selection.of_all_types(CUTOFF, total, 3), 0)
    assert edges.types == 1
    for centre in range(len(frame.types)):
        assert found(edges, centre) == around(frame, centre)[:total].tolist()
    most = max(len(around(frame, i)) for i in range(len(frame.types)))
    assert edges.overfull == max(most - total, 0)


def test_excluded_pairs_keep_their_places_among_mixed_types():
    frame, total = cluster(), 6
    selection = Selection.of_all_types(CUTOFF, total, 3).with_excluded(((0, 2), (1, 1)))
    edges = edges_of([frame], selection, 0)
    excluded = {(0, 2), (2, 0), (1, 1)}
    for centre in range(len(frame.types)):
        kind = frame.types[centre]
        kept = [j for j in around(frame, centre)[:total] if (kind, frame.types[j]) not in excluded]
        assert found(edges, centre) == kept


@pytest.mark.parametrize("total", [4, 9, 100])
def test_typed_blocks_within_a_total(total):
    frame, sel = cluster(seed=5), (3, 9, 2)
    edges = edges_of([frame], Selection(CUTOFF, sel, total=total), 0)
    for centre in range(len(frame.types)):
        near = around(frame, centre)[:total]
        for kind, most in enumerate(sel):
            of_kind = [j for j in near if frame.types[j] == kind]
            assert found(edges, centre, kind) == of_kind[:most]


def test_types_by_the_names_of_a_part():
    """A part that calls type 0 its 2 and type 1 its 0 sees the same atoms under its own names."""
    frame = cluster(seed=7)
    plain = edges_of([frame], Selection(CUTOFF, (40, 40, 40)), 0)
    named = edges_of([frame], Selection(CUTOFF, (40, 40, 40, 40), types=(2, 0, 3)), 0)
    for centre in range(len(frame.types)):
        for kind, name in enumerate((2, 0, 3)):
            assert found(named, centre, name) == found(plain, centre, kind)
        assert not found(named, centre, 1)


@pytest.mark.parametrize("mixed", [True, False], ids=["mixed", "typed"])
def test_atoms_that_are_no_neighbours_may_be_at_the_same_place(mixed):
    frame, total = cluster(), 9
    # Each atom has another of type 3 at its place.
    twice = Frame(np.tile(frame.coord, (2, 1)), np.concatenate([frame.types, np.full(30, 3)]))
    selection = Selection.of_all_types(CUTOFF, total, 4, mixed=mixed)
    alone = selection.with_excluded(tuple((3, t) for t in range(4)))
    edges = edges_of([twice], alone, 0)
    for centre in range(30):
        # They take places among the nearest, behind the atoms that they are equally far as; the one at the
        # place of the centre the first.
        near = np.repeat(around(frame, centre), 2)[: total - 1 : 2]
        kinds = [near] if mixed else [near[frame.types[near] == t] for t in range(3)]
        for kind, wanted in enumerate(kinds):
            assert found(edges, centre, kind) == wanted.tolist()
    assert not edges.count[30:].any()
    for some in (selection, selection.with_excluded(((3, 3),))):
        with pytest.raises(DPError, match="frame 5: atoms 0 and 30 are at the same place"):
            edges_of([twice], some, 5)
