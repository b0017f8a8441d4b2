"""LMDB data sets: the shared example against its metadata, and data sets written here, good and bad."""

from pathlib import Path

import lmdb
import msgpack
import numpy as np
import pytest

from dpcore.data import load_system
from dpcore.data.lmdb import open_lmdb
from dpcore.errors import DPError

RNG = np.random.default_rng(3)


def encoded(values, dtype="<f4"):
    values = np.asarray(values, dtype)
    return {"type": values.dtype.str, "shape": list(values.shape), "data": values.tobytes()}


def message(natoms, *, cell=True, **more):
    """Return a frame as the layout has it."""
    found = {
        "atom_types": encoded(np.arange(natoms) % 2, "<i4"),
        "coords": encoded(RNG.uniform(0, 5, (natoms, 3))),
        "energies": encoded(-float(natoms)),
        "forces": encoded(np.full((natoms, 3), natoms)),
        "orig": "a text",
        "atom_numbs": [1, 2],
    }
    if cell:
        found["cells"] = encoded(6 * np.eye(3))
    return found | more


def write(folder, frames, **told):
    folder.mkdir()
    base = lmdb.open(str(folder), map_size=1 << 24)
    meta = {"nframes": len(frames), "frame_idx_fmt": "012d", "type_map": ["O", "H"]} | told
    with base.begin(write=True) as transaction:
        transaction.put(b"__metadata__", msgpack.packb(meta))
        for number, frame in enumerate(frames):
            data = frame if isinstance(frame, bytes) else msgpack.packb(frame)
            if frame is not None:
                transaction.put(format(number, "012d").encode(), data)
    base.close()
    return str(folder)


def test_the_example():
    examples = Path(__file__).resolve().parents[4] / "shared" / "deepmd_examples"
    path = examples / "lmdb_downsample_data" / "water_training.lmdb"
    system = load_system(str(path), ["H", "O"])
    assert (system.nframes, system.natoms, system.mixed) == (80, 192, False)
    assert np.bincount(system.atom_types).tolist() == [128, 64]
    np.testing.assert_allclose(system.cell[3], 12.444661 * np.eye(3), atol=1e-5)
    with lmdb.open(str(path), readonly=True, lock=False) as base, base.begin() as transaction:
        stored = msgpack.unpackb(transaction.get(b"000000000007"))
    force = np.frombuffer(stored["forces"]["data"], "<f4").reshape(192, 3)
    np.testing.assert_array_equal(system.labels["force"][7], force)
    assert system.labels["energy"][7, 0] == np.frombuffer(stored["energies"]["data"], "<f4")[0]


def test_frames_of_several_sizes_are_filled_up(tmp_path):
    frames = [message(3), message(5), message(2, find_forces=0.0)]
    frames[1]["spin"] = encoded(np.ones((5, 3)))
    path = write(tmp_path / "x.lmdb", frames, type_map=["O", "H"])
    system = load_system(path, ["H", "O"])
    assert system.atom_types.tolist() == [[1, 0, 1, -1, -1], [1, 0, 1, 0, 1], [1, 0, -1, -1, -1]]
    np.testing.assert_array_equal(system.labels["energy"][:, 0], [-3, -5, -2])
    # The third frame says that its forces do not count.
    assert set(system.labels) == {"energy"}
    assert load_system(path).type_map == ("O", "H")


def test_numbers_that_are_no_arrays_and_bytes_as_keys(tmp_path):
    frame = message(2, energies=-7.5, fparam=[1, 2.5])
    frame["forces"] = {key.encode(): value for key, value in frame["forces"].items()}
    labels = load_system(write(tmp_path / "x.lmdb", [frame])).labels
    assert labels["energy"].tolist() == [[-7.5]]
    assert labels["fparam"].tolist() == [[1, 2.5]]
    assert labels["force"].shape == (1, 2, 3)


def test_no_cell_is_an_open_boundary(tmp_path):
    zero = message(2, cells=encoded(np.zeros((3, 3))))
    path = write(tmp_path / "x.lmdb", [message(2, cell=False), zero])
    assert load_system(path).cell is None
    mixed = write(tmp_path / "y.lmdb", [message(2, cell=False), message(2)])
    with pytest.raises(DPError, match=r"y\.lmdb: 1 of 2 frames have a cell"):
        load_system(mixed)


BAD = {
    "shape": (message(2, forces=encoded(np.zeros((3, 3)))), "frame 1, force: 9 numbers"),
    "nan": (message(2, energies=encoded(np.nan)), "frame 1, energy: holds nan or inf"),
    "flat": (message(2, cells=encoded(np.ones((3, 3)))), "frame 1: its cell has no volume"),
    "type": (message(2, atom_types=encoded([0, 2], "<i4")), "frame 1: atom 1 has type 2"),
    "no types": ({"coords": encoded(np.zeros((2, 3)))}, "frame 1: no atom_types"),
    "no coord": ({"atom_types": encoded([0], "<i4")}, "frame 1: no atoms, or no coord"),
    "bytes": (message(2, forces={"type": "<f4", "shape": [2, 3], "data": b"abcd"}), "frame 1, forces: not"),
    "pickled": (message(2, forces={"type": "|O", "shape": [1], "data": b"abcdefgh"}), "frame 1, forces: not"),
    "no message": (b"\xc1\xc1", "frame 1 cannot be read"),
    "no map": (b"\x01", "frame 1 is a int"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_frames(case, tmp_path):
    frame, text = BAD[case]
    path = write(tmp_path / "x.lmdb", [message(2), frame])
    with pytest.raises(DPError) as caught:
        load_system(path, ["O", "H"])
    assert text in str(caught.value)
    assert path in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_element(tmp_path):
    path = write(tmp_path / "x.lmdb", [message(2)])
    with pytest.raises(DPError, match="atoms of H, but the model knows O C"):
        load_system(path, ["O", "C"])


def test_bad_data_bases(tmp_path):
    with pytest.raises(DPError, match="2 of 3 frames are there"):
        load_system(write(tmp_path / "a.lmdb", [message(2)] * 2, nframes=3))
    with pytest.raises(DPError, match="counts None frames"):
        load_system(write(tmp_path / "b.lmdb", [message(2)], nframes=None))
    with pytest.raises(DPError, match="frame_nlocs has 2 numbers for 1 frames"):
        load_system(write(tmp_path / "c.lmdb", [message(2)], frame_nlocs=[2, 2]))
    with pytest.raises(DPError, match="frame_idx_fmt is 's'"):
        load_system(write(tmp_path / "e.lmdb", [message(2)], frame_idx_fmt="s"))
    (tmp_path / "d.lmdb").mkdir()
    (tmp_path / "d.lmdb/data.mdb").write_bytes(b"nothing of the kind" * 1000)
    with pytest.raises(DPError, match=r"d\.lmdb: not a readable LMDB data set"):
        load_system(str(tmp_path / "d.lmdb"))


def test_a_file_that_is_cut_off(tmp_path):
    """To read beyond its end would end the process."""
    path = write(tmp_path / "x.lmdb", [message(200) for _ in range(50)])
    file = Path(path, "data.mdb")
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(
        DPError, match=r"data\.mdb: \d+ bytes where it needs \d+; the file is cut off"
    ):
        load_system(path)


def test_atoms_are_counted_where_nobody_says(tmp_path):
    path = write(tmp_path / "x.lmdb", [message(3), message(5)])
    assert open_lmdb(path).counts.tolist() == [3, 5]
    told = write(tmp_path / "y.lmdb", [message(3)], frame_nlocs=[3], frame_system_ids=[0])
    assert open_lmdb(told).counts.tolist() == [3]


def test_packages_that_are_missing(tmp_path, monkeypatch):
    path = write(tmp_path / "x.lmdb", [message(2)])
    monkeypatch.setitem(__import__("sys").modules, "msgpack", None)
    with pytest.raises(DPError, match=r"the package msgpack reads; pip install dpcore\[lmdb\]"):
        load_system(path)
