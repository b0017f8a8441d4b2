"""Nothing jumps when an atom crosses the cutoff."""

import dataclasses as dc

import numpy as np
import pytest
from example_models import EXAMPLES, PAIRWISE, RCUT, RCUT_SMTH
from harness import assert_close

from dpcore.frames import Frame

SMOOTH = [
    e
    for e in EXAMPLES
    if not e.jumps and False in e.boundaries and e.model.output.total == "energy"
]
EVERY = pytest.mark.parametrize("example", SMOOTH, ids=str)
FAR = 9.0


def approached(example, distance):
    """Return two atoms and a third at a distance from the first, farther from the second."""
    step = np.array([2.0, -1.0, 2.0]) / 3.0
    coord = np.array([[0.0, 0.0, 0.0], [-0.3, 0.7, -0.2], distance * step])
    types = example.types[[0, 1, 2]]
    frame = example.with_parameters(Frame(coord, types), seed=1)
    # Spins that point away from each other: what is at their ends is farther apart than the atoms.
    away = None if frame.spin is None else np.stack([-step, -step, step])
    return dc.replace(frame, spin=away)


@EVERY
def test_energy_is_smooth_to_second_order_at_the_cutoff(example, predict):
    """Halving the way to the cutoff leaves an eighth of the interaction, and a quarter of the force."""
    steps = 0.04 * RCUT * 0.5 ** np.arange(3)
    frames = [approached(example, d) for d in [*(RCUT - steps), FAR]]
    *inside, outside = predict(example.double(), frames)
    energy = np.array([abs(p["energy"] - outside["energy"])[0] for p in inside])
    force = np.array([np.abs(p["force"] - outside["force"]).max() for p in inside])
    assert (energy[1:] <= energy[:-1] / 7.0 + 1e-14).all()
    assert (force[1:] <= force[:-1] / 3.5 + 1e-13).all()


@EVERY
def test_energy_does_not_jump_anywhere_on_the_way(example, predict):
    """Steps in the energy are what the forces say, through both ends of the switch function."""
    near = np.linspace(RCUT_SMTH - 0.1, RCUT_SMTH + 0.1, 41)
    grid = np.concatenate([near, np.linspace(RCUT - 0.1, RCUT + 0.1, 41)])
    results = predict(example.double(), [approached(example, d) for d in grid])
    energy = np.array([p["energy"][0] for p in results])
    pull = np.array([p["force"][2] @ np.array([2.0, -1.0, 2.0]) / 3.0 for p in results])
    work = -0.5 * (pull[1:] + pull[:-1]) * np.diff(grid)
    inner = np.arange(len(work)) != len(near) - 1
    # The trapezoidal rule errs where forces bend: a little everywhere, more at the corners of relu.
    scale = max(np.abs(pull).max(), 1e-3)
    assert np.abs(np.diff(energy) - work)[inner].max() <= 3e-4 * scale


@EVERY
def test_atoms_beyond_the_cutoff_do_not_matter(example, predict):
    frames = [approached(example, d) for d in (RCUT, RCUT + 1e-9, RCUT + 0.5, FAR)]
    results = predict(example.double(), frames)
    for result in results[:-1]:
        assert_close(result["energy"], results[-1]["energy"], 1e-13)
        assert_close(result["force"], results[-1]["force"], 1e-13)
        assert not result["force"][2].any()


@pytest.mark.parametrize("example", [e for e in PAIRWISE if not e.jumps], ids=str)
def test_atoms_within_the_cutoff_do_matter(example, predict):
    """The pairs that an example leaves out are the only ones that do nothing."""
    model = example.double()
    excluded = {*model.pair_exclude_types, *model.descriptor.exclude_types}
    sel = model.descriptor.sel
    for pair in [(a, b) for a in set(example.types) for b in set(example.types)]:
        frame = example.with_parameters(
            Frame(np.array([[0.0, 0.0, 0.0], [0.9, 1.1, -0.4]]), np.array(pair)), seed=2
        )
        far = dc.replace(frame, coord=10.0 * frame.coord)
        close, apart = predict(model, [frame, far])
        seen = np.abs(close["atom_energy"] - apart["atom_energy"])[:, 0] > 1e-7
        for atom, (centre, neighbour) in enumerate([pair, pair[::-1]]):
            silent = centre in (*model.fitting.exclude_types, *model.atom_exclude_types)
            blind = {(centre, neighbour), (neighbour, centre)} & excluded or sel[neighbour] == 0
            assert seen[atom] == (not silent and not blind), (centre, neighbour)
