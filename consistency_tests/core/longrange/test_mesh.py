"""The particle mesh against the plain sum over the same wave vectors."""

import importlib

import numpy as np
import pytest

from dpcore.longrange import ewald, mesh
from dpcore.longrange.direct import DirectSum
from dpcore.longrange.mesh import ParticleMesh, folded, smooth_size
from dpcore.longrange.wavevectors import WaveVectors
from dpcore.longrange.window import WIDTH, transform, window

TOLERANCE = {"force": 1e-12, "virial": 1e-12, "shares": 1e-12, "virials": 1e-10}


def charges(seed, n, cell):
    rng = np.random.default_rng(seed)
    return rng.uniform(-1.0, 2.0, (n, 3)) @ cell, rng.normal(size=n)


def assert_same(coord, charge, cell, spacing=1.0, beta=0.4):
    found, plain = (
        ewald(coord, charge, cell, spacing=spacing, beta=beta, method=m) for m in ("mesh", "direct")
    )
    assert found.energy == pytest.approx(plain.energy, rel=1e-12)
    for name, tolerance in TOLERANCE.items():
        expected = getattr(plain, name)
        error = np.abs(getattr(found, name) - expected).max() / np.abs(expected).max()
        assert error < tolerance, name


# Widths from Gaussians that hide the ends of the spectrum to almost points, where nothing does.
@pytest.mark.parametrize("beta", [0.4, 1.0, 5.0])
@pytest.mark.parametrize("spacing", [0.6, 1.0, 3.0])
def test_as_the_plain_sum(spacing, beta):
    cell = np.array([[11.0, 0.4, -2.0], [3.0, 9.0, 1.0], [-1.5, 2.5, 13.0]])
    coord, charge = charges(1, 90, cell)
    assert_same(coord, charge, cell, spacing, beta)


@pytest.mark.parametrize(
    "sizes", [(1.2, 1.1, 1.4), (40.0, 2.0, 3.0), (2.0, 3.0, 30.0)], ids=["tiny", "long", "tall"]
)
def test_cells_of_any_shape(sizes):
    cell = np.diag(sizes) + 0.1
    assert_same(*charges(2, 30, cell), cell)


def test_charges_on_the_boundary():
    cell = 17.0 * np.eye(3)
    coord, charge = charges(3, 8, cell)
    coord[:5] = [[0, 0, 0], [17, 17, 17], [-1e-16, 0, 0], [8.5, 16.999999999, 0], [0, -17, 1e-17]]
    assert_same(coord, charge, cell)


def test_crowds_are_divided(monkeypatch):
    monkeypatch.setattr(mesh, "CROWD", 3)
    cell = 9.0 * np.eye(3)
    assert_same(*charges(8, 31, cell), cell)


def test_charges_at_one_place():
    cell, coord = 9.0 * np.eye(3), np.full((3, 3), 1.7)
    together = ewald(coord, np.array([1.0, 2.0, -0.5]), cell, method="mesh")
    alone = ewald(coord[:1], np.array([2.5]), cell, method="direct")
    assert together.energy == pytest.approx(alone.energy, rel=1e-12)
    assert np.abs(together.force).max() < 1e-12


def test_structure_factors():
    cell = np.array([[8.0, 0.0, 0.0], [2.0, 7.0, 0.0], [1.0, -1.0, 9.0]])
    waves = WaveVectors.of_spacing(cell, 1.0)
    points = np.random.default_rng(4).uniform(size=(20, 3))
    charge = np.random.default_rng(5).normal(size=20)
    i, j, k = np.ix_(*waves.numbers)
    expected = sum(
        q * np.exp(-2j * np.pi * (i * x + j * y + k * z))
        for q, (x, y, z) in zip(charge, points, strict=True)
    )
    for method in (DirectSum, ParticleMesh):
        found = method(waves, points).structure(charge)
        np.testing.assert_allclose(found, expected, atol=1e-11)


def test_auto_chooses_by_the_amount_of_work(monkeypatch):
    module = importlib.import_module("dpcore.longrange.ewald")
    cell = 6.0 * np.eye(3)
    coord, charge = charges(6, 12, cell)

    def force(method):
        return ewald(coord, charge, cell, method=method).force

    assert not np.array_equal(force("direct"), force("mesh"))
    assert np.array_equal(force("auto"), force("direct"))
    monkeypatch.setattr(module, "MESH_FROM", 0)
    assert np.array_equal(force("auto"), force("mesh"))


def test_forces_of_the_mesh_cancel():
    cell = 12.0 * np.eye(3)
    coord, charge = charges(7, 200, cell)
    found = ewald(coord, charge, cell, method="mesh")
    assert np.abs(found.force.sum(axis=0)).max() < 1e-14 * np.abs(found.force).sum()
    assert found.shares.sum() == pytest.approx(found.energy, rel=1e-13)


def test_derivatives_of_the_window():
    x, step = np.linspace(-WIDTH / 2 + 0.01, WIDTH / 2 - 0.01, 57), 1e-4
    value, slope, curvature = window(x, 2)
    above, below = window(x + step, 1), window(x - step, 1)
    np.testing.assert_allclose(slope, (above[0] - below[0]) / (2 * step), atol=1e-7)
    np.testing.assert_allclose(curvature, (above[1] - below[1]) / (2 * step), atol=1e-6)
    assert value.max() == pytest.approx(window(np.zeros(1), 0)[0][0], rel=0.1)
    for values in window(np.array([WIDTH / 2, -WIDTH / 2, 99.0]), 2):
        assert not values.any()


def test_transform_of_the_window():
    x = np.linspace(-WIDTH / 2, WIDTH / 2, 20001)
    (values,) = window(x, 0)
    for frequency in (0.0, 0.1, 0.25):
        expected = np.trapezoid(values * np.cos(2 * np.pi * frequency * x), x)
        assert transform(np.array([frequency]))[0] == pytest.approx(expected, rel=1e-8)


def test_sizes():
    assert [smooth_size(n) for n in (1, 2, 7, 14, 22, 98, 202)] == [2, 2, 8, 16, 24, 100, 216]


def test_folding():
    values = np.arange(7.0)[:, None] * np.ones(2)
    assert folded(values, 3, 0)[:, 0].tolist() == [0 + 3 + 6, 1 + 4, 2 + 5]
