"""Energies do not depend on where things are, how they are turned and in which order they come."""

import dataclasses as dc

import numpy as np
import pytest
from example_models import EXAMPLES, TYPES
from harness import assert_close, assert_same

TOLERANCE = 1e-10
BOUNDARIES = pytest.mark.parametrize("periodic", [True, False], ids=["periodic", "open"])


def orthogonal(seed, determinant):
    q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    return q * np.sign(np.linalg.det(q)) * determinant


@BOUNDARIES
@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_translation(example, periodic, predict):
    model, frame = example.double(), example.frame(periodic=periodic)
    far = dc.replace(frame, coord=frame.coord + np.array([17.3, -4.1, 2.9]))
    result, expected = predict(model, [far, frame])
    assert_same(result, expected, TOLERANCE)


@BOUNDARIES
@pytest.mark.parametrize("determinant", [1, -1], ids=["rotation", "reflection"])
@pytest.mark.parametrize("example", [e for e in EXAMPLES if e.isotropic], ids=str)
def test_rotation(example, determinant, periodic, predict):
    model, frame = example.double(), example.frame(periodic=periodic)
    q = orthogonal(5, determinant)
    cell = None if frame.cell is None else frame.cell @ q.T
    result, expected = predict(
        model, [dc.replace(frame, coord=frame.coord @ q.T, cell=cell), frame]
    )
    assert_close(result["energy"], expected["energy"], TOLERANCE, "energy")
    assert_close(result["atom_energy"], expected["atom_energy"], TOLERANCE, "atom_energy")
    assert_close(result["force"], expected["force"] @ q.T, TOLERANCE, "force")
    for key in ("virial", "atom_virial"):
        turned = q @ expected[key].reshape(-1, 3, 3) @ q.T
        assert_close(result[key].reshape(-1, 3, 3), turned, TOLERANCE, key)


@BOUNDARIES
@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_permutation(example, periodic, predict):
    model, frame = example.double(), example.frame(periodic=periodic)
    order = np.random.default_rng(3).permutation(len(TYPES))
    aparam = None if frame.aparam is None else frame.aparam[order]
    mixed = dc.replace(frame, coord=frame.coord[order], types=frame.types[order], aparam=aparam)
    result, expected = predict(model, [mixed, frame])
    per_atom = {"force", "atom_energy", "atom_virial", "mask"}
    permuted = {k: v[order] if k in per_atom else v for k, v in expected.items()}
    assert_same(result, permuted, TOLERANCE)


@pytest.mark.parametrize("example", [e for e in EXAMPLES if e.isotropic], ids=str)
def test_virial_is_symmetric(example, predict):
    for result in predict(example.double(), [example.frame(), example.frame(periodic=False)]):
        virial = result["virial"].reshape(3, 3)
        assert_close(virial, virial.T, TOLERANCE)
