"""Data to train on in every layout: read frame by frame, the same from each, and refused where it is spoiled."""

import json
import mmap
import tracemalloc
from pathlib import Path

import h5py
import lmdb
import msgpack
import numpy as np
import pytest

from dpcore.data import load_system
from dpcore.errors import DPError
from dpcore.train.data import open_data
from dpcore.train.settings import TrainingData, ValidationData
from dpcore.train.targets import Wanted

NFRAMES, TYPES, NAMES, MODEL = 5, [0, 1, 1, 0], ["O", "H"], ["H", "C", "O"]
NATOMS = len(TYPES)


def arrays():
    """Return the arrays of a system in single precision, as they are often stored."""
    random = np.random.default_rng(7)

    def fill(*shape):
        return random.uniform(-1, 1, (NFRAMES, *shape)).astype(np.float32)

    return {
        "coord": np.linspace(0, 3, 3 * NATOMS).reshape(NATOMS, 3) + 0.1 * fill(NATOMS, 3),
        "box": np.broadcast_to(5 * np.eye(3, dtype=np.float32), (NFRAMES, 3, 3)),
        "energy": fill(1),
        "force": fill(NATOMS, 3),
        "hessian": fill(3 * NATOMS, 3 * NATOMS),
        "fparam": fill(2),
        "aparam": fill(NATOMS, 1),
        "spin": fill(NATOMS, 3),
        "charge_spin": np.tile(np.float32([0, 1]), (NFRAMES, 1)),
        "band_gap": fill(3),
    }


def flat(values):
    return np.ascontiguousarray(values).reshape(NFRAMES, -1)


def write_npy(folder, sets=((0, NFRAMES),), order="C"):
    folder.mkdir(parents=True)
    (folder / "type.raw").write_text(" ".join(map(str, TYPES)))
    (folder / "type_map.raw").write_text(" ".join(NAMES))
    for number, (first, last) in enumerate(sets):
        part = folder / f"set.{number:03d}"
        part.mkdir()
        for name, values in arrays().items():
            np.save(part / f"{name}.npy", np.asarray(flat(values)[first:last], order=order))
    return str(folder)


def write_raw(folder):
    folder.mkdir()
    (folder / "type.raw").write_text(" ".join(map(str, TYPES)))
    (folder / "type_map.raw").write_text(" ".join(NAMES))
    for name, values in arrays().items():
        text = "# comment\n\n" + "\n".join(" ".join(map(repr, map(float, r))) for r in flat(values))
        (folder / f"{name}.raw").write_text(text)
    return str(folder)


def write_hdf5(file, *, row=False):
    with h5py.File(file, "w") as root:
        group = root.create_group("deep/water")
        group["type.raw"], group["type_map.raw"] = np.array(TYPES), np.array(NAMES, "S")
        for name, values in arrays().items():
            one_row = row and name in {"force", "energy"}
            rows = flat(values).reshape(1 if one_row else NFRAMES, -1)
            group[f"set.000/{name}.npy"] = rows.ravel() if row and name == "coord" else rows
    return f"{file}#/deep/water"


def encoded(values):
    values = np.ascontiguousarray(values)
    return {"type": values.dtype.str, "shape": list(values.shape), "data": values.tobytes()}


def write_lmdb(folder, groups=None):
    folder.mkdir()
    base = lmdb.open(str(folder), map_size=1 << 24)
    told = {"nframes": NFRAMES, "type_map": NAMES, "frame_nlocs": [NATOMS] * NFRAMES}
    names = {"coord": "coords", "box": "cells", "energy": "energies", "force": "forces"}
    with base.begin(write=True) as transaction:
        extra = {} if groups is None else {"frame_system_ids": groups}
        transaction.put(b"__metadata__", msgpack.packb(told | extra))
        for number in range(NFRAMES):
            frame = {names.get(n, n): encoded(values[number]) for n, values in arrays().items()}
            frame["atom_types"] = encoded(np.array(TYPES, np.int32))
            transaction.put(f"{number:012d}".encode(), msgpack.packb(frame))
    base.close()
    return str(folder)


def write_mixed(folder):
    path = write_npy(folder)
    (folder / "type.raw").write_text("0 0 0 0")
    np.save(folder / "set.000/real_atom_types.npy", np.tile(TYPES, (NFRAMES, 1)))
    return path


WRITERS = {
    "npy": lambda tmp: write_npy(tmp / "s"),
    "npy in sets": lambda tmp: write_npy(tmp / "s", sets=((0, 1), (1, 4), (4, 5))),
    "npy by columns": lambda tmp: write_npy(tmp / "s", order="F"),
    "raw": lambda tmp: write_raw(tmp / "s"),
    "hdf5": lambda tmp: write_hdf5(tmp / "s.hdf5"),
    "hdf5 in one row": lambda tmp: write_hdf5(tmp / "s.hdf5", row=True),
    "mixed types": lambda tmp: write_mixed(tmp / "s"),
    "lmdb": lambda tmp: write_lmdb(tmp / "s.lmdb"),
}


def opened(systems, wanted=None, **settings):
    return open_data(TrainingData(systems=systems, **settings), MODEL, wanted)


@pytest.mark.parametrize("layout", WRITERS)
def test_every_layout_gives_the_same_frames(layout, tmp_path):
    (source,) = opened(WRITERS[layout](tmp_path)).sources
    assert (source.nframes, source.natoms(3)) == (NFRAMES, NATOMS)
    for number, sample in zip([4, 0, 4, 2], source.samples([4, 0, 4, 2]), strict=True):
        frame, expected = sample.frame, {name: v[number] for name, v in arrays().items()}
        assert frame.types.tolist() == [2, 0, 0, 2]
        np.testing.assert_array_equal(frame.cell, expected.pop("box"))
        for name in ("coord", "fparam", "aparam", "spin", "charge_spin"):
            assert getattr(frame, name).dtype == np.float64
            np.testing.assert_array_equal(getattr(frame, name), expected.pop(name), err_msg=name)
        assert sample.labels.keys() == expected.keys()
        for name, values in expected.items():
            np.testing.assert_array_equal(sample.labels[name], values, err_msg=name)


@pytest.mark.parametrize("layout", WRITERS)
def test_the_same_as_for_testing(layout, tmp_path):
    path = WRITERS[layout](tmp_path)
    (source,), system = opened(path).sources, load_system(path, MODEL)
    for number, sample in enumerate(source.samples(range(NFRAMES))):
        np.testing.assert_array_equal(sample.frame.coord, system.coord[number])
        for name, values in sample.labels.items():
            np.testing.assert_array_equal(values, system.labels[name][number])


def test_only_what_is_wanted_is_read(tmp_path):
    path = write_npy(tmp_path / "s")
    (Path(path) / "set.000/hessian.npy").write_bytes(b"")
    with pytest.raises(DPError, match=r"hessian\.npy: not a readable npy file"):
        opened(path)
    (tmp_path / "s/set.000/hessian.npy").unlink()
    np.save(tmp_path / "s/set.000/band_gap.npy", np.full((NFRAMES, 3), np.nan))
    (source,) = opened(path, [Wanted("energy", "frame"), Wanted("atom_ener", "atom")]).sources
    (sample,) = source.samples([1])
    assert sample.labels.keys() == {"energy"}
    assert sample.frame.fparam is not None
    assert source.lacks("energy") is None
    assert source.lacks("atom_ener") == str(tmp_path / "s/set.000")


def test_atoms_that_are_not_there_are_dropped(tmp_path):
    path = write_mixed(tmp_path / "s")
    types = np.array([[0, 1, 1, 0], [0, -1, 1, -1], [-1, 1, -1, -1], [0, 1, 1, -1], [0, 0, 0, 0]])
    np.save(tmp_path / "s/set.000/real_atom_types.npy", types)
    (source,) = opened(path).sources
    assert source.atoms.tolist() == [4, 2, 1, 3, 4]
    sample, expected = source.samples([1])[0], arrays()
    assert sample.frame.types.tolist() == [2, 0]
    for name, found in (("coord", sample.frame.coord), ("aparam", sample.frame.aparam)):
        np.testing.assert_array_equal(found, expected[name][1][[0, 2]])
    np.testing.assert_array_equal(sample.labels["force"], expected["force"][1][[0, 2]])
    rows = [0, 1, 2, 6, 7, 8]
    np.testing.assert_array_equal(
        sample.labels["hessian"], expected["hessian"][1][np.ix_(rows, rows)]
    )
    assert sample.labels["band_gap"].shape == (3,)


def test_a_system_without_a_cell(tmp_path):
    path = write_npy(tmp_path / "s")
    (tmp_path / "s/nopbc").touch()
    assert opened(path).sources[0].samples([0])[0].frame.cell is None


def test_a_label_of_some_sets_belongs_to_their_frames(tmp_path):
    path = write_npy(tmp_path / "s", sets=((0, 2), (2, 5)))
    (tmp_path / "s/set.001/force.npy").unlink()
    (source,) = opened(path).sources
    assert ["force" in sample.labels for sample in source.samples(range(5))] == [True] * 2 + [
        False
    ] * 3
    assert source.lacks("force") == str(tmp_path / "s/set.001")


def test_frames_that_are_taken_several_times(tmp_path, caplog):
    path = write_npy(tmp_path / "s")
    np.save(tmp_path / "s/set.000/numb_copy.npy", np.array([[1], [0], [2], [1], [1]]))
    (source,) = opened(path, [Wanted("energy", "frame")]).sources
    found = [sample.labels["energy"][0] for sample in source.samples(range(source.nframes))]
    np.testing.assert_array_equal(found, arrays()["energy"][[0, 2, 2, 3, 4], 0])
    assert "1 of 5 frames are left out" in caplog.text
    np.save(tmp_path / "s/set.000/numb_copy.npy", np.full((5, 1), 0.5))
    with pytest.raises(DPError, match=r"numb_copy\.npy: frame 0 is to be taken 0\.5 times"):
        opened(path)


def test_frames_that_are_too_large_or_too_close_are_left_out(tmp_path, caplog):
    paths = [write_npy(tmp_path / "a"), write_mixed(tmp_path / "b")]
    types = np.array(TYPES) * np.ones((NFRAMES, 1), int)
    types[:3, 3] = -1
    np.save(tmp_path / "b/set.000/real_atom_types.npy", types)
    data = opened(paths, batch_size="filter:3")
    assert [source.nframes for source in data.sources] == [3]
    assert (data.found, data.numbers) == (2, (1,))
    assert data.sampler(1).chances.tolist() == [0, 1]
    assert f"{paths[0]}: 5 of 5 frames are left out: they have more than 3 atoms" in caplog.text
    with pytest.raises(DPError, match="no frame of 2 systems is left; check batch_size"):
        opened(paths, batch_size="filter:2")
    coord = flat(arrays()["coord"]).copy()
    # Through the wall of the cell, and the atom at the same place as another.
    coord[1, :3], coord[1, 3:6] = (0.1, 2, 2), (4.9, 2, 2)
    coord[3, :3] = coord[3, 3:6]
    np.save(tmp_path / "a/set.000/coord.npy", coord)
    (source,) = opened(paths[0], min_pair_dist=0.3).sources
    energies = [sample.labels["energy"][0] for sample in source.samples(range(source.nframes))]
    np.testing.assert_array_equal(energies, arrays()["energy"][[0, 2, 4], 0])
    assert "2 of 5 frames are left out: atoms are closer than 0.3 Å (min_pair_dist)" in caplog.text


def test_all_frames_in_order(tmp_path):
    paths = (write_npy(tmp_path / "a"), write_npy(tmp_path / "b", sets=((0, 2), (2, 5))))
    data = opened(paths)
    found = list(data.picks(12))
    assert [len(picks) for picks in found] == [3, 3, 3, 1]
    expected = [(system, frame) for system in range(2) for frame in range(NFRAMES)]
    assert [(p.system, p.frame) for picks in found for p in picks] == expected
    assert [len(picks) for picks in data.picks(1)] == [1] * 10


def test_what_is_told_of_the_data(tmp_path):
    paths = (write_npy(tmp_path / "a"), write_mixed(tmp_path / "b"))
    np.save(tmp_path / "b/set.000/real_atom_types.npy", [TYPES] * 3 + [[0, 0, 1, -1]] * 2)
    data = opened(paths, batch_size="max:8")
    assert data.summary(data.sampler(1)) == [
        "training_data: 2 systems, 10 frames",
        f"  {paths[0]}: 5 frames of 4 atoms, 2 in a batch, drawn with probability 0.5",
        f"  {paths[1]}: 5 frames of 3 to 4 atoms, up to 8 atoms in a batch, drawn with probability 0.5",
    ]


def test_systems_are_listed_searched_and_matched(tmp_path):
    paths = [write_npy(tmp_path / name) for name in ("x/a", "x/b", "y/c")]
    write_hdf5(tmp_path / "x/h.hdf5")
    for systems, more, count in (
        (tuple(paths), {}, 3),
        (str(tmp_path), {}, 3),
        (str(tmp_path / "*/[ac]"), {}, 2),
        (str(tmp_path / "x/h.hdf5"), {}, 1),
        ((str(tmp_path / "y"), str(tmp_path / "x/h.hdf5#/deep")), {}, 2),
        (str(tmp_path), {"rglob_patterns": ("x/*",)}, 2),
    ):
        assert opened(systems, **more).found == count
    settings = ValidationData(systems=paths[0], batch_size=1)
    assert open_data(settings, MODEL, where="validation_data").nframes == NFRAMES


def test_blocks_of_an_lmdb_data_set(tmp_path):
    path = write_lmdb(tmp_path / "x.lmdb", groups=[1, 0, 2, 1, 0])
    data = opened(path, auto_prob="prob_sys_size;0:1:0.5;1:3:0.5", batch_size=1)
    assert [source.nframes for source in data.sources] == [2, 2, 1]
    np.testing.assert_allclose(data.sampler(1).chances, [0.5, 1 / 3, 1 / 6])
    energies = [sample.labels["energy"][0] for sample in data.sources[1].samples([0, 1])]
    np.testing.assert_array_equal(energies, arrays()["energy"][[0, 3], 0])
    assert opened(path).found == 1


def test_extended_xyz(tmp_path):
    file = tmp_path / "x.extxyz"
    frame = '2\nLattice="5 0 0 0 5 0 0 0 5" Properties=species:S:1:pos:R:3:forces:R:3 energy=-{0}\n'
    atoms = "O 0 0 0 0.5 0 0\nH 1 {0} 0 -0.5 0 0\n"
    file.write_text("".join((frame + atoms).format(n) for n in range(3)))
    (source,) = opened(str(file), fmt="extxyz").sources
    (sample,) = source.samples([2])
    assert sample.frame.types.tolist() == [2, 0]
    assert sample.frame.coord[1].tolist() == [1, 2, 0]
    assert sample.labels["energy"].tolist() == [-2]
    assert sample.labels["force"][0].tolist() == [0.5, 0, 0]
    with pytest.raises(DPError, match="frame 0: atoms of H, but the model knows O"):
        open_data(TrainingData(systems=str(file), fmt="extxyz"), ["O"])


def spoil(name, values):
    return lambda folder: np.save(folder / f"set.000/{name}.npy", values)


def with_nan(name, frame):
    values = flat(arrays()[name]).copy()
    values[frame, 0] = np.nan
    return spoil(name, values)


def half(folder):
    file = folder / "set.000/force.npy"
    file.write_bytes(file.read_bytes()[:170])


AT_ONCE = {
    "count": (spoil("force", np.zeros((2, 12))), "force.npy: frame count 2 differs from coord's 5"),
    "shape": (spoil("force", np.zeros((5, 9))), "force.npy: 9 numbers per frame where 4 atoms need 12"),
    "pickled": (spoil("energy", np.array([{}] * 5)), "energy.npy: holds pickled objects"),
    "text": (spoil("energy", np.array(["a"] * 5)), "energy.npy: holds <U1 values"),
    "cut off": (half, "force.npy: not a readable npy file (42 bytes of data where its header announces 240)"),
    "empty set": (lambda folder: (folder / "set.001").mkdir(), "set.001: no coord; it is empty"),
    "element": (lambda f: (f / "type_map.raw").write_text("O Xe"), "atoms of Xe, but the model knows H C O"),
    "no box": (lambda f: (f / "set.000/box.npy").unlink(), "set.000: no box; add box.npy"),
    "mixed element": (spoil("real_atom_types", [TYPES] * 3 + [[0, 0, 7, 0]] * 2), "frame 3, atom 2 has type 7"),
}  # fmt: skip


@pytest.mark.parametrize("case", AT_ONCE)
def test_what_is_refused_when_data_are_opened(case, tmp_path):
    change, text = AT_ONCE[case]
    path = write_npy(tmp_path / "s")
    change(tmp_path / "s")
    with pytest.raises(DPError) as caught:
        opened(path)
    assert text in str(caught.value)
    assert path in str(caught.value)
    assert "\n" not in str(caught.value)


def flat_box(folder):
    box = flat(arrays()["box"]).copy()
    box[2] = 0
    np.save(folder / "set.000/box.npy", box)


@pytest.mark.parametrize(
    ("change", "frame", "text"),
    [
        (with_nan("force", 2), 2, "set.000/force.npy: frame 2 holds nan or inf"),
        (with_nan("coord", 4), 4, "set.000/coord.npy: frame 4 holds nan or inf"),
        (flat_box, 2, "box.npy: the box of frame 2 has no volume"),
    ],
)
def test_what_is_refused_when_its_frame_is_read(change, frame, text, tmp_path):
    path = write_npy(tmp_path / "s")
    change(tmp_path / "s")
    (source,) = opened(path).sources
    assert len(source.samples([n for n in range(NFRAMES) if n != frame])) == NFRAMES - 1
    with pytest.raises(DPError) as caught:
        source.samples([frame])
    assert text in str(caught.value)


def test_files_that_are_cut_off_or_removed_while_they_are_used(tmp_path):
    (source,) = opened(write_npy(tmp_path / "s")).sources
    half(tmp_path / "s")
    with pytest.raises(
        DPError, match=r"force\.npy: not a readable npy file \(it has become shorter\)"
    ):
        source.samples([3])
    (tmp_path / "s/set.000/force.npy").unlink()
    with pytest.raises(DPError, match=r"force\.npy: not a readable npy file \(No such file"):
        source.samples([3])


def test_raw_numbers_that_are_none(tmp_path):
    path = write_raw(tmp_path / "s")
    lines = (tmp_path / "s/energy.raw").read_text().splitlines()
    lines[-1] = "x"
    (tmp_path / "s/energy.raw").write_text("\n".join(lines))
    (source,) = opened(path).sources
    with pytest.raises(DPError, match=r"energy\.raw: .*'x'"):
        source.samples([4])


def test_labels_that_are_needed(tmp_path, caplog):
    data = opened([write_npy(tmp_path / "a"), write_npy(tmp_path / "b")])
    (tmp_path / "b/set.000/energy.npy").unlink()
    data = opened([str(tmp_path / "a"), str(tmp_path / "b")])
    with pytest.raises(
        DPError, match=r"b/set\.000: no energy, which the loss needs; add energy\.npy"
    ):
        data.check_labels([Wanted("energy", "frame", needed=True)])
    force = Wanted("force", "atom", 3)
    data.check_labels([Wanted("energy", "frame"), force, Wanted("virial", "frame", 9)])
    assert "no system has virial" in caplog.text
    assert "1 of 2 systems lack energy, which does not count there" in caplog.text
    with pytest.raises(DPError, match="b: has none of energy, virial, of which the loss needs one"):
        data.check_labels([Wanted("energy", "frame"), Wanted("virial", "frame", 9)])
    with pytest.raises(
        DPError, match="no system has virial or atom_ener, of which the loss needs one"
    ):
        data.check_labels([Wanted("virial", "frame", 9), Wanted("atom_ener", "atom")])


def large(folder, nframes, natoms=1000):
    """Write a system of which the coordinates take no room on the disk, but would in memory."""
    (folder / "set.000").mkdir(parents=True)
    (folder / "type.raw").write_text("0 " * natoms)
    (folder / "nopbc").touch()
    for name in ("coord", "force"):
        header = {"descr": "<f4", "fortran_order": False, "shape": (nframes, 3 * natoms)}
        with (folder / f"set.000/{name}.npy").open("wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            file.truncate(file.tell() + 12 * nframes * natoms)
    return str(folder)


def test_memory_does_not_grow_with_the_data(tmp_path):
    path = large(tmp_path / "s", 200_000)
    tracemalloc.start()
    try:
        (source,) = opened(path).sources
        source.samples([0])
        before = resident()
        for number in range(0, 200_000, 1000):
            source.samples([number])
        grown, (_, peak) = resident() - before, tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # Two arrays of 2.4 GB; what is read of them has 48 kB at a time, 10 MB together.
    assert peak < 6_000_000
    assert grown < 3_000_000


def test_memory_does_not_grow_with_the_number_of_frames(tmp_path):
    path = large(tmp_path / "s", 2_000_000, natoms=1)
    tracemalloc.start()
    try:
        data = opened(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert data.nframes == 2_000_000
    # A number of each frame takes 2 MB at least.
    assert peak < 500_000


def resident():
    """Return the resident size of the process, bytes; 0 where the system does not say."""
    told = Path("/proc/self/statm")
    return int(told.read_text().split()[1]) * mmap.PAGESIZE if told.exists() else 0


def test_the_shared_example():
    examples = Path(__file__).resolve().parents[3] / "shared" / "deepmd_examples"
    names = json.loads((examples / "water/se_e2_a/input.json").read_text())["model"]["type_map"]
    systems = str(examples / "water/data")
    data = open_data(TrainingData(systems=systems), names, [Wanted("energy", "frame")])
    assert (data.found, data.nframes) == (4, 400)
    for source in data.sources:
        first, last = source.samples([0, source.nframes - 1])
        assert first.frame.coord.shape == last.frame.coord.shape == (192, 3)


def with_virtual_atoms(folder, types, names=None):
    """Write atoms of type 0, magnetic, and 1, with virtual atoms at a tenth of their spins."""
    folder.mkdir()
    (folder / "set.000").mkdir()
    (folder / "nopbc").touch()
    (folder / "type.raw").write_text(types)
    if names is not None:
        (folder / "type_map.raw").write_text(names)
    coord = np.array([[0, 0, 0], [2, 0, 0], [4, 0, 0], [4, 0.1, 0], [0, 0, 0.2]])
    np.save(folder / "set.000/coord.npy", coord.reshape(1, -1))
    np.save(folder / "set.000/force.npy", np.arange(15.0).reshape(1, -1))
    np.save(folder / "set.000/energy.npy", [1.0])
    return str(folder)


@pytest.mark.parametrize(
    ("types", "names"), [("0 1 0 2 2", None), ("1 0 1 2 2", "O Ni Ni_spin"), ("0 2 0 1 1", "Ni Ni_spin O")]
)  # fmt: skip
def test_spins_stored_as_virtual_atoms(types, names, tmp_path):
    path = with_virtual_atoms(tmp_path / "s", types, names)
    wanted = [Wanted("force", "atom", 3), Wanted("force_mag", "atom", 3), Wanted("energy", "frame")]
    settings = TrainingData(systems=path)
    data = open_data(settings, ["Ni", "O"], wanted, virtual_scale=(0.1, 0.0))
    (source,) = data.sources
    (sample,) = source.samples([0])
    assert source.natoms(0) == 3
    assert sample.frame.types.tolist() == [0, 1, 0]
    assert sample.frame.coord[:, 0].tolist() == [0, 2, 4]
    # The first virtual atom is that of the first magnetic atom, wherever the two are.
    np.testing.assert_allclose(sample.frame.spin, [[40, 1, 0], [0, 0, 0], [-40, 0, 2]], atol=1e-12)
    np.testing.assert_array_equal(sample.labels["force"], np.arange(9.0).reshape(3, 3))
    np.testing.assert_array_equal(
        sample.labels["force_mag"], [[9, 10, 11], [0, 0, 0], [12, 13, 14]]
    )
    assert source.lacks("force_mag") is None
    data.check_labels(wanted)


def test_virtual_atoms_that_do_not_fit(tmp_path):
    path = with_virtual_atoms(tmp_path / "s", "0 0 0 2 2")
    with pytest.raises(DPError, match="s: 3 atoms of type 0 have 2 virtual atoms of type 2; 3 are"):
        open_data(TrainingData(systems=path), ["Ni", "O"], virtual_scale=(0.1, 0.0))
    with pytest.raises(DPError, match="atom 3 has type 2, but the model has 2 types"):
        open_data(TrainingData(systems=path), ["Ni", "O"])
