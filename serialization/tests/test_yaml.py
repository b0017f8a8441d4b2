"""The `.yaml` file: every number and name survives being text, and what is no model is named."""

import errno
import hashlib
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
import yaml
from artefact_kinds import assert_identical, read, refusal
from example_models import BY_NAME

from dpcore.formats import Document
from dpcore.registry import format_of
from dpcore.tree import Leaf, rebuild

MODEL = BY_NAME["plain"].model


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.yaml"


def write(path, model=MODEL, **provenance):
    format_of(path).write(path, Document(model, provenance))


# Numbers and names


@pytest.mark.parametrize(
    "dtype", ["float16", "float32", "float64", ml_dtypes.bfloat16], ids=lambda d: np.dtype(d).name
)
def test_every_bit_of_a_number_survives(path, dtype):
    """The smallest, the largest, both zeros, infinities, and random bits."""
    limits, rng = ml_dtypes.finfo(dtype), np.random.default_rng(2)
    special = [limits.max, limits.min, limits.tiny, limits.smallest_subnormal, 0.0, -0.0, np.inf]
    special = np.array([*special, -np.inf, 0.1, 1.0 / 3.0]).astype(dtype)

    def fill(_: str, leaf: Leaf):
        size = leaf.value.size
        random = rng.integers(0, 256, size * np.dtype(dtype).itemsize, np.uint8).view(dtype)
        random[np.isnan(random)] = special[0]
        return np.concatenate([special, random])[:size].reshape(leaf.value.shape)

    with np.errstate(invalid="ignore"):
        model = rebuild(MODEL, fill)
    write(path, model)
    assert_identical(read(path).model, model)


@pytest.mark.parametrize("first", ["NO", "y", "null", "~", "1e3", "0x1F", "1:30", "2001-01-01", ""])
@pytest.mark.parametrize("second", ["é", "'", '"', "a: b", " #c", "- d", "&e", "*f", "!g", "h\ni"])
def test_names_that_look_like_something_else(path, first, second):
    model = MODEL.with_(type_map=(first, second))
    write(path, model)
    assert read(path).model.type_map == (first, second)


def test_provenance(path):
    script = {"model": {"type_map": ["O", "é"], "seed": None, "rcut": 6.0}}
    write(path, model_def_script=script)
    found = read(path).provenance
    assert found["model_def_script"] == script
    assert found["source"]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()


# The text


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace(b"\n", b"\r\n"),
        lambda text: b"\xef\xbb\xbf" + text,
        lambda text: b"# a comment\n%YAML 1.1\n---\n" + text + b"...\n",
        lambda text: text.rstrip(),
        lambda text: yaml.safe_dump(yaml.safe_load(text), default_flow_style=True).encode(),
        lambda text: yaml.safe_dump(yaml.safe_load(text), default_style='"').encode(),
    ],
    ids=["crlf", "mark", "document", "no_end", "flow", "quoted"],
)
def test_other_ways_to_write_the_same(path, change):
    write(path)
    path.write_bytes(change(path.read_bytes()))
    assert_identical(read(path).model, MODEL)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.decode().encode("utf-16"),
        lambda text: text + b"# \xff\n",
        lambda text: text + b"\0",
        lambda text: text + b"---\na: 1\n",
        lambda text: text[: len(text) // 2],
        lambda text: text.replace(b"  - ", b"  -\t", 1),
        lambda text: text.replace(b"value:", b"value: {", 1),
    ],
    ids=["utf16", "latin1", "nul", "two", "half", "tab", "open"],
)
def test_damaged_text(path, change):
    write(path)
    path.write_bytes(change(path.read_bytes()))
    refusal(read, path)


LAUGHS = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
LAUGHS += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
HOSTILE = {
    "deep": "model: " + "[" * 100_000,
    "deep_and_whole": "model: " + "[" * 3000 + "]" * 3000,
    "deep_blocks": "".join(" " * i + "a:\n" for i in range(2000)),
    "repeated": "\n".join([*LAUGHS, "model: {type: standard, type_map: *a11}"]),
    "cycle": "model: &a {type: standard, descriptor: *a}",
    "cyclic_list": "model: {type: standard, type_map: &a [*a]}",
    "long_number": "model: {type: standard, x: " + "9" * 10_000 + "}",
    "date": "model: {type: standard, x: 2001-99-99}",
    "tag": "model: {type: standard, x: !!float abc}",
    "time": "model: {type: standard, x: !!timestamp x}",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text(path, text):
    """Neither the memory nor the stack of the machine is used up."""
    path.write_text(text)
    refusal(read, path)


def test_folders_are_no_files(path):
    path.mkdir()
    refusal(read, path)


# Writing


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left"), KeyboardInterrupt()])
def test_a_failure_keeps_the_old_file(path, error, monkeypatch):
    path.write_text("old")
    whole = Path.write_text

    def fail(self, data, **kwargs):
        whole(self, data[: len(data) // 2], **kwargs)
        raise error

    monkeypatch.setattr(Path, "write_text", fail)
    with pytest.raises((type(error), ValueError)):
        write(path)
    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]
