"""Errors of tensors, densities of states, properties and spins against numbers worked out by hand."""

import logging
from math import sqrt

import numpy as np
import pytest
from known_model import Known, numbers, system

from dpcore.accuracy import DetailFiles, report, system_errors
from dpcore.errors import DPError
from dpcore.models import ENERGY
from dpcore.output import Output

DIPOLE = Output("global_dipole", "dipole", (3,), differentiable=True, rank=1)
POLAR = Output("global_polar", "polar", (3, 3), rank=2)
DOS = Output("dos", "atom_dos", (2,))
GAP = Output("gap", "atom_gap", (2,), intensive=True)


def dipoles(nframes=2, natoms=3):
    """Predict 1 for every component of a frame and 2 for every one of an atom."""
    known = {"global_dipole": np.ones((nframes, 3)), "dipole": np.full((nframes, natoms, 3), 2.0)}
    return Known(known, output=DIPOLE)


def water(**labels):
    """Two frames of three atoms, of which the first two are of the selected type."""
    return system(types=(0, 0, 1), **labels)


def errors_of(model, data, **options):
    errors = system_errors(model, data, **options).errors
    return {name: (error.mae, error.rmse) for name, error in errors.items()}


def test_dipoles_of_frames():
    label = np.ones((2, 3))
    label[0, 0] += 3.0
    found = errors_of(dipoles(), water(dipole=label))
    rmse = sqrt(9 / 6)
    assert found["dipole"] == pytest.approx((0.5, rmse))
    assert found["dipole_per_sqrt_atom"][1] == pytest.approx(rmse / sqrt(2))
    assert found["dipole_per_atom"][1] == pytest.approx(rmse / 2)
    tested = system_errors(dipoles(), water(dipole=label))
    assert report(tested.errors) == [
        "Dipole  MAE        : 5.000000e-01",
        "Dipole  RMSE       : 1.224745e+00",
        "Dipole  RMSE/sqrtN : 8.660254e-01",
        "Dipole  RMSE/N     : 6.123724e-01",
        "The unit of error is the same as the unit of provided label.",
    ]


@pytest.mark.parametrize("name", ["atomic_dipole", "atom_dipole"])
@pytest.mark.parametrize("atoms", [3, 2])
def test_dipoles_of_atoms_may_be_those_of_the_selected_types_alone(name, atoms):
    label = np.full((2, atoms, 3), 2.0)
    label[:, 0] += 1.0
    if atoms == 3:
        label[:, 2] = 1e6  # of an atom that does not count
    labels = {name: label if atoms == 3 else label.reshape(2, -1), "dipole": np.zeros((2, 3))}
    found = errors_of(dipoles(), water(**labels), atomic=True)
    assert found == {"dipole": pytest.approx((0.5, sqrt(0.5)))}


def test_labels_of_atoms_that_fit_nothing():
    data = water(atomic_dipole=np.zeros((2, 12)))
    with pytest.raises(
        DPError,
        match="water: atom_dipole has 12 numbers a frame; 3 atoms need 9, the 2 of the selected types 6",
    ):
        system_errors(dipoles(), data, atomic=True)
    data = water(gap=np.zeros((2, 5)))
    model = Known({"gap": np.zeros((2, 2)), "atom_gap": np.zeros((2, 3, 2))}, output=GAP)
    with pytest.raises(DPError, match="water: gap has 5 numbers a frame; the model predicts 2"):
        system_errors(model, data)


def test_no_selected_atom_leaves_the_sums_alone():
    data = system(types=(1, 1, 1), dipole=np.zeros((2, 3)))
    assert errors_of(dipoles(), data) == {"dipole": (1.0, 1.0)}
    data = system(types=(1, 1, 1), atomic_dipole=np.zeros((2, 3, 3)))
    assert errors_of(dipoles(), data, atomic=True) == {}


def test_frames_of_their_own_composition():
    """Two selected atoms in one frame and one in the other; padding does not count."""
    label = np.zeros((2, 3, 3))
    data = system(types=[[0, 0, 1], [0, 1, -1]], atomic_dipole=label, dipole=np.zeros((2, 3)))
    tested = system_errors(dipoles(), data, atomic=True)
    assert tested.errors["dipole"].weight == 9
    found = errors_of(dipoles(), data)
    assert found["dipole_per_atom"] == pytest.approx((0.75, sqrt((0.25 + 1) / 2)))
    assert found["dipole_per_sqrt_atom"][1] == pytest.approx(sqrt((0.5 + 1) / 2))


def test_polarizabilities():
    known = {"global_polar": np.ones((2, 3, 3)), "polar": np.full((2, 3, 3, 3), 2.0)}
    model = Known(known, output=POLAR)
    data = water(polarizability=np.zeros((2, 9)), atomic_polarizability=np.zeros((2, 3, 9)))
    assert errors_of(model, data)["polarizability"] == (1.0, 1.0)
    assert errors_of(model, data, atomic=True) == {"polarizability": (2.0, 2.0)}
    lines = report(system_errors(model, data).errors)
    assert lines[1] == "Polarizability  RMSE       : 1.000000e+00"
    assert lines[2] == f"Polarizability  RMSE/sqrtN : {sqrt(0.5):e}"


def test_densities_of_states():
    known = {"dos": np.array([[1.0, 3.0], [0.0, 0.0]]), "atom_dos": np.full((2, 3, 2), 0.25)}
    model = Known(known, output=DOS)
    data = water(dos=np.zeros((2, 2)), atom_dos=np.zeros((2, 3, 2)))
    tested = system_errors(model, data, atomic=True)
    assert report(tested.errors) == [
        "DOS MAE            : 1.000000e+00 Occupation/eV",
        f"DOS RMSE           : {sqrt(2.5):e} Occupation/eV",
        f"DOS MAE/Natoms     : {1 / 3:e} Occupation/eV",
        f"DOS RMSE/Natoms    : {sqrt(2.5) / 3:e} Occupation/eV",
        "Atomic DOS MAE     : 2.500000e-01 Occupation/eV",
        "Atomic DOS RMSE    : 2.500000e-01 Occupation/eV",
    ]
    assert set(errors_of(model, data)) == {"dos", "dos_per_atom"}


def test_any_other_property_by_its_name():
    known = {"gap": np.ones((2, 2)), "atom_gap": np.full((2, 3, 2), 0.5)}
    model = Known(known, output=GAP)
    # A label that has no shape of its own is flat.
    data = water(gap=np.zeros((2, 2)), atom_gap=np.zeros((2, 6)))
    assert report(system_errors(model, data, atomic=True).errors) == [
        "PROPERTY MAE            : 1.000000e+00 units",
        "PROPERTY RMSE           : 1.000000e+00 units",
        "Atomic PROPERTY MAE     : 5.000000e-01 units",
        "Atomic PROPERTY RMSE    : 5.000000e-01 units",
    ]


@pytest.mark.parametrize(
    ("model", "atomic", "missing"),
    [
        (dipoles(), False, "dipole"),
        (dipoles(), True, "atom_dipole"),
        (Known({}, output=POLAR), True, "atom_polarizability"),
        (Known({}, output=DOS), True, "dos, atom_dos"),
        (Known({}, output=GAP), True, "gap, atom_gap"),
    ],
)
def test_missing_labels_are_named(caplog, model, atomic, missing):
    with caplog.at_level(logging.WARNING):
        assert not system_errors(model, water(path="bare"), atomic=atomic).errors
    assert caplog.messages == [f"bare: skipped, for it has no label ({missing})"]


def spins():
    """Predict forces of 1 and magnetic forces of 2 on the first atom, the only one with a spin."""
    known = {
        "energy": np.zeros((2, 1)),
        "force": np.ones((2, 3, 3)),
        "force_mag": np.full((2, 3, 3), 2.0),
        "mask_mag": np.array([[[True], [False], [False]]] * 2),
        "virial": np.zeros((2, 9)),
    }
    return Known(known, output=ENERGY, spin=True)


def test_forces_on_atoms_and_on_spins():
    labels = {"force": np.zeros((2, 3, 3)), "force_mag": np.zeros((2, 3, 3))}
    data = water(spin=np.ones((2, 3, 3)), **labels)
    tested = system_errors(spins(), data)
    assert tested.missing == ("energy", "virial")
    assert tested.errors["spin_force"].weight == 6
    assert report(tested.errors) == [
        "Force atom MAE      : 1.000000e+00 eV/Å",
        "Force atom RMSE     : 1.000000e+00 eV/Å",
        "Force spin MAE      : 2.000000e+00 eV/uB",
        "Force spin RMSE     : 2.000000e+00 eV/uB",
    ]


def test_spins_are_needed():
    with pytest.raises(DPError, match=r"water: no spin, of which the model needs 3; add spin.npy"):
        system_errors(spins(), water(force=np.zeros((2, 3, 3))))


def details(tmp_path, model, *data, **options):
    files = DetailFiles(str(tmp_path / "run"))
    for one in data:
        system_errors(model, one, details=files, **options)
    return {file.name: file.read_text("utf-8") for file in tmp_path.iterdir()}


def test_details_of_a_tensor_are_in_a_file_for_each_system(tmp_path):
    one, two = (water(dipole=np.full((2, 3), x), path=f"w{x}") for x in (5, 7))
    found = details(tmp_path, dipoles(), one, two)
    assert sorted(found) == ["run.out", "run.out.1"]
    assert found["run.out"].startswith("# w5: data_x data_y data_z pred_x pred_y pred_z\n")
    np.testing.assert_array_equal(numbers(found["run.out.1"]), [[7, 7, 7, 1, 1, 1]] * 2)


def test_details_of_atomic_tensors_have_a_row_for_each_frame(tmp_path):
    label = np.arange(18.0).reshape(2, 3, 3)
    found = details(tmp_path, dipoles(), water(atomic_dipole=label), atomic=True)
    assert found["run.out"].startswith(
        "# water: data_x1 data_y1 data_z1 data_x2 data_y2 data_z2 pred_x1 "
    )
    rows = numbers(found["run.out"])
    np.testing.assert_array_equal(rows[1], [9, 10, 11, 12, 13, 14, *[2] * 6])


def test_details_of_many_numbers_are_in_a_file_for_each_frame(tmp_path, monkeypatch):
    monkeypatch.setattr("dpcore.accuracy.systems.CHUNK_ATOMS", 1)
    known = {"dos": np.array([[1.0, 3.0], [5.0, 6.0]]), "atom_dos": np.full((2, 3, 2), 0.25)}
    model = Known(known, output=DOS)
    data = [water(dos=np.zeros((2, 2)), atom_dos=np.ones((2, 3, 2)), path=p) for p in "ab"]
    found = details(tmp_path, model, *data, atomic=True)
    ends = ("0", "1", "1.0", "1.1")
    assert sorted(found) == sorted(f"run.{n}.out.{e}" for n in ("dos", "ados") for e in ends)
    assert found["run.dos.out.1"].startswith("# a - 1: data_dos pred_dos\n")
    assert found["run.dos.out.1.0"].startswith("# b - 0: data_dos pred_dos\n")
    np.testing.assert_array_equal(numbers(found["run.dos.out.1"]), [[0, 5], [0, 6]])
    np.testing.assert_array_equal(numbers(found["run.ados.out.0"]), [[1, 0.25]] * 6)


def test_details_of_spins(tmp_path):
    labels = {"force": np.zeros((2, 3, 3)), "force_mag": np.zeros((2, 3, 3))}
    found = details(tmp_path, spins(), water(spin=np.ones((2, 3, 3)), **labels))
    assert sorted(found) == ["run.fm.out", "run.fr.out"]
    assert found["run.fm.out"].startswith("# water: data_fmx data_fmy data_fmz pred_fmx ")
    assert found["run.fr.out"].startswith("# water: data_fx data_fy data_fz pred_fx ")
    assert numbers(found["run.fr.out"]).shape == (6, 6)
    np.testing.assert_array_equal(numbers(found["run.fm.out"]), [[0, 0, 0, 2, 2, 2]] * 2)
