"""What holds for all descriptors that pass messages: how far they reach, and that nothing jumps."""

import dataclasses as dc

import numpy as np
import pytest
from harness import assert_close, permuted
from test_symmetry import orthogonal, turned_frame

from dpcore.frames import Frame
from examples import dpa2, dpa3, dpa4
from examples.example import RCUT, Example


@dc.dataclass(frozen=True)
class Case:
    """A model, its cutoffs, and the links along which messages go: how many of which length."""

    one: Example
    cutoffs: tuple[float, ...]
    links: tuple[float, ...]

    def __str__(self):
        return self.one.name


# The exponential is at zero by the cutoff if it begins to fall late.
LATE = {"use_exp_switch": True, "e_rcut_smth": 2.6, "a_rcut_smth": 2.2}
SPLIT = {"a_compress_rate": 2, "a_compress_use_split": True, "edge_init_use_dist": True}
STRIP = dpa2.example(
    "reach_strip",
    dpa2.STRIP | dpa2.THREE_BODY,
    {"nlayers": 3, "use_sqrt_nnei": False},
    atom={"g1_out_conv": False},
    pair={"update_h2": True, "attn2_has_gate": True},
    style=dpa2.RESIDUAL,
)
DIRECT = dpa2.example("reach_direct", None, {"direct_dist": True}, pair={"update_h2": True})
# Layers of messages, and before them the first descriptions.
IN_DPA2 = [
    Case(dpa2.example("reach_plain"), (RCUT, 2.9), (2.9, 2.9, RCUT)),
    Case(STRIP, (RCUT, 2.9, 2.6), (2.9, 2.9, 2.9, RCUT)),
    Case(DIRECT, (RCUT, 2.9), (2.9, 2.9, RCUT)),
]
IN_DPA3 = [
    Case(dpa3.example(f"reach_{name}", told), (RCUT, 2.7), (RCUT,) * number)
    for name, number, told in [
        ("rows", 2, dpa3.SMOOTH),
        ("listed", 3, dpa3.LISTED | {"nlayers": 3}),
        ("one_by_one", 2, dpa3.LISTED | LATE | {"sequential_update": True}),
        ("split", 2, dpa3.SMOOTH | SPLIT),
    ]
]
# One block, and before it the first features, or two blocks.
IN_DPA4 = [
    Case(dpa4.example(f"reach_{name}", **dpa4.OPTIONS[name] | told), (RCUT,), (RCUT, RCUT))
    for name, told in [
        ("plain", {"n_blocks": 1, "exclude_types": ()}),
        ("foci", {"n_blocks": 2}),
        ("rotations", {}),
        ("cartesian", {}),
    ]
]
CASES = IN_DPA2 + IN_DPA3 + IN_DPA4
EVERY = pytest.mark.parametrize("case", CASES, ids=str)


def approached(one, distance):
    """Return eight atoms, the last of which is at a distance from the first."""
    frame = one.frame(periodic=False)
    coord = frame.coord.copy()
    away = coord[-1] - coord[0]
    coord[-1] = coord[0] + distance * away / np.linalg.norm(away)
    return Frame(coord, frame.types)


def test_no_cutoff_is_forgotten():
    for case in CASES:
        found = {selection.rcut for selection in case.one.model.selections}
        # That of angles is not always a selection of its own.
        angles = {2.7} if case in IN_DPA3 else set()
        assert found | angles == set(case.cutoffs), case


def bends(one, cutoff, predict):
    """Return by how much forces, their slopes, and the slopes of the energy change across a cutoff, for each
    Å and relative to the largest force. They do not depend on the step where nothing jumps.
    """
    step = 1e-5
    grid = cutoff + step * np.arange(-2.0, 3.0)
    found = predict(one.double(), [approached(one, d) for d in grid])
    force, energy = (np.array([p[key] for p in found]) for key in ("force", "energy"))
    changes = np.diff(force, axis=0) / step, np.diff(force, n=2, axis=0) / step**2
    changes = *changes, np.diff(energy, n=2, axis=0) / step**2
    return [np.abs(change).max() / np.abs(force).max() for change in changes]


@EVERY
def test_forces_and_their_slopes_are_continuous_at_every_cutoff(case, predict):
    for cutoff in case.cutoffs:
        force, slope, energy = bends(case.one, cutoff, predict)
        assert force < 30.0, cutoff
        assert slope < 300.0, cutoff
        assert energy < 30.0, cutoff


@pytest.mark.parametrize(
    ("one", "cutoff"),
    [
        (dpa2.example("jumping", descriptor={"smooth": False}), 2.9),
        (dpa3.example("jumping", {}), 2.7),
    ],
    ids=str,
)
def test_what_is_not_smooth_is_found_not_to_be(one, cutoff, predict):
    force, slope, energy = bends(one, cutoff, predict)
    assert force > 200.0
    assert slope > 1e6
    assert energy > 1e6


def chain(links, last):
    """Return atoms in a row: links well below their cutoffs, and one more of another length."""
    along = np.cumsum([0.0, *(0.72 * length for length in links), last])
    coord = np.stack([along, 0.1 * (np.arange(len(along)) % 2), np.zeros(len(along))], axis=1)
    return Frame(coord, np.arange(len(along)) % 2)


@EVERY
def test_messages_go_as_many_cutoffs_as_there_are_links(case, predict):
    """The last atom of a chain matters to the first just inside the last cutoff, to none beyond it, and to
    all but the first if there is one link more.
    """
    *others, longest = case.links
    lengths = [longest + d for d in (-0.30, -0.25, 0.05, 5.0)]
    frames = [chain(others, length) for length in lengths]
    frames += [chain([case.links[0], *others], 0.72 * longest + d) for d in (0.0, 0.1)]
    near, moved, beyond, far, here, there = predict(case.one.double(), frames)
    assert near["atom_energy"][0] != moved["atom_energy"][0]
    for key in ("atom_energy", "force"):
        np.testing.assert_array_equal(beyond[key], far[key])
    change = (here["atom_energy"] - there["atom_energy"])[:, 0]
    assert change[0] == 0.0
    assert (change[1:] != 0.0).all()


@EVERY
def test_places_directions_and_the_order_of_atoms_do_not_matter(case, predict):
    one, frame = case.one, case.one.frame()
    order = np.random.default_rng(4).permutation(len(frame.types))
    q = orthogonal(9, 1 if one.handed else -1)
    moved = turned_frame(dc.replace(frame, coord=frame.coord + np.array([3.1, -20.7, 1.3])), q)
    here, there = predict(one.double(), [frame, permuted(moved, order)])
    assert_close(there["energy"], here["energy"], 1e-10)
    assert_close(there["atom_energy"], here["atom_energy"][order], 1e-10)
    assert_close(there["force"], (here["force"] @ q.T)[order], 1e-10)
