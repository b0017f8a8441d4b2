"""Data spoiled in every way: the error is one line that names the place."""

import pickle

import h5py
import numpy as np
import pytest

from dpcore.data import load_system, npy
from dpcore.errors import DPError

NFRAMES, NATOMS = 3, 4
FLAT = {
    "coord": np.linspace(0, 4, 36).reshape(3, 12),
    "box": np.tile(5.0 * np.eye(3).ravel(), (3, 1)),
    "energy": np.arange(3.0),
    "force": np.ones((3, 12)),
    "virial": np.ones((3, 9)),
    "hessian": np.ones((3, 144)),
    "fparam": np.ones((3, 2)),
    "aparam": np.ones((3, 8)),
    "atomic_dipole": np.ones((3, 12)),
    "band_gap": np.ones((3, 2)),
}


def write_npy(folder):
    part = folder / "set.000"
    part.mkdir(parents=True)
    (folder / "type.raw").write_text("0 1 1 0")
    (folder / "type_map.raw").write_text("O H")
    for name, values in FLAT.items():
        np.save(part / f"{name}.npy", values)
    return folder


def spoil(name, values):
    return lambda folder: np.save(folder / f"set.000/{name}.npy", values)


def write(name, data):
    return lambda folder: (folder / name).write_bytes(data)


def remove(*names):
    return lambda folder: [(folder / name).unlink() for name in names]


def with_value(name, frame, value):
    values = FLAT[name].copy()
    values[frame, 0] = value
    return spoil(name, values)


def empty_set(folder):
    (folder / "set.001").mkdir()


def no_sets(folder):
    (folder / "set.000").rename(folder / "frames")


def half(folder):
    file = folder / "set.000/force.npy"
    file.write_bytes(file.read_bytes()[:150])


def mixed_in_one_set(folder):
    (folder / "set.000").rename(folder / "set.001")
    write_npy(folder)
    np.save(folder / "set.001/real_atom_types.npy", np.zeros((NFRAMES, NATOMS), dtype=int))


def widths_differ(folder):
    (folder / "set.000").rename(folder / "set.001")
    write_npy(folder)
    np.save(folder / "set.001/fparam.npy", np.zeros((NFRAMES, 3)))


PICKLED = pickle.dumps({"coord": 1})
SPOILED = {
    "no type.raw": (remove("type.raw"), "no system found"),
    "empty type.raw": (write("type.raw", b"\n"), "type.raw: lists no atoms"),
    "binary type.raw": (write("type.raw", b"\xff\xfe\x00"), "type.raw: not a text file"),
    "word in type.raw": (write("type.raw", b"0 1 H 0"), "type.raw: atom 2 has type 'H'"),
    "negative type": (write("type.raw", b"0 1 -1 0"), "type.raw: atom 2 has type -1"),
    "fractional type": (write("type.raw", b"0 1.5 1 0"), "type.raw: atom 1 has type 1.5"),
    "unnamed type": (write("type.raw", b"0 1 1 2"), "atom 3 has type 2, but type_map.raw names 2"),
    "wrong natoms": (write("type.raw", b"0 1 1"), "coord.npy: 12 numbers per frame where 3 atoms"),
    "no sets": (no_sets, "no frames; put them in set.000/coord.npy"),
    "empty set": (empty_set, "set.001: no coord; it is empty"),
    "no frames": (spoil("coord", np.zeros((0, 12))), "coord.npy: holds no frames"),
    "no box": (remove("set.000/box.npy"), "add box.npy (or box.raw), or an empty file nopbc"),
    "flat box": (spoil("box", np.zeros((3, 9))), "box.npy: the box of frame 0 has no volume"),
    "box of one frame": (spoil("box", np.eye(3).reshape(1, 9)), "box.npy: frame count 1 differs from coord's 3"),
    "uneven coord": (spoil("coord", np.zeros(17)), "coord.npy: 17 numbers per frame"),
    "frames of a label": (spoil("force", np.zeros((2, 12))), "force.npy: frame count 2 differs from coord's 3"),
    "frames of a scalar": (spoil("energy", np.zeros(6)), "energy.npy: frame count 6 differs"),
    "frames of a property": (spoil("band_gap", np.zeros((1, 6))), "frame count 1 differs"),
    "frames as a row": (spoil("aparam", np.zeros((2, 12))), "aparam.npy: frame count 2 differs"),
    "size of a label": (spoil("virial", np.zeros((3, 6))), "virial.npy: 6 numbers per frame where"),
    "size of aparam": (spoil("aparam", np.zeros((3, 6))), "4 atoms need a multiple of 4"),
    "size of a dipole": (spoil("atomic_dipole", np.zeros((3, 15))), "atomic_dipole.npy: 15 numbers"),
    "size of a hessian": (spoil("hessian", np.zeros((3, 12))), "4 atoms need 144"),
    "no numbers at all": (spoil("fparam", np.zeros((3, 0))), "fparam.npy: 0 numbers per frame"),
    "nan": (with_value("force", 2, np.nan), "force.npy: frame 2 holds nan or inf"),
    "inf": (with_value("coord", 1, np.inf), "coord.npy: frame 1 holds nan or inf"),
    "text label": (spoil("energy", np.array(["a", "b", "c"])), "energy.npy: holds <U1 values"),
    "pickled objects": (spoil("energy", np.array([{}, {}, {}])), "energy.npy: holds pickled objects"),
    "a pickle": (write("set.000/energy.npy", PICKLED), "energy.npy: not a readable npy file"),
    "an empty file": (write("set.000/energy.npy", b""), "energy.npy: not a readable npy file"),
    "half a file": (half, "force.npy: not a readable npy file"),
    "mixed in one set": (mixed_in_one_set, "set.000: no real_atom_types, which other sets"),
    "too few mixed types": (spoil("real_atom_types", [[0] * 4]), "4 types where 3 frames of 4 atoms"),
    "bad mixed type": (spoil("real_atom_types", [[0, 0, 0, 0]] * 2 + [[0, 0, -2, 0]]), "frame 2, atom 2"),
    "unnamed mixed type": (
        spoil("real_atom_types", [[0, 0, 0, 0]] * 2 + [[0, 5, 0, 0]]),
        "real_atom_types.npy: frame 2, atom 1 has type 5, but type_map.raw names 2",
    ),
    "widths differ": (widths_differ, "fparam has frames of shapes (2,) and (3,)"),
}  # fmt: skip


@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize("case", SPOILED)
def test_bad_data_is_one_line_that_names_the_place(case, mapped, tmp_path, monkeypatch):
    if mapped:
        monkeypatch.setattr(npy, "MAP_FROM_BYTES", 0)
    change, message = SPOILED[case]
    folder = write_npy(tmp_path / "s")
    change(folder)
    with pytest.raises(DPError) as caught:
        load_system(str(folder))
    text = str(caught.value)
    assert message in text
    assert str(folder) in text
    assert "\n" not in text


def test_an_unknown_element_is_named_with_what_the_model_knows(tmp_path):
    folder = write_npy(tmp_path / "s")
    with pytest.raises(DPError, match=r"type\.raw: atoms of H, but the model knows C O;"):
        load_system(str(folder), ["C", "O"])


def test_an_unnamed_type_beyond_the_models(tmp_path):
    folder = write_npy(tmp_path / "s")
    (folder / "type_map.raw").unlink()
    with pytest.raises(DPError, match=r"atom 1 has type 1, but the model has 1 types \(O\)"):
        load_system(str(folder), ["O"])


def write_raw(folder, **changed):
    folder.mkdir()
    (folder / "type.raw").write_text("0 1 1 0")
    for name, values in FLAT.items():
        np.savetxt(folder / f"{name}.raw", np.atleast_2d(values.T).T)
    for name, text in changed.items():
        (folder / f"{name}.raw").write_text(text)
    return str(folder)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"coord": ""}, "coord.raw: holds no frames"),
        ({"energy": "1\n2\n"}, "energy.raw: frame count 2 differs from coord's 3"),
        ({"force": "1 2\n3\n"}, "force.raw: "),
        ({"virial": "1 2 x\n"}, "one frame a line"),
        (
            {"force": "nan " * 12 + "\n" + "1 " * 12 + "\n" + "1 " * 12},
            "force.raw: frame 0 holds nan",
        ),
    ],
)
def test_bad_raw_files(changed, message, tmp_path):
    with pytest.raises(DPError) as caught:
        load_system(write_raw(tmp_path / "s", **changed))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.fixture
def hdf5(tmp_path):
    file = tmp_path / "s.hdf5"
    with h5py.File(file, "w") as root:
        root["a/type.raw"] = [0, 1, 1, 0]
        root["a/type_map.raw"] = np.array([1, 2])
        root["a/set.000/coord.npy"] = FLAT["coord"]
        root["b/type.raw"] = [0, 1, 1, 0]
        root["b/set.000/coord.npy"] = FLAT["coord"]
        root["c/type.raw"] = [0, 1, 1, 0]
        root["c/nopbc"] = True
        root["c/set.log"] = 1.0
        root["c/set.000/coord.npy"] = np.full((3, 12), np.nan)
    return str(file)


@pytest.mark.parametrize(
    ("inner", "message"),
    [
        ("", "no type.raw; systems are at /a, /b, /c"),
        ("#/nowhere", "has no group /nowhere; its systems: /a, /b, /c"),
        ("#/a/type.raw", "has no group /a/type.raw"),
        ("#/b/set.000", "no type.raw; no group below it has one"),
        ("#/a", "#/a/type_map.raw: holds int64 values; it must hold names"),
        ("#/b", "#/b/set.000: no box; add box.npy"),
        ("#/c", "#/c/set.000/coord.npy: frame 0 holds nan"),
    ],
)
def test_bad_hdf5_files(inner, message, hdf5):
    with pytest.raises(DPError) as caught:
        load_system(hdf5 + inner)
    assert message in str(caught.value)
    assert hdf5 in str(caught.value)


def test_what_is_no_system_at_all(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(DPError, match=r"notes\.txt: not a readable HDF5 file"):
        load_system(str(tmp_path / "notes.txt"))
    with pytest.raises(DPError, match="nowhere: not found"):
        load_system(str(tmp_path / "nowhere"))
    with pytest.raises(DPError, match=r"x\.lmdb: not found; an LMDB data set is a folder"):
        load_system(str(tmp_path / "x.lmdb"))


def test_a_folder_of_systems_names_them(tmp_path):
    folder = write_npy(tmp_path / "all/water")
    with pytest.raises(DPError) as caught:
        load_system(str(tmp_path / "all"))
    assert str(caught.value) == f"{tmp_path / 'all'}: no type.raw; systems are at {folder}"
