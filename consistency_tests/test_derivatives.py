"""Forces and virials against differences of energies."""

import dataclasses as dc

import numpy as np
import pytest
from example_models import EXAMPLES
from harness import assert_close

STEP = 1e-4


def slopes(predict, model, pairs):
    """Return the central differences of the energies of pairs of frames ``STEP`` to either side."""
    energies = [p["energy"][0] for p in predict(model, [frame for pair in pairs for frame in pair])]
    return (np.array(energies[1::2]) - energies[0::2]) / (2.0 * STEP)


def strained(frame, strain):
    cell = None if frame.cell is None else frame.cell @ (np.eye(3) + strain)
    return dc.replace(frame, coord=frame.coord @ (np.eye(3) + strain), cell=cell)


def units(*sizes):
    return np.eye(int(np.prod(sizes))).reshape(-1, *sizes) * STEP


@pytest.mark.parametrize("periodic", [True, False], ids=["periodic", "open"])
@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_forces_and_virial(example, periodic, predict):
    model, frame = example.double(), example.frame(periodic=periodic)
    (result,) = predict(model, [frame])
    moved = [
        [dc.replace(frame, coord=frame.coord + sign * step) for sign in (-1, 1)]
        for step in units(len(frame.types), 3)
    ]
    assert_close(result["force"].reshape(-1), -slopes(predict, model, moved), 1e-6, "force")
    pulled = [[strained(frame, sign * strain) for sign in (-1, 1)] for strain in units(3, 3)]
    # The strain's first axis is that of the displacement, the virial's second one.
    gradient = slopes(predict, model, pulled).reshape(3, 3)
    assert_close(result["virial"].reshape(3, 3), -gradient.T, 1e-6, "virial")


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_sums(example, predict):
    frames = [example.frame(), example.frame(periodic=False)]
    for result in predict(example.double(), frames):
        assert_close(result["atom_energy"].sum(axis=0), result["energy"], 1e-12)
        assert_close(result["atom_virial"].sum(axis=0), result["virial"], 1e-12)
        assert_close(result["force"].sum(axis=0), np.zeros(3), 1e-12)


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_virial_of_a_cluster_is_that_of_its_forces(example, predict):
    frame = example.frame(periodic=False)
    (result,) = predict(example.double(), [frame])
    assert_close(result["virial"].reshape(3, 3), result["force"].T @ frame.coord, 1e-10)
