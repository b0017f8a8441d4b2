import errno
import hashlib
import random
import subprocess
import sys
import time
from pathlib import Path

import h5py
import ml_dtypes
import numpy as np
import pytest
from h5py import h5d, h5p, h5s, h5t

from dpcore.errors import DPError
from dpcore_serialization import container
from dpcore_serialization.container import Contents, digest, read, verify, write

RNG = np.random.default_rng(7)
DTYPES = [
    *("float16", "float32", "float64", "int8", "int16", "int32", "int64"),
    *("uint8", "uint16", "uint32", "uint64", "bool", ml_dtypes.bfloat16),
]


def bits(dtype, shape) -> np.ndarray:
    """Every bit pattern may occur: NaN payloads, infinities, negative zero, subnormals."""
    dtype = np.dtype(dtype)
    high = 2 if dtype.kind == "b" else 256
    count = int(np.prod(shape)) * dtype.itemsize
    return RNG.integers(0, high, count, dtype=np.uint8).view(dtype).reshape(shape)


def same(first: np.ndarray, second: np.ndarray) -> bool:
    return (first.dtype, first.shape, first.tobytes()) == (
        *(second.dtype, second.shape, second.tobytes()),
    )


@pytest.fixture
def contents():
    arrays = {f"arrays/net{i % 3}/{i}/weight": RNG.normal(size=(3, i)) for i in range(8)}
    return Contents(arrays, {"json": '{"é": [1, 2]}', "software": "dpcore", "empty": ""})


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.dp"


def refuse(path, match: str) -> None:
    with pytest.raises(DPError, match=match) as caught:
        read(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: np.dtype(dtype).name)
def test_round_trip_is_bit_exact(path, dtype):
    shapes = {"scalar": (), "empty": (0,), "flat": (0, 3), "line": (65_536,), "box": (3, 4, 5)}
    arrays = {f"a/{name}": bits(dtype, shape) for name, shape in shapes.items()}
    write(path, Contents(arrays))
    found = read(path).arrays
    assert set(found) == set(arrays)
    assert all(same(found[name], arrays[name]) for name in arrays)
    verify(found, {name: digest(array) for name, array in arrays.items()}, path)


def test_memory_order_and_byte_order_do_not_matter(path):
    table = RNG.normal(size=(4, 6))
    views = {
        "fortran": (np.asfortranarray(table), table),
        "strided": (table[::2, ::3], table[::2, ::3].copy()),
        "big": (table.astype(">f8"), table),
        "words": (np.arange(5, dtype=">u2"), np.arange(5, dtype="u2")),
        "reversed": (table.astype(ml_dtypes.bfloat16).T, table.astype(ml_dtypes.bfloat16).T.copy()),
    }
    write(path, Contents({name: given for name, (given, _) in views.items()}))
    for name, array in read(path).arrays.items():
        assert same(array, views[name][1])
        assert digest(views[name][0]) == digest(views[name][1])


def test_plain_h5py_reads_a_10_mb_header_and_bfloat16_values(path):
    header = '{"k": "' + "é" * 5_000_000 + '"}'
    values = np.array([1.5, -2.0, 3.140625, np.inf], ml_dtypes.bfloat16)
    write(path, Contents({"a/w": values, "a/é": np.ones(2)}, {"json": header, "software": "x"}))
    with h5py.File(path, "r") as file:
        assert file.attrs["json"] == header
        assert file["/a/w"][()].tolist() == [1.5, -2.0, 3.140625, np.inf]
        assert file["a"]["é"][()].tolist() == [1, 1]
    assert read(path).headers == {"json": header, "software": "x"}


def test_the_same_contents_give_the_same_bytes(path, contents):
    write(path, contents)
    first = path.read_bytes()
    time.sleep(1.1)  # time stamps of HDF5 have whole seconds
    turned = Contents(
        dict(reversed(contents.arrays.items())), dict(reversed(contents.headers.items()))
    )
    write(path, turned)
    assert path.read_bytes() == first


def test_digest_is_what_it_says_and_tells_arrays_apart():
    table = np.array([[1, 258]], np.int16)
    assert digest(table) == hashlib.sha256(b"int16(1,2)" + bytes([1, 0, 2, 1])).hexdigest()
    arrays = [
        *(np.zeros(shape) for shape in [(), (0,), (2,), (1, 2), (2, 1)]),
        *(np.zeros(2, dtype) for dtype in ("i8", "u8", "f4", "i2", ml_dtypes.bfloat16, "f2")),
        np.array([0.0, -0.0]),
    ]
    assert len({digest(array) for array in arrays}) == len(arrays)


def test_verify_names_what_is_missing_or_damaged(contents, path):
    hashes = {name: digest(array) for name, array in contents.arrays.items()}
    verify(contents.arrays, hashes, path)
    name = "arrays/net1/4/weight"
    fewer = {key: array for key, array in contents.arrays.items() if key != name}
    with pytest.raises(DPError, match=f"'{name}' is missing"):
        verify(fewer, hashes, path)
    flipped = contents.arrays[name].copy()
    flipped.view(np.uint8)[1, 3] ^= 1
    with pytest.raises(DPError, match=f"'{name}' differs"):
        verify({**fewer, name: flipped}, hashes, path)


@pytest.mark.parametrize(
    ("given", "match"),
    [
        (Contents({"a": np.zeros(2, complex)}), "dtype complex128"),
        (Contents({"a": np.array(["text"])}), "dtype <U4"),
        (Contents({"a": np.array([None])}), "dtype object"),
        (Contents({"a": np.zeros(1), "a/b": np.zeros(1)}), "bad array name 'a/b'"),
        (Contents({"/a": np.zeros(1)}), "bad array name '/a'"),
        (Contents({"a/./b": np.zeros(1)}), "bad array name"),
        (Contents({"a\0b": np.zeros(1)}), "bad array name"),
        (Contents({"a/" * 200 + "b": np.zeros(1)}), "bad array name"),
        (Contents({}, {"json": "a\0b"}), "NUL"),
    ],
)
def test_what_cannot_be_read_back_is_not_written(path, given, match):
    with pytest.raises(DPError, match=match):
        write(path, given)
    assert not path.exists()


def test_headers_beyond_the_limit_are_neither_written_nor_read(path, monkeypatch):
    write(path, Contents({}, {"json": "x" * 1000}))
    monkeypatch.setattr(container, "MAX_HEADER_BYTES", 999)
    with pytest.raises(DPError, match="1000 bytes, at most 999"):
        write(path, Contents({}, {"json": "x" * 1000}))
    refuse(path, "longer than 999 bytes")


def test_a_full_disk_keeps_the_old_file(path, contents, monkeypatch):
    path.write_bytes(b"old")

    def fail(self, data):
        with self.open("wb") as stream:
            stream.write(bytes(data)[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(DPError, match=r"No space left on device; .* unchanged") as caught:
        write(path, contents)
    assert "\n" not in str(caught.value)
    assert {entry.name for entry in path.parent.iterdir()} == {"model.dp"}
    assert path.read_bytes() == b"old"


def test_a_refusal_of_the_kernel_keeps_the_old_file(path, contents):
    write(path, contents)
    before = path.read_bytes()
    script = """
import resource, sys
import numpy as np
from dpcore_serialization.container import Contents, write
resource.setrlimit(resource.RLIMIT_FSIZE, (65_536, 65_536))
write(sys.argv[1], Contents({"a": np.zeros(100_000)}))
"""
    done = subprocess.run(
        [sys.executable, "-c", script, path],
        check=False,
        capture_output=True,
        text=True,
    )
    assert "DPError: cannot write" in done.stderr
    assert "File too large" in done.stderr
    assert done.returncode == 1
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


# Files that are no container


def test_missing_folder_text_and_empty_files_are_named(path, tmp_path):
    refuse(path, "does not exist")
    refuse(tmp_path, "is a folder")
    refuse("/dev/null", "a device")
    path.write_text("energy 1.0\n")
    refuse(path, "is not an HDF5 file")
    path.write_bytes(b"")
    refuse(path, "is empty")


def test_every_truncation_is_an_error(path, contents):
    write(path, contents)
    whole = path.read_bytes()
    for size in {*range(0, len(whole), 61), *range(100), *range(len(whole) - 100, len(whole))}:
        path.write_bytes(whole[:size])
        refuse(path, "damaged|not an HDF5 file|empty")


def verified(path, hashes) -> str | None:
    """The message of the error, if any."""
    try:
        verify(read(path).arrays, hashes, path)
    except DPError as error:
        return str(error)
    return None


@pytest.mark.parametrize("libver", ["own", "earliest"])
def test_random_damage_is_an_error_or_harmless(path, contents, libver):
    write(path, contents)
    packed = {"chunks": True, "compression": "gzip", "shuffle": True, "fletcher32": True}
    if libver == "earliest":  # as other programs write: metadata without checksums
        with h5py.File(path, "w", libver="earliest") as file:
            for index, (name, array) in enumerate(contents.arrays.items()):
                layout = ({}, packed, {"chunks": (2, 1)}) if array.size else ({},)
                file.create_dataset(name, data=array, **layout[index % len(layout)])
    whole = path.read_bytes()
    hashes = {name: digest(array) for name, array in contents.arrays.items()}
    rng, errors = random.Random(3), 0
    for _ in range(400):
        damaged = bytearray(whole)
        for _ in range(rng.choice([1, 4])):
            damaged[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
        path.write_bytes(damaged)
        error = verified(path, hashes)
        errors += error is not None
        if error is None:
            found = read(path).arrays
            assert all(same(found[name], contents.arrays[name]) for name in contents.arrays)
        else:
            assert str(path) in error
            assert "\n" not in error
    assert 20 < errors < 400


def test_a_looping_heap_of_texts_is_an_error(path):
    write(path, Contents({}, {"json": "x" * 80}))
    data = bytearray(path.read_bytes())
    entry = data.index(b"GCOL") + 16
    assert data[entry : entry + 2] == b"\1\0"
    data[entry : entry + 16] = bytes(16)  # free space of no size: libhdf5 would never get past it
    path.write_bytes(data)
    refuse(path, "heap of texts loops")


# Files written by others, honest and hostile


@pytest.mark.parametrize("dtype", ["<f8", ">f4", "i1", "bool", ">i2"])
@pytest.mark.parametrize(
    ("shape", "chunks"), [((5, 7), (2, 3)), ((1001,), (1001,)), ((4,), (8,)), ((0, 3), (1, 3))]
)
def test_packed_arrays_of_other_programs_are_read(path, dtype, shape, chunks):
    array = bits(np.dtype(dtype), shape)
    limits = tuple(np.maximum(shape, chunks))
    with h5py.File(path, "w") as file:
        for case in range(8):
            file.create_dataset(
                str(case),
                data=array,
                chunks=chunks,
                maxshape=limits,
                shuffle=bool(case & 1),
                fletcher32=bool(case & 2),
                compression="gzip" if case & 4 else None,
            )
    native = array.astype(array.dtype.newbyteorder("="))
    assert all(same(found, native) for found in read(path).arrays.values())
    assert len(read(path).arrays) == 8


@pytest.mark.parametrize("header", ["text", np.bytes_(b"text")])
def test_headers_of_other_programs_are_read(path, header):
    with h5py.File(path, "w") as file:
        file.attrs["json"] = header
        file.create_dataset("variable_0000", data=1.5)
    found = read(path)
    assert found.headers == {"json": "text"}
    assert found.arrays["variable_0000"] == 1.5


def test_fletcher32_finds_damage(path):
    array = RNG.normal(size=64)
    with h5py.File(path, "w") as file:
        file.create_dataset("a", data=array, chunks=(64,), fletcher32=True)
    data = bytearray(path.read_bytes())
    data[data.index(array.tobytes()) + 11] ^= 4
    path.write_bytes(data)
    refuse(path, "a chunk differs from its checksum")


def external_link(file):
    secret = Path(file.filename).with_name("secret.txt")
    file["a"] = h5py.ExternalLink(str(secret), "/password")


def soft_link(file):
    file["b"] = np.zeros(2)
    file["a"] = h5py.SoftLink("/b")


def second_link(file):
    file["b"] = np.zeros(2)
    file["a"] = file["b"]


def cyclic_group(file):
    file["a/b/c"] = np.zeros(2)
    file["a/b/loop"] = file["a"]


def root_in_itself(file):
    file["a"] = file["/"]


def external_storage(file):
    secret = Path(file.filename).with_name("secret.txt")
    size = secret.stat().st_size
    file.create_dataset("a", (size,), "u1", external=[(str(secret), 0, size)])


def virtual_dataset(file):
    secret = Path(file.filename).with_name("secret.txt")
    layout = h5py.VirtualLayout((2,), "f8")
    layout[:] = h5py.VirtualSource(str(secret), "password", (2,))
    file.create_virtual_dataset("a", layout)


def declared_terabytes(file):
    file.create_dataset("a", (10**11,), "f8", chunks=(10**6,), compression="gzip")


def declared_terabytes_in_one_piece(file):
    file.create_dataset("a", (10**12,), "f8")


def gzip_bomb(file):
    file.create_dataset("a", data=np.zeros(10**6), chunks=(10**6,), compression="gzip")


def gzip_twice(file):
    settings = h5p.create(h5p.DATASET_CREATE)
    settings.set_chunk((1000,))
    settings.set_deflate(9)
    settings.set_deflate(9)
    space = h5s.create_simple((1000,))
    dataset = h5d.create(file.id, b"a", h5t.NATIVE_DOUBLE, space, settings)
    dataset.write(h5s.ALL, h5s.ALL, np.arange(1000.0))


def lzf(file):
    file.create_dataset("a", data=np.arange(100.0), compression="lzf")


def scale_offset(file):
    file.create_dataset("a", data=np.arange(100), scaleoffset=0)


def variable_text(file):
    file.create_dataset("a", data=["text"], dtype=h5py.string_dtype())


def fixed_text(file):
    file["a"] = np.array([b"text"])


def ragged(file):
    file.create_dataset("a", (2,), h5py.vlen_dtype(np.float64))


def compound(file):
    file["a"] = np.zeros(2, [("x", "f8")])


def complex_numbers(file):
    file["a"] = np.zeros(2, complex)


def enumeration(file):
    file.create_dataset("a", (2,), h5py.enum_dtype({"FALSE": 0, "TRUE": 2}, basetype="i1"))


def reference(file):
    file.create_dataset("a", (1,), h5py.ref_dtype)


def no_dataspace(file):
    file["a"] = h5py.Empty("f8")


def committed_type(file):
    file["a"] = np.dtype("f8")


def bad_truth(file):
    dataset = file.create_dataset("a", (2,), bool)
    dataset.id.write(h5s.ALL, h5s.ALL, np.array([0, 7], "i1"), mtype=dataset.id.get_type())


def deep_groups(file):
    file.create_group("a/" * 5000)


def numeric_header(file):
    file.attrs["a"] = np.zeros(3)


def text_list_header(file):
    file.attrs["a"] = ["x", "y"]


def many_headers(file):
    for index in range(1001):
        file.attrs[str(index)] = "x"


def bad_utf8(file):
    file.attrs.create("a", b"\xff\xfe", dtype=h5py.string_dtype())


ATTACKS = [
    (external_link, "soft or external link"),
    (soft_link, "soft or external link"),
    (second_link, "second link to one object"),
    (cyclic_group, "second link to one object"),
    (root_in_itself, "second link to one object"),
    (external_storage, "stored in another file"),
    (virtual_dataset, "stored in another file"),
    (declared_terabytes, "declares 800000000000 bytes, stores 0"),
    (declared_terabytes_in_one_piece, "declares 8000000000000 bytes, stores 0"),
    (gzip_bomb, "declares 8000000 bytes, stores"),
    (gzip_twice, "needs the filters"),
    (lzf, "needs the filters"),
    (scale_offset, "needs the filters"),
    *((attack, "no plain numeric type") for attack in (variable_text, fixed_text, ragged)),
    *((attack, "no plain numeric type") for attack in (compound, complex_numbers, enumeration)),
    *((attack, "no plain numeric type") for attack in (reference, no_dataspace)),
    (committed_type, "is no array"),
    (bad_truth, "neither 0 nor 1"),
    (deep_groups, "nested too deep"),
    (numeric_header, "is not one text"),
    (text_list_header, "is not one text"),
    (many_headers, "more than 1000 headers"),
    (bad_utf8, "damaged"),
]


def small_array(shape, dtype, empty=np.empty):
    assert np.prod(shape, dtype=float) < 1000
    return empty(shape, dtype)


@pytest.mark.parametrize("libver", ["earliest", "latest"])
@pytest.mark.parametrize(
    ("attack", "match"), ATTACKS, ids=lambda case: getattr(case, "__name__", "")
)
def test_hostile_files_are_refused(path, monkeypatch, attack, match, libver):
    path.with_name("secret.txt").write_text("root:x:0:0:hunter2")
    with h5py.File(path, "w", libver=libver) as file:
        file["plain"] = np.ones(3)
        attack(file)
    monkeypatch.setattr(np, "empty", small_array)
    refuse(path, match)


def test_overlapping_arrays_cannot_add_up_to_more_than_the_file(path):
    with h5py.File(path, "w", libver="earliest") as file:
        file["a"] = np.full(10_000, 1.0)
        file["b"] = np.full(10_000, 2.0)
        first, second = (file[name].id.get_offset() for name in "ab")
    data = bytearray(path.read_bytes())
    pointer = data.index(second.to_bytes(8, "little") + (80_000).to_bytes(8, "little"))
    data[pointer : pointer + 8] = first.to_bytes(8, "little")
    path.write_bytes(data[:second])
    end = data.index(len(data).to_bytes(8, "little"))
    data[end : end + 8] = second.to_bytes(8, "little")
    path.write_bytes(data[:second])
    refuse(path, "that it cannot hold")


def test_too_many_groups_are_refused(path, monkeypatch):
    with h5py.File(path, "w") as file:
        for index in range(30):
            file.create_group(f"a/{index}")
    monkeypatch.setattr(container, "MAX_OBJECTS", 20)
    refuse(path, "more than 20 objects")


def test_too_many_chunks_are_refused(path, monkeypatch):
    with h5py.File(path, "w") as file:
        file.create_dataset("a", data=np.zeros(30), chunks=(1,))
    assert read(path).arrays["a"].shape == (30,)
    monkeypatch.setattr(container, "MAX_OBJECTS", 20)
    refuse(path, "more than 20 objects")
