"""Predictions do not depend on where things are, and turn and permute with them."""

import dataclasses as dc

import numpy as np
import pytest
from example_models import CASES, EXAMPLES
from harness import assert_close, assert_same, is_per_frame, permuted, turned

TOLERANCE = 1e-10
EVERY = pytest.mark.parametrize(
    ("example", "periodic"),
    [pytest.param(e, p, id=f"{e}-{'periodic' if p else 'open'}") for e, p in CASES],
)


def orthogonal(seed, determinant):
    q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    return q * np.sign(np.linalg.det(q)) * determinant


@EVERY
def test_translation(example, periodic, predict):
    model, frame = example.double(), example.frame(periodic=periodic)
    far = dc.replace(frame, coord=frame.coord + np.array([17.3, -4.1, 2.9]))
    result, expected = predict(model, [far, frame])
    if periodic and example.model.virials_by_path:
        # Shares of atoms depend on where the boundary of the cell is; their sum, the virial, does not.
        for prediction in (result, expected):
            del prediction["atom_virial"]
    assert_same(result, expected, TOLERANCE)


@EVERY
@pytest.mark.parametrize("determinant", [1, -1], ids=["rotation", "reflection"])
def test_rotation(example, determinant, periodic, predict):
    if not example.isotropic or (determinant < 0 and example.handed):
        return
    model, frame = example.double(), example.frame(periodic=periodic)
    q = orthogonal(5, determinant)
    result, expected = predict(model, [turned_frame(frame, q), frame])
    assert result.keys() == expected.keys()
    for key, value in expected.items():
        assert_close(result[key], turned(key, value, q, model.output), TOLERANCE, key)


def turned_frame(frame, q):
    cell = None if frame.cell is None else frame.cell @ q.T
    spin = None if frame.spin is None else frame.spin @ q.T
    return dc.replace(frame, coord=frame.coord @ q.T, cell=cell, spin=spin)


@EVERY
def test_permutation(example, periodic, predict):
    model, frame = example.double(), example.frame(periodic=periodic)
    order = np.random.default_rng(3).permutation(len(frame.types))
    result, expected = predict(model, [permuted(frame, order), frame])
    wanted = {k: v if is_per_frame(k, model) else v[order] for k, v in expected.items()}
    assert_same(result, wanted, TOLERANCE)


@pytest.mark.parametrize(
    "example", [e for e in EXAMPLES if e.isotropic and e.model.output.size == 1], ids=str
)
def test_virial_is_symmetric(example, predict):
    if not example.model.output.differentiable:
        return
    frames = example.frames()
    for frame, result in zip(frames, predict(example.double(), frames), strict=True):
        virial = result["virial"].reshape(3, 3)
        if frame.spin is not None:
            # The virial is that of spins that stay; the whole turns with the torques on them.
            virial = virial + result["force_mag"].T @ frame.spin
        assert_close(virial, virial.T, TOLERANCE)
