"""DeePMD-kit's own example data, against plain numpy and against numbers read off the files."""

from pathlib import Path

import numpy as np
import pytest

from dpcore.data import find_systems, load_system, systems_from_input


@pytest.fixture(scope="module")
def examples():
    folder = Path(__file__).resolve().parents[4] / "shared" / "deepmd_examples"
    if not folder.is_dir():
        pytest.fail(f"the example data must lie in {folder}, beside the repository")
    return folder


def stored(folder, name, part="set.000"):
    return np.load(folder / part / f"{name}.npy").astype(float)


def test_every_example_loads(examples):
    systems = find_systems(str(examples))
    bases = [str(file.parent) for file in examples.rglob("data.mdb")]
    assert set(bases) <= set(systems)
    assert len(systems) == len(list(examples.rglob("type.raw"))) + len(bases)
    for path in set(systems) - set(bases):
        system = load_system(path)
        expected = sum(len(np.load(file)) for file in Path(path).glob("set.*/coord.npy"))
        assert system.nframes == expected, path
        assert system.periodic != (Path(path) / "nopbc").exists(), path


def test_water_by_the_models_numbering(examples):
    folder = examples / "water/data/data_0"
    system = load_system(str(folder), ["H", "O"])
    assert (system.nframes, system.natoms) == (80, 192)
    assert np.bincount(system.atom_types).tolist() == [128, 64]
    assert system.atom_types[0] == 1
    np.testing.assert_array_equal(system.coord[7, 5], stored(folder, "coord")[7, 15:18])
    np.testing.assert_allclose(system.cell[0], 12.444661 * np.eye(3), atol=1e-5)
    np.testing.assert_array_equal(system.labels["energy"][:, 0], stored(folder, "energy"))


def test_sets_follow_each_other(examples):
    folder = examples / "water/data/data_1"
    energy = load_system(str(folder)).labels["energy"]
    np.testing.assert_array_equal(energy[:80, 0], stored(folder, "energy", "set.000"))
    np.testing.assert_array_equal(energy[80:, 0], stored(folder, "energy", "set.001"))


def test_atomic_parameters_stored_as_one_row(examples):
    folder = examples / "fparam/data/e3000_i2000"
    labels = load_system(str(folder)).labels
    assert labels["fparam"].shape == (300, 1)
    assert labels["aparam"].shape == (300, 54, 1)
    row = stored(folder, "aparam")
    assert row.shape == (1, 5400)
    assert labels["aparam"][99, 53, 0] == row[0, -1]
    assert labels["aparam"][2, 1, 0] == row[0, 2 * 54 + 1]


def test_box_beside_nopbc_is_not_used(examples):
    path = examples / "water_tensor/dipole/training_data_reformat/atomic_system"
    assert (path / "set.000/box.npy").exists()
    system = load_system(str(path))
    assert not system.periodic
    assert system.labels["atomic_dipole"].shape == (80, 192, 3)


def test_dipoles_of_the_oxygens_only(examples):
    labels = load_system(str(examples / "water/dplr/train/data")).labels
    assert labels["atomic_dipole"].shape == (30, 384)
    assert labels["virial"].shape == (30, 9)


def test_mixed_types(examples):
    folder = examples / "property/data/data_0"
    system = load_system(str(folder), ["O", "N", "C", "H"])
    types = stored(folder, "real_atom_types", "set.000000")
    assert system.atom_types.shape == (80, 20)
    np.testing.assert_array_equal(system.atom_types, 3 - types)
    assert system.labels["band_prop"].shape == (80, 3)


def test_other_labels(examples):
    spin = load_system(str(examples / "spin/data_reformat/data_0"))
    assert spin.labels["spin"].shape == spin.labels["force_mag"].shape == (60, 32, 3)
    hessian = load_system(str(examples / "hessian/data/H8C4N2O")).labels["hessian"]
    np.testing.assert_allclose(hessian, hessian.transpose(0, 2, 1), atol=1e-2)
    dos = load_system(str(examples / "dos/data/heat-221")).labels
    # The two files' energy grids are one point apart.
    total = dos["atom_dos"].sum(axis=1)
    np.testing.assert_allclose(total[:, :-1], dos["dos"][:, 1:], rtol=1e-2, atol=2e-2)
    pairs = load_system(str(examples / "population/data")).labels
    assert pairs["atomic_population"].shape == (50, 288, 2)


def test_inputs_name_the_data(examples):
    water = str(examples / "water/se_e2_a/input.json")
    names = [Path(path).name for path in systems_from_input(water, "training_data")]
    assert names == ["data_0", "data_1", "data_2"]
    assert [Path(path).name for path in systems_from_input(water, "validation_data")] == ["data_3"]
    folder = systems_from_input(str(examples / "nopbc/train/input.json"), "training_data")
    assert [Path(path).name for path in folder] == ["C1H4O2", "C3H3O4", "C4H3O1"]
