"""The reciprocal Ewald sum against loops over its definition, differences and lattice energies."""

import cmath
import itertools
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from dpcore.errors import DPError
from dpcore.longrange import direct, ewald
from dpcore.longrange.wavevectors import COULOMB, WaveVectors, half_count

METHODS = pytest.mark.parametrize("method", ["direct", "mesh"])


@dataclass(frozen=True)
class System:
    """Charges in a cell, and how their energy is to be summed."""

    coord: np.ndarray
    charge: np.ndarray
    cell: np.ndarray
    spacing: float
    beta: float

    def sum(self, method="direct", coord=None, cell=None):
        return ewald(
            self.coord if coord is None else coord,
            self.charge,
            self.cell if cell is None else cell,
            spacing=self.spacing,
            beta=self.beta,
            method=method,
        )


def system(seed, n=7, sizes=(5.1, 6.3, 4.2), spacing=0.9, beta=0.9, *, swap=False):
    rng = np.random.default_rng(seed)
    cell = np.diag(sizes) + rng.uniform(-0.2, 0.2, (3, 3)) * min(sizes)
    cell = cell[[1, 0, 2]] if swap else cell
    return System(rng.uniform(-1.5, 2.5, (n, 3)) @ cell, rng.normal(size=n), cell, spacing, beta)


# A sheared cell, one that is left-handed, long and thin, and one much smaller than the window of the mesh.
SYSTEMS = [
    pytest.param(system(0), id="sheared"),
    pytest.param(system(1, swap=True, beta=0.4, spacing=1.0), id="left-handed"),
    pytest.param(system(2, sizes=(2.0, 31.0, 2.6), beta=2.0), id="needle"),
    pytest.param(system(3, n=2, sizes=(1.1, 1.2, 1.3), spacing=2.0), id="tiny"),
    pytest.param(system(4, n=1, spacing=0.7), id="single"),
]
EVERY = pytest.mark.parametrize("given", SYSTEMS)


def looped_energy(given):
    """Return the energy by DeePMD-kit's definition, one wave vector and one charge at a time."""
    most = []
    for row in given.cell:
        length = math.sqrt(sum(x * x for x in row))
        steps = math.ceil(length / given.spacing)
        most.append((steps + steps % 2) // 2)
    reciprocal, total = np.linalg.inv(given.cell).T, 0.0
    for numbers in itertools.product(*(range(-n, n + 1) for n in most)):
        if not any(numbers):
            continue
        m = sum(n * row for n, row in zip(numbers, reciprocal, strict=True))
        factor = sum(
            q * cmath.exp(-2j * math.pi * float(m @ r))
            for q, r in zip(given.charge, given.coord, strict=True)
        )
        square = float(m @ m)
        total += math.exp(-((math.pi / given.beta) ** 2) * square) / square * abs(factor) ** 2
    return total * 14.39964535475696995031 / (2 * math.pi * abs(np.linalg.det(given.cell)))


@METHODS
@EVERY
def test_energy_is_that_of_the_definition(given, method):
    assert given.sum(method).energy == pytest.approx(looped_energy(given), rel=1e-12)


@METHODS
@pytest.mark.parametrize("case", range(4))
def test_numbers_of_deepmd_kit(case, method):
    """DeePMD-kit's own sum, which takes its settings in single precision.

    Its forces have the wrong sign in a left-handed cell, which is the third case.
    """
    numbers = np.load(Path(__file__).parent / "deepmd_ewald.npz")
    given = {k.partition(".")[2]: v for k, v in numbers.items() if k.startswith(f"{case}.")}
    cell, single = given["cell"], {k: float(np.float32(given[k])) for k in ("spacing", "beta")}
    found = ewald(given["coord"], given["charge"], cell, method=method, **single)
    handed = np.sign(np.linalg.det(cell))
    assert handed == (-1 if case == 2 else 1)
    assert found.energy == pytest.approx(float(given["energy"]), rel=1e-12)
    for name, value in {"force": handed * found.force, "virial": found.virial}.items():
        np.testing.assert_allclose(value, given[name], atol=1e-12 * np.abs(given[name]).max())


@METHODS
@EVERY
def test_forces_are_differences_of_the_energy(given, method):
    step, force = 1e-4, given.sum(method).force
    scale = np.abs(force).max() + 1e-3
    for atom, axis in itertools.product(range(min(len(force), 3)), range(3)):
        shift = np.zeros_like(given.coord)
        shift[atom, axis] = step
        up, down = (given.sum(method, coord=given.coord + s * shift).energy for s in (1, -1))
        assert abs(force[atom, axis] + (up - down) / (2 * step)) < 1e-6 * scale


@METHODS
@EVERY
def test_virial_is_the_slope_by_strain(given, method):
    step, virial = 1e-5, given.sum(method).virial
    scale = np.abs(virial).max()
    for axes in itertools.product(range(3), repeat=2):
        energies = []
        for sign in (1, -1):
            strain = np.eye(3)
            strain[axes] += sign * step
            moved = given.sum(method, coord=given.coord @ strain.T, cell=given.cell @ strain.T)
            energies.append(moved.energy)
        slope = (energies[0] - energies[1]) / (2 * step)
        assert abs(virial[axes] + slope) < 1e-7 * scale, axes


@EVERY
def test_shares_add_up(given):
    found = given.sum()
    assert found.shares.sum() == pytest.approx(found.energy, rel=1e-13)
    np.testing.assert_allclose(
        found.virials.sum(axis=0), found.virial, atol=1e-12 * np.abs(found.virial).max()
    )


def test_the_share_of_a_charge_is_half_of_what_it_feels():
    """Doubling a charge adds what it feels of the others, and three times what it feels of itself."""
    given = system(5)
    other = given.charge.copy()
    other[2] *= 2.0
    alone = np.where(np.arange(len(other)) == 2, given.charge, 0.0)
    before, after, itself = (
        ewald(given.coord, q, given.cell, spacing=given.spacing, beta=given.beta)
        for q in (given.charge, other, alone)
    )
    felt = 2.0 * (before.shares[2] - itself.energy)
    assert after.energy - before.energy == pytest.approx(felt + 3.0 * itself.energy, rel=1e-12)
    assert itself.shares[2] == pytest.approx(itself.energy, rel=1e-12)


def test_virials_of_charges_add_up_to_that_of_their_pairs():
    """A charge's virial is half of what the pairs with it have, and its own."""
    given = system(6, n=4)

    def virial(*charged):
        charge = np.where(np.isin(np.arange(4), charged), given.charge, 0.0)
        found = ewald(given.coord, charge, given.cell, spacing=given.spacing, beta=given.beta)
        return found.virial

    single = [virial(i) for i in range(4)]
    for i, found in enumerate(given.sum().virials):
        pairs = sum(virial(i, j) - single[i] - single[j] for j in range(4) if j != i)
        np.testing.assert_allclose(found, single[i] + 0.5 * pairs, atol=1e-12)


@pytest.mark.parametrize(
    ("cell", "ions", "constant", "nearest"),
    [
        (5.64, [(0, 0, 0), (0, 0.5, 0.5), (0.5, 0, 0.5), (0.5, 0.5, 0)], 1.747564594633182, 0.5),
        (4.12, [(0, 0, 0)], 1.762674773070992, math.sqrt(3.0) / 2.0),
    ],
    ids=["NaCl", "CsCl"],
)
@METHODS
def test_lattice_energy(cell, ions, constant, nearest, method):
    """With the part in real space, and without the Gaussians' own energies, point charges remain."""
    beta, positive = 1.0, np.array(ions, np.float64)
    points = np.concatenate([positive, positive + 0.5]) * cell
    charge = np.repeat([1.0, -1.0], len(positive))
    found = ewald(points, charge, cell * np.eye(3), spacing=0.2, beta=beta, method=method)
    near = 0.0
    for shift in itertools.product(range(-2, 3), repeat=3):
        for i, j in itertools.product(range(len(points)), repeat=2):
            r = float(np.linalg.norm(points[j] + cell * np.array(shift) - points[i]))
            near += 0.5 * charge[i] * charge[j] * math.erfc(beta * r) / r if r > 0 else 0.0
    own = beta / math.sqrt(math.pi) * len(points)
    energy = found.energy + COULOMB * (near - own)
    assert energy == pytest.approx(-len(ions) * constant * COULOMB / (nearest * cell), rel=1e-11)
    np.testing.assert_allclose(found.force, 0.0, atol=1e-10)


@pytest.mark.parametrize(
    ("length", "spacing", "half"),
    [(6.4, 1.0, 4), (6.0, 1.0, 3), (6.0001, 1.0, 4), (0.3, 1.0, 1), (8.1, 0.5, 9), (7.0, 0.7, 5)],
)
def test_number_of_wave_vectors(length, spacing, half):
    assert half_count(length, spacing) == half


def test_a_spacing_just_too_large_takes_two_more_steps():
    assert half_count(7.0, float(np.float32(0.7))) == 6


def test_wave_vectors_are_those_of_the_lattice():
    waves = WaveVectors(system(0).cell, (2, 1, 3))
    reciprocal = np.linalg.inv(waves.cell).T
    i, j, k = waves.numbers
    assert i.tolist() == [0, 1, 2, -2, -1]
    assert k.tolist() == [0, 1, 2, 3]
    for place in [(0, 0, 0), (4, 1, 2), (2, 2, 3)]:
        m = np.array([i[place[0]], j[place[1]], k[place[2]]]) @ reciprocal
        assert waves.squared[place] == pytest.approx(m @ m, rel=1e-13)
    assert waves.multiplicity @ np.ones(4) * 15 == 5 * 3 * 7


def test_blocks_make_no_difference(monkeypatch):
    given = system(8, n=11)
    expected = given.sum("direct")
    monkeypatch.setattr(direct, "BLOCK", 1)
    found = given.sum("direct")
    np.testing.assert_allclose(found.force, expected.force, rtol=1e-12)
    assert found.energy == pytest.approx(expected.energy, rel=1e-13)


@METHODS
def test_no_charges(method):
    found = ewald(np.zeros((0, 3)), np.zeros(0), 5.0 * np.eye(3), method=method)
    assert found.energy == 0.0
    assert not found.virial.any()
    assert (found.force.shape, found.virials.shape) == ((0, 3), (0, 3, 3))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"spacing": 0.0}, "ewald_h: 0.0 is not allowed; give a number above 0"),
        ({"beta": math.nan}, "ewald_beta: nan is not allowed; give a number above 0"),
        ({"method": "pppm"}, "ewald_method: 'pppm' is unknown; allowed: auto, direct, mesh"),
        (
            {"spacing": 1e-3},
            (
                "ewald_h: 0.001 Å makes 500,002,000,002,500,001 wave vectors in this cell; allowed: "
                "200,000,000, give a larger spacing"
            ),
        ),
    ],
)
def test_settings_without_a_meaning(settings, message):
    with pytest.raises(DPError) as error:
        ewald(np.zeros((1, 3)), np.ones(1), 1e3 * np.eye(3), **settings)
    assert str(error.value) == message
