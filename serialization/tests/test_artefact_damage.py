"""Damaged and foreign files end in one line that names them, never in a wrong number."""

import json
import random
import shutil
import zipfile
from pathlib import Path

import pytest
from artefact_kinds import QUERIES, Artefact, assert_identical, read, refusal
from harness import Backend

from dpcore.errors import DPError
from dpcore.infer import DeepPot

# Archives


def test_truncated_archives(archive, tmp_path):
    whole, path = archive.path.read_bytes(), tmp_path / archive.path.name
    for size in (0, 1, 30, len(whole) // 2, len(whole) - 22, len(whole) - 1):
        path.write_bytes(whole[:size])
        refusal(read, path)
        refusal(DeepPot, path)


def flipped(whole, places):
    """Return copies of a file with one bit flipped each."""
    for place, bit in places:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << bit
        yield bytes(damaged)


def test_flipped_bits_in_content_are_found(archive, tmp_path):
    """In the program and in the document alike."""
    whole, path, rng = archive.path.read_bytes(), tmp_path / archive.path.name, random.Random(1)
    with zipfile.ZipFile(archive.path) as file:
        spans = [(whole.index(file.read(i)), i.file_size) for i in file.infolist()]
    places = [(start + rng.randrange(size), rng.randrange(8)) for start, size in spans if size > 9]
    assert len(places) >= 2
    for damaged in flipped(whole, places):
        path.write_bytes(damaged)
        refusal(read, path)


def outcome(call, path):
    """Return what a call returns, or None where it refuses the file in one line that names it."""
    try:
        return call(path)
    except DPError as error:
        text = str(error)
    assert "\n" not in text
    assert str(path) in text
    return None


def test_flipped_bits_are_refused_or_harmless(archive, tmp_path):
    """Every bit of an entry of the directory and of its end, and bits anywhere else."""
    whole, path, rng = archive.path.read_bytes(), tmp_path / archive.path.name, random.Random(2)
    with zipfile.ZipFile(archive.path) as file:
        starts, directory = [info.header_offset for info in file.infolist()], file.start_dir
    dense = [*range(directory, directory + 60), *range(len(whole) - 22, len(whole))]
    sparse = [rng.choice(starts) + rng.randrange(64) for _ in range(60)]
    sparse += [rng.randrange(directory, len(whole)) for _ in range(60)]
    places = [(place, bit) for place in dense for bit in range(8)]
    places += [(place, rng.randrange(8)) for place in sparse]
    harmless = []
    for damaged in flipped(whole, places):
        path.write_bytes(damaged)
        if document := outcome(read, path):
            assert_identical(document.model)
            harmless.append(damaged)
    assert len(places) // 10 < len(harmless) < len(places) // 2
    for number, damaged in enumerate(rng.sample(harmless, 3)):
        again = tmp_path / f"{number}.{archive.kind.suffix}"
        again.write_bytes(damaged)
        if outcome(DeepPot, again):
            Artefact(archive.kind, again).agrees(QUERIES["one_frame"])


def document_of(path):
    with zipfile.ZipFile(path) as file:
        return next(file.read(n) for n in file.namelist() if n.endswith("model.dp"))


def archived(path, members, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, content in members:
            file.writestr(name, content)
    return path


@pytest.mark.parametrize("suffix", ["pt2", "jaxexport"])
def test_other_archives(small, suffix, tmp_path):
    path, document = tmp_path / f"model.{suffix}", document_of(small.path)
    archived(path, [("model.bin", b"x")])
    assert "holds no model.dp" in refusal(read, path)
    archived(path, [("a/model.dp", document), ("b/model.dp", document)])
    assert "holds 2 model.dp" in refusal(read, path)
    archived(path, [("model.dp", document)], zipfile.ZIP_DEFLATED)
    assert "declares more than it holds" in refusal(read, path)
    archived(path, [("model.dp", b"no HDF5")])
    assert "the model.dp inside" in refusal(read, path)


@pytest.mark.parametrize("backend", [Backend.TORCH, Backend.JAX], ids=str)
def test_programs_that_cannot_run(small, backend, tmp_path):
    """No program, no more than a name of one, and the program of another framework."""
    (suffix,) = backend.required().adapter().capabilities.exports
    other = {"pt2": "model.bin", "jaxexport": "archive/models/model.json"}[suffix]
    own = {"jaxexport": "model.bin", "pt2": "archive/data/aotinductor/model/x.so"}[suffix]
    path, document = tmp_path / f"model.{suffix}", ("archive/model.dp", document_of(small.path))
    for members in ([document], [document, (own, b"x")], [document, (other, b"x")]):
        archived(path, members)
        assert_identical(read(path).model)
        assert "convert it again" in refusal(DeepPot, path)


def test_bombs(small, tmp_path, monkeypatch):
    """What declares more than the file holds is refused before a byte of it is unpacked."""
    packed = archived(tmp_path / "a.pt2", [("model.dp", bytes(10**8))], zipfile.ZIP_DEFLATED)
    assert packed.stat().st_size < 10**6
    stored = archived(tmp_path / "b.pt2", [("model.dp", document_of(small.path))])
    data = bytearray(stored.read_bytes())
    entry = data.index(b"PK\1\2")
    data[entry + 20 : entry + 28] = 2 * (10**9).to_bytes(4, "little")
    stored.write_bytes(data)
    for method in ("read", "open", "testzip"):
        monkeypatch.setattr(zipfile.ZipFile, method, lambda *_: pytest.fail("unpacked"))
    for bomb in (packed, stored):
        assert "declares more than it holds" in refusal(read, bomb)


@pytest.mark.parametrize("suffix", ["pt2", "savedmodel", "jaxexport"])
def test_what_is_no_compiled_model(suffix, tmp_path):
    path = tmp_path / f"model.{suffix}"
    assert "no such file" in refusal(read, path)
    for content in (b"no model\n", b""):
        path.write_bytes(content)
        refusal(read, path)
    path.unlink()
    path.mkdir()
    refusal(read, path)
    (path / "saved_model.pb").write_bytes(b"")
    refusal(read, path)


# Folders


@pytest.fixture
def copy(folder, tmp_path):
    """Return a function that makes a fresh copy."""
    path = tmp_path / "model.savedmodel"

    def make():
        shutil.rmtree(path, ignore_errors=True)
        return Path(shutil.copytree(folder.path, path))

    return make


def test_damaged_folders(copy):
    """Whatever file is missing, changed or added is named."""
    path = copy()
    names = sorted(p.relative_to(path) for p in path.rglob("*") if p.is_file())
    assert Path("saved_model.pb") in names
    for name in [*names, Path("variables", "added")]:
        place = copy() / name
        assert_identical(read(path).model)
        content = place.read_bytes() if place.exists() else b""
        for changed in (content[:-1], content + b"x", content[:1] + b"\xff" + content[2:]):
            place.write_bytes(changed)
            assert name.name in refusal(read, path)
            refusal(DeepPot, path)
        place.unlink()
        if content:
            assert name.name in refusal(read, path)


@pytest.mark.parametrize("text", ["", "[]", "[1]", "null", "7", '"x"', "{}", "{" * 99_999, "\xff"])
def test_other_manifests(copy, text):
    path = copy()
    (path / "assets.extra" / "manifest.json").write_text(text, encoding="latin-1")
    refusal(read, path)


def test_a_program_changed_on_purpose(copy):
    """The manifest is no signature: a program that cannot be loaded still ends in one line."""
    path = copy()
    (path / "saved_model.pb").write_bytes(b"")
    manifest = path / "assets.extra" / "manifest.json"
    hashes = json.loads(manifest.read_text())
    hashes["saved_model.pb"] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    manifest.write_text(json.dumps(hashes))
    assert_identical(read(path).model)
    assert "convert it again" in refusal(DeepPot, path)
