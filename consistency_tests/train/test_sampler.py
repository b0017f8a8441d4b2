"""Which frames are drawn: how many, how often, each once before any twice, and the same after a restart."""

import json
import tracemalloc
from collections import Counter

import numpy as np
import pytest

from dpcore.errors import DPError
from dpcore.train.data.chances import chances
from dpcore.train.data.rule import Rule
from dpcore.train.data.sampler import Sampler

SYSTEMS = [np.full(7, 10), np.full(12, 3), np.full(5, 40)]
SIZES = [np.array([3, 9, 4, 4, 7, 2, 8, 8, 5]), np.array([6, 6, 1])]


def sampler(batch=2, atoms=SYSTEMS, seed=5, rank=0, ranks=1, style="prob_sys_size", probs=None):
    rule = Rule.of(batch)
    rule.check(len(atoms))
    draws = [rule.draws(each, s, ranks) for s, each in enumerate(atoms)]
    return Sampler(atoms, rule, chances(style, probs, draws), seed, rank, ranks)


def batches(source, number):
    return [[(p.system, p.frame) for p in source.draw().picks] for _ in range(number)]


def sizes(batch, atoms=SYSTEMS):
    """Return the number of frames of batches by system."""
    found = {}
    for picks in batches(sampler(batch, atoms), 60):
        assert len({system for system, _ in picks}) == 1
        found.setdefault(picks[0][0], set()).add(len(picks))
    return {system: found[system].pop() for system in sorted(found) if len(found[system]) == 1}


@pytest.mark.parametrize(
    ("batch", "expected"),
    [
        (3, {0: 3, 1: 3, 2: 3}),
        ((1, 2, 3), {0: 1, 1: 2, 2: 3}),
        # At least 32 atoms, at most N atoms but a frame at least.
        ("auto", {0: 4, 1: 11, 2: 1}),
        ("auto:50", {0: 5, 1: 12, 2: 2}),
        ("max:32", {0: 3, 1: 10, 2: 1}),
        # No more than there are.
        (9, {0: 7, 1: 9, 2: 5}),
    ],
)
def test_how_many_frames_a_batch_has(batch, expected):
    assert sizes(batch) == expected


def test_frames_of_several_sizes_fill_batches_up_to_atoms():
    for picks in batches(sampler("auto:12", SIZES[:1]), 50):
        natoms = [int(SIZES[s][f]) for s, f in picks]
        assert sum(natoms) >= 12 > sum(natoms[:-1])
    for picks in batches(sampler("max:12", SIZES), 50):
        natoms = [int(SIZES[s][f]) for s, f in picks]
        assert sum(natoms) <= 12
    drawn = batches(sampler("mix:12", SIZES), 200)
    assert all(sum(int(SIZES[s][f]) for s, f in picks) <= 12 for picks in drawn)
    assert any(len({s for s, _ in picks}) == 2 for picks in drawn)
    # A frame that does not fit is the first of the next batch: none is passed over.
    taken = Counter(pick for picks in drawn for pick in picks)
    for system, atoms in enumerate(SIZES):
        counts = [taken[system, frame] for frame in range(len(atoms))]
        assert max(counts) - min(counts) <= 1


def test_mixed_batches_have_frames_of_any_systems():
    drawn = batches(sampler("mixed:6"), 300)
    assert {len(picks) for picks in drawn} == {6}
    assert sum(len({s for s, _ in picks}) > 1 for picks in drawn) > 250
    # Each frame is as likely as any other, so large systems are drawn more often.
    taken = Counter(s for picks in drawn for s, _ in picks)
    expected = 1800 * np.array([7, 12, 5]) / 24
    assert chi_square([taken[s] for s in range(3)], expected) < 9.21


def chi_square(found, expected):
    """Return the statistic; with 2 degrees of freedom it exceeds 9.21 in one case of a hundred."""
    return float(np.sum((np.array(found) - expected) ** 2 / expected))


@pytest.mark.parametrize(
    ("style", "probs", "expected"),
    [
        ("prob_uniform", None, [1, 1, 1]),
        # Batches of two frames: 4, 6 and 3 of them.
        ("prob_sys_size", None, [4, 6, 3]),
        ("prob_sys_size;0:1:0.2;1:3:0.8", None, [2, 8 * 6 / 9, 8 * 3 / 9]),
        ("prob_sys_size;1:2:3;0:1:1", None, [1, 3, 0]),
        ("prob_uniform", (0.5, 0.3, 0.2), [5, 3, 2]),
        # What is left of 1 is shared by size.
        ("prob_uniform", (-1.0, 0.1, -1.0), [0.9 * 4 / 7, 0.1, 0.9 * 3 / 7]),
    ],
)
def test_how_often_systems_are_drawn(style, probs, expected):
    drawn = sampler(2, style=style, probs=probs)
    share = np.array(expected) / np.sum(expected)
    np.testing.assert_allclose(drawn.chances, share, rtol=1e-12)
    found = Counter(picks[0][0] for picks in batches(drawn, 3000))
    there = share > 0
    assert found.keys() == set(np.flatnonzero(there))
    counts = np.array([found[s] for s in range(3)])
    assert chi_square(counts[there], 3000 * share[there]) < 9.21


def test_systems_without_frames_are_not_drawn():
    atoms = [np.zeros(0, int), *SYSTEMS]
    for style, probs in (("prob_uniform", None), ("prob_sys_size", None), ("", (0.5, 0.5, -1, -1))):
        drawn = sampler(1, atoms, style=style or "prob_uniform", probs=probs)
        assert drawn.chances[0] == 0
        assert drawn.chances.sum() == pytest.approx(1)


@pytest.mark.parametrize("batch", [1, 2, 5, "auto", "mixed:4", "mix:20"])
def test_every_frame_is_taken_before_any_is_taken_again(batch):
    drawn, taken = sampler(batch), Counter()
    for _ in range(80):
        for system, frame in batches(drawn, 1)[0]:
            taken[system, frame] += 1
            counts = [taken[system, f] for f in range(len(SYSTEMS[system]))]
            assert max(counts) - min(counts) <= 1


def test_the_order_differs_from_turn_to_turn_and_seed_to_seed():
    one = [np.full(40, 1)]
    turns = batches(sampler(40, one), 3)
    assert len({tuple(turn) for turn in turns}) == 3
    assert all(sorted(turn) == [(0, f) for f in range(40)] for turn in turns)
    assert batches(sampler(40, one, seed=6), 1)[0] != turns[0]


def test_the_order_of_many_frames_is_that_of_the_seed():
    """Checkpoints know a position in it alone, those of older versions too."""
    many = 100_000
    drawn = sampler(many // 4, [np.full(many, 1)])
    found = [frame for picks in batches(drawn, 8) for _, frame in picks]
    expected = [
        np.random.default_rng([5, 1, 0, turn]).permutation(np.arange(many, dtype=np.int32))
        for turn in range(2)
    ]
    np.testing.assert_array_equal(found, np.concatenate(expected))


def test_memory_does_not_grow_with_the_number_of_frames():
    atoms = [np.broadcast_to(np.int32(3), (2_000_000,))]
    tracemalloc.start()
    try:
        drawn = sampler("auto", atoms)
        batches(drawn, 3)
        held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # A number of each frame takes 8 MB.
    assert held < 200_000
    assert peak < 500_000


@pytest.mark.parametrize("batch", [2, "auto", "mixed:5", "mix:30"])
@pytest.mark.parametrize("before", [0, 1, 37])
def test_a_restart_takes_the_same_frames(batch, before):
    first = sampler(batch)
    batches(first, before)
    state = json.loads(json.dumps(first.state()))
    # The seed is the checkpoint's, even where the input's has changed.
    second = sampler(batch, seed=99)
    assert second.restore(state)
    assert batches(second, 40) == batches(first, 40)


def test_a_restart_with_other_data_begins_anew():
    first = sampler(2)
    batches(first, 10)
    second = sampler(2, [*SYSTEMS, np.full(3, 2)])
    assert not second.restore(first.state())
    assert second.position.taken == [0, 0, 0, 0]
    assert second.position.draws == 10
    with pytest.raises(DPError, match="position in the data is not usable"):
        second.restore({"seed": 1})


@pytest.mark.parametrize("ranks", [2, 3])
@pytest.mark.parametrize("kind", ["{}", "mixed:{}"])
def test_ranks_share_the_batch_of_a_single_one(ranks, kind):
    atoms = [np.full(24, 3), np.full(13, 5), np.full(36, 2)]
    size = 2

    def batch(n):
        return n if kind == "{}" else kind.format(n)

    together = sampler(batch(size * ranks), atoms)
    parts = [sampler(batch(size), atoms, rank=rank, ranks=ranks) for rank in range(ranks)]
    for _ in range(100):
        (expected,) = batches(together, 1)
        shares = [batches(part, 1)[0] for part in parts]
        assert all(len(share) == size for share in shares)
        assert [pick for share in shares for pick in share] == expected
    states = [part.state() for part in parts]
    assert all(state == together.state() for state in states)


def test_ranks_have_equal_shares_of_small_systems():
    parts = [sampler(4, [np.full(5, 1)], rank=rank, ranks=2) for rank in range(2)]
    assert [len(batches(part, 1)[0]) for part in parts] == [3, 3]


@pytest.mark.parametrize(
    ("batch", "style", "probs", "steps"),
    [
        (2, "prob_sys_size", None, 4 + 6 + 3),
        # The system with most batches for its chance decides: 6 batches with chance 1/3.
        (2, "prob_uniform", None, 18),
        (2, "prob_uniform", (0.8, 0.1, 0.1), 60),
        ("mixed:6", "prob_sys_size", None, 4),
        ("auto", "prob_sys_size", None, 2 + 2 + 5),
    ],
)
def test_steps_of_an_epoch(batch, style, probs, steps):
    drawn = sampler(batch, style=style, probs=probs)
    assert drawn.steps(1) == steps
    assert drawn.steps(2.5) == -(-5 * steps // 2)


def test_an_epoch_takes_all_frames_of_one_system():
    drawn = sampler("auto:12", [SIZES[0]])
    seen = {pick for picks in batches(drawn, drawn.steps(1)) for pick in picks}
    assert len(seen) == len(SIZES[0])


def test_settings_without_a_meaning():
    for batch, text in (
        (0, "a batch has 1 frame or more"),
        ("max", "'max' is not understood"),
        ("mixed:x", "'mixed:x' is not understood"),
        ((1, 2), "2 numbers for 3 systems"),
    ):
        with pytest.raises(DPError, match=text):
            sampler(batch)
    for style, probs, text in (
        ("prob_size", None, "auto_prob"),
        ("prob_sys_size;0:9:1", None, "goes beyond the 3 systems"),
        ("prob_sys_size;0:2:1;1:3:1", None, "overlaps another"),
        ("prob_uniform", (0.5, 0.5), "2 numbers for 3 systems"),
        ("prob_uniform", (0.9, 0.9, -1), "sys_probs"),
        ("prob_uniform", (0.5, 0.2, 0.2), "sys_probs"),
    ):
        with pytest.raises(DPError, match=text):
            sampler(2, style=style, probs=probs)
    with pytest.raises(DPError, match="no frame can be drawn"):
        sampler(2, [np.zeros(0, int), np.full(3, 1)], style="prob_sys_size;0:1:1")
