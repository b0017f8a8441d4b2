"""Forces and virials against differences of what they are derivatives of."""

import dataclasses as dc

import numpy as np
import pytest
from example_models import CASES, EXAMPLES
from harness import assert_close

STEP = 5e-5
DIFFERENTIABLE = [(e, p) for e, p in CASES if e.model.output.differentiable]
EVERY = pytest.mark.parametrize(
    "example", [e for e in EXAMPLES if e.model.output.differentiable], ids=str
)


def slopes(predict, model, pairs):
    """Return the central differences of the totals of pairs of frames ``STEP`` to either side."""
    name = model.output.total
    totals = [p[name].ravel() for p in predict(model, [frame for pair in pairs for frame in pair])]
    return (np.array(totals[1::2]) - totals[0::2]) / (2.0 * STEP)


def strained(frame, strain):
    cell = None if frame.cell is None else frame.cell @ (np.eye(3) + strain)
    return dc.replace(frame, coord=frame.coord @ (np.eye(3) + strain), cell=cell)


def units(*sizes):
    return np.eye(int(np.prod(sizes))).reshape(-1, *sizes) * STEP


@pytest.mark.parametrize(
    ("example", "periodic"),
    [pytest.param(e, p, id=f"{e}-{'periodic' if p else 'open'}") for e, p in DIFFERENTIABLE],
)
def test_forces_and_virial(example, periodic, predict):
    model, frame = example.double(), example.frame(periodic=periodic)
    (result,) = predict(model, [frame])
    size = model.output.size
    moved = [
        [dc.replace(frame, coord=frame.coord + sign * step) for sign in (-1, 1)]
        for step in units(len(frame.types), 3)
    ]
    force = result["force"].reshape(-1, size, 3)
    gradient = slopes(predict, model, moved).reshape(-1, 3, size)
    assert_close(force, -np.swapaxes(gradient, 1, 2), 1e-6, "force")
    pulled = [[strained(frame, sign * strain) for sign in (-1, 1)] for strain in units(3, 3)]
    # The strain's first axis is that of the displacement, the virial's second one.
    gradient = slopes(predict, model, pulled).reshape(3, 3, size)
    virial = result["virial"].reshape(size, 3, 3)
    assert_close(virial, -np.transpose(gradient, (2, 1, 0)), 1e-6, "virial")


@EVERY
def test_sums(example, predict):
    output = example.model.output
    for result in predict(example.double(), example.frames()):
        assert_close(result[output.atomic].sum(axis=0), result[output.total], 1e-12)
        assert_close(result["atom_virial"].sum(axis=0), result["virial"], 1e-12)
        assert_close(result["force"].sum(axis=0), np.zeros(result["force"].shape[1:]), 1e-12)


@EVERY
def test_virial_of_a_cluster_is_that_of_its_forces(example, predict):
    if False not in example.boundaries:
        return
    frame = example.frame(periodic=False)
    (result,) = predict(example.double(), [frame])
    force = result["force"].reshape(len(frame.types), -1, 3)
    virial = result["virial"].reshape(-1, 3, 3)
    assert_close(virial, np.einsum("acx,ay->cxy", force, frame.coord), 1e-10)
