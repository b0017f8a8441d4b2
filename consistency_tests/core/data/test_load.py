"""One small system, written in every layout must be read the same from each."""

import logging

import h5py
import numpy as np
import pytest

from dpcore.data import load_system, npy

TYPES = [0, 1, 1, 0]
NAMES = ["O", "H"]
NFRAMES, NATOMS = 3, 4


def arrays():
    """Return the arrays of the system with the axes they are to be given back with."""
    count = iter(range(1, 100000))

    def fill(*shape):
        return np.array([next(count) / 8 for _ in range(int(np.prod(shape)))]).reshape(shape)

    return {
        "coord": fill(NFRAMES, NATOMS, 3),
        "box": 5.0 * np.broadcast_to(np.eye(3), (NFRAMES, 3, 3)),
        "energy": fill(NFRAMES, 1),
        "force": fill(NFRAMES, NATOMS, 3),
        "virial": fill(NFRAMES, 9),
        "hessian": fill(NFRAMES, 12, 12),
        "atom_ener": fill(NFRAMES, NATOMS, 1),
        "atomic_dipole": fill(NFRAMES, NATOMS, 3),
        "atomic_polarizability": fill(NFRAMES, NATOMS, 9),
        "fparam": fill(NFRAMES, 2),
        "aparam": fill(NFRAMES, NATOMS, 2),
        "spin": fill(NFRAMES, NATOMS, 3),
        "band_gap": fill(NFRAMES, 5),
    }


def flat(values):
    return values.reshape(len(values), -1)


def write_npy(folder, sets=((0, 3),)):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "type.raw").write_text("\n".join(map(str, TYPES)) + "\n")
    (folder / "type_map.raw").write_text("\n".join(NAMES) + "\n")
    for number, (first, last) in enumerate(sets):
        part = folder / f"set.{number:03d}"
        part.mkdir()
        for name, values in arrays().items():
            np.save(part / f"{name}.npy", flat(values)[first:last])
    return folder


def write_raw(folder):
    folder.mkdir()
    (folder / "type.raw").write_text(" ".join(map(str, TYPES)))
    (folder / "type_map.raw").write_text(" ".join(NAMES))
    for name, values in arrays().items():
        np.savetxt(folder / f"{name}.raw", flat(values))
    return folder


def write_hdf5(file, *, suffix=".npy"):
    with h5py.File(file, "w") as root:
        group = root.create_group("deep/water")
        group["type.raw"] = np.array(TYPES)
        group["type_map.raw"] = np.array(NAMES, dtype="S")
        for first in (0, 1):
            last = first + 1 if first == 0 else NFRAMES
            for name, values in arrays().items():
                group[f"set.{first:03d}/{name}{suffix}"] = flat(values)[first:last]
    return f"{file}#/deep/water"


WRITERS = {
    "npy": lambda tmp: write_npy(tmp / "s"),
    "npy in sets": lambda tmp: write_npy(tmp / "s", sets=((0, 1), (1, 3))),
    "raw": lambda tmp: write_raw(tmp / "s"),
    "hdf5": lambda tmp: write_hdf5(tmp / "s.hdf5"),
    "hdf5 without suffixes": lambda tmp: write_hdf5(tmp / "s.h5", suffix=""),
}


@pytest.mark.parametrize("layout", WRITERS)
def test_every_layout_gives_the_same_system(layout, tmp_path):
    system = load_system(str(WRITERS[layout](tmp_path)))
    expected = arrays()
    np.testing.assert_array_equal(system.coord, expected.pop("coord"))
    np.testing.assert_array_equal(system.cell, expected.pop("box"))
    assert system.labels.keys() == expected.keys()
    for name, values in expected.items():
        assert system.labels[name].dtype == np.float64
        np.testing.assert_array_equal(system.labels[name], values, err_msg=name)
    assert system.atom_types.tolist() == TYPES
    assert system.type_map == tuple(NAMES)
    assert (system.nframes, system.natoms) == (NFRAMES, NATOMS)
    assert (system.periodic, system.mixed) == (True, False)


@pytest.mark.parametrize("layout", WRITERS)
def test_types_are_renumbered_by_name(layout, tmp_path):
    system = load_system(str(WRITERS[layout](tmp_path)), ["C", "H", "O"])
    assert system.atom_types.tolist() == [2, 1, 1, 2]
    assert system.type_map == ("C", "H", "O")


def test_a_name_without_atoms_need_not_be_known(tmp_path):
    folder = write_npy(tmp_path / "s")
    (folder / "type_map.raw").write_text("O H Xe")
    assert load_system(str(folder), ["H", "O"]).atom_types.tolist() == [1, 0, 0, 1]


def test_types_without_names_are_the_models(tmp_path):
    folder = write_npy(tmp_path / "s")
    (folder / "type_map.raw").unlink()
    assert load_system(str(folder), ["C", "H", "O"]).atom_types.tolist() == TYPES
    assert load_system(str(folder)).type_map is None


def test_mixed_types_with_padding(tmp_path):
    folder = write_npy(tmp_path / "s", sets=((0, 1), (1, 3)))
    (folder / "type.raw").write_text("0 0 0 0")
    np.save(folder / "set.000/real_atom_types.npy", [[0, 1, 1, -1]])
    np.save(folder / "set.001/real_atom_types.npy", [[1, 1, 0, 0], [1, -1, -1, -1]])
    system = load_system(str(folder), ["H", "O"])
    assert system.mixed
    assert system.atom_types.tolist() == [[1, 0, 0, -1], [0, 0, 1, 1], [0, -1, -1, -1]]
    assert system.take([2]).atom_types.tolist() == [[0, -1, -1, -1]]
    assert "real_atom_types" not in system.labels


def test_the_type_raw_of_mixed_types_only_counts_the_atoms(tmp_path):
    folder = write_npy(tmp_path / "s")
    (folder / "type.raw").write_text("0 0 0 0")
    (folder / "type_map.raw").write_text("Xe O H")
    np.save(folder / "set.000/real_atom_types.npy", [[1, 2, 2, -1]] * NFRAMES)
    assert load_system(str(folder), ["H", "O"]).atom_types.tolist() == [[1, 0, 0, -1]] * NFRAMES


def test_take_copies_the_chosen_frames(tmp_path):
    system = load_system(str(write_npy(tmp_path / "s")))
    taken = system.take([2, 0, 2])
    expected = arrays()
    np.testing.assert_array_equal(taken.coord, expected["coord"][[2, 0, 2]])
    np.testing.assert_array_equal(taken.labels["energy"], expected["energy"][[2, 0, 2]])
    assert (taken.nframes, taken.cell.shape) == (3, (3, 3, 3))
    taken.coord[:] = 0
    np.testing.assert_array_equal(system.coord, expected["coord"])
    assert system.take(np.array([False, True, False])).nframes == 1
    assert system.take([]).nframes == 0


def test_label_under_either_spelling(tmp_path):
    system = load_system(str(write_npy(tmp_path / "s")))
    assert system.label("atom_dipole") is system.labels["atomic_dipole"]
    assert system.label("atomic_ener") is system.labels["atom_ener"]
    assert system.label("energy") is system.labels["energy"]
    assert system.label("atom_dos") is None


def test_nopbc_wins_over_any_box(tmp_path):
    folder = write_npy(tmp_path / "s")
    (folder / "nopbc").touch()
    np.save(folder / "set.000/box.npy", np.zeros(7))
    system = load_system(str(folder))
    assert system.cell is None
    assert not system.periodic
    assert "box" not in system.labels


def test_a_label_of_some_sets_is_left_out_with_a_warning(tmp_path, caplog):
    folder = write_npy(tmp_path / "s", sets=((0, 1), (1, 3)))
    (folder / "set.001/virial.npy").unlink()
    with caplog.at_level(logging.WARNING):
        assert "virial" not in load_system(str(folder)).labels
    assert caplog.messages == [f"{folder}: virial is left out, {folder / 'set.001'} has none"]


def test_one_long_row_is_read_where_its_size_is_clear(tmp_path):
    folder = write_npy(tmp_path / "s")
    for name in ("coord", "energy", "force", "aparam"):
        np.save(folder / f"set.000/{name}.npy", arrays()[name].reshape(1, -1))
    np.save(folder / "set.000/coord.npy", arrays()["coord"].ravel())
    system = load_system(str(folder))
    for name in ("energy", "force"):
        np.testing.assert_array_equal(system.labels[name], arrays()[name])
    assert system.labels["aparam"].shape == (NFRAMES, NATOMS, 2)


def test_single_frame_without_a_frame_axis(tmp_path):
    folder = write_npy(tmp_path / "s", sets=((0, 1),))
    for file in (folder / "set.000").glob("*.npy"):
        np.save(file, np.load(file)[0])
    system = load_system(str(folder))
    np.testing.assert_array_equal(system.labels["band_gap"], arrays()["band_gap"][:1])
    np.testing.assert_array_equal(system.labels["force"], arrays()["force"][:1])


def test_a_label_of_some_atoms_stays_flat(tmp_path):
    folder = write_npy(tmp_path / "s")
    np.save(folder / "set.000/atomic_dipole.npy", np.ones((NFRAMES, 2 * 3)))
    assert load_system(str(folder)).labels["atomic_dipole"].shape == (NFRAMES, 6)


def mapped(values):
    return values is not None and (isinstance(values, np.memmap) or mapped(values.base))


def test_a_large_file_is_mapped_and_not_changed(tmp_path, monkeypatch):
    monkeypatch.setattr(npy, "MAP_FROM_BYTES", 1)
    folder = write_npy(tmp_path / "s")
    system = load_system(str(folder))
    assert mapped(system.coord)
    assert mapped(system.labels["force"])
    system.coord[:] = 0
    np.testing.assert_array_equal(load_system(str(folder)).coord, arrays()["coord"])
