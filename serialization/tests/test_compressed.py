"""Files of compressed models."""

import hashlib
import json

import h5py
import numpy as np
import pytest
from artefact_kinds import EXPORTED, JAXEXPORT, SAVEDMODEL, liquid, take_the_compiler_away
from example_models import CELL, example
from harness import assert_same

from dpcore.compress import compress
from dpcore.errors import DPError
from dpcore.formats import Document
from dpcore.infer import DeepPot
from dpcore.infer.artefact import ArtefactEngine
from dpcore.registry import format_of
from dpcore.tree import arrays, describe
from dpcore_serialization.container import digest
from dpcore_serialization.dp import format as dp

ORIGINAL = example("compressed_file", sel=(20, 30)).model
MODEL = compress(ORIGINAL, step=0.02).model
ONE_TYPE = compress(example("compressed_program", sel=(30,)).model).model


@pytest.fixture
def path(tmp_path):
    place = tmp_path / "model.dp"
    dp.write(place, Document(MODEL))
    return place


def refusal(path):
    """Return the one line that reading a file ends with."""
    with pytest.raises(DPError) as caught:
        dp.read(path)
    text = str(caught.value)
    assert "\n" not in text
    assert str(path) in text
    return text


def compact(data):
    return json.dumps(data, separators=(",", ":"), sort_keys=True, ensure_ascii=False)


def forge(path, settings=None, knots=None, segment=0):
    """Change a table of the first network, and sign the file as a program that writes it would."""
    name = f"arrays/descriptor/nets/0/segments/{segment}/knots"
    with h5py.File(path, "r+") as file:
        header = json.loads(file.attrs["dpcore"])
        header.pop("header_sha256")
        tables = header["model"]["descriptor"]["nets"][0]["segments"]
        tables[segment].update(settings or {})
        if knots is not None:
            found = knots(file[name][()])
            del file[name]
            file[name] = found
            header["sha256"][name] = digest(found)
        header["header_sha256"] = hashlib.sha256(compact(header).encode()).hexdigest()
        file.attrs["dpcore"] = compact(header)


def with_value(value):
    def change(knots):
        knots[1, 0, 0] = value
        return knots

    return change


def test_round_trip(path):
    model = dp.read(path).model
    assert describe(model) == describe(MODEL)
    found, wanted = arrays(model), arrays(MODEL)
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        assert found[name].dtype == value.dtype
        assert found[name].tobytes() == value.tobytes()


def test_there_is_no_header_for_deepmd_kit(path):
    with h5py.File(path) as file:
        assert sorted(file.attrs) == ["dpcore", "software"]
        names = []
        file.visit(names.append)
    assert not [name for name in names if "descriptor" in name and "weight" in name]


def test_a_header_that_was_added(path):
    dp.write(path.with_name("other.dp"), Document(ORIGINAL))
    with h5py.File(path, "r+") as file, h5py.File(path.with_name("other.dp")) as other:
        file.attrs["json"] = other.attrs["json"]
    assert "the 'json' header is damaged" in refusal(path)


def test_forging_is_noticed_by_what_is_forged_alone(path):
    forge(path, {"stride": 0.02}, lambda knots: knots)
    dp.read(path)


@pytest.mark.parametrize(
    ("knots", "words"),
    [
        (lambda k: k[:, 0], "table.knots: shape"),
        (lambda k: k[:1], "two knots"),
        (lambda k: k[:, :2], "table.knots: shape"),
        (lambda k: k[None], "table.knots: shape"),
        (lambda k: k[:, :, :3], "3 features in one table, 6 in the next"),
        (lambda k: k[:-1], "a table ends at"),
        (with_value(np.nan), "knot 1 has a value that is not finite"),
        (with_value(-np.inf), "knot 1 has a value that is not finite"),
        (lambda k: k.astype(np.int64), "dtype int64"),
        (lambda k: k.astype(np.float16), "dtype float16"),
    ],
)
def test_hostile_knots(path, knots, words):
    forge(path, knots=knots)
    assert words in refusal(path)


def test_a_second_table_of_other_width(path):
    """It would be read beyond its end."""
    forge(path, knots=lambda k: k[:, :, :1], segment=1)
    assert "6 features in one table, 1 in the next" in refusal(path)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"stride": 0}, "table.stride: 0 must be positive and finite"),
        ({"stride": -0.1}, "table.stride: -0.1 must be"),
        ({"stride": 1e-320}, "table.stride: 1e-320 must be"),
        ({"stride": float("nan")}, "table.stride: nan must be"),
        ({"stride": float("inf")}, "table.stride: inf must be"),
        ({"stride": 10**400}, "table.stride: 1000"),
        ({"stride": None}, "stride: None is not of the expected kind float"),
        ({"stride": 0.03}, "a table ends at"),
        ({"lower": float("nan")}, "table.lower: nan must be finite"),
        ({"lower": 7.0}, "a table ends at"),
        ({"@type": "mlp"}, "unknown key"),
    ],
)
def test_hostile_settings(path, settings, words):
    forge(path, settings)
    assert words in refusal(path)


@pytest.mark.parametrize("count", [0, 3])
def test_another_number_of_tables(path, count):
    with h5py.File(path, "r+") as file:
        header = json.loads(file.attrs["dpcore"])
        header.pop("header_sha256")
        net = header["model"]["descriptor"]["nets"][0]
        net["segments"] = (net["segments"] * 2)[:count]
        header["header_sha256"] = hashlib.sha256(compact(header).encode()).hexdigest()
        file.attrs["dpcore"] = compact(header)
    refusal(path)


def test_text_files_have_no_place_for_tables(tmp_path):
    place = tmp_path / "model.yaml"
    with pytest.raises(DPError, match=r"cannot write .*model.yaml: the model is compressed"):
        format_of(place).write(place, Document(MODEL))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", [EXPORTED, SAVEDMODEL, JAXEXPORT], ids=str)
def test_compiled_files(kind, tmp_path, monkeypatch, caplog):
    kind.backend.required()
    place = tmp_path / f"model.{kind.suffix}"
    if not kind.cpp:
        take_the_compiler_away(monkeypatch)
    format_of(place).write(place, Document(ONE_TYPE))
    assert describe(format_of(place).read(place).model) == describe(ONE_TYPE)
    compiled, tree = DeepPot(place), DeepPot(place, backend="numpy")
    assert isinstance(compiled.engine, ArtefactEngine)
    coord, types = liquid(2), np.zeros(8, np.int64)
    found, exact = (p.evaluate(coord, CELL, types) for p in (compiled, tree))
    assert_same(found, exact, 1e-10)
    caplog.clear()
    coord[:, 1] = coord[:, 0] + [0.05, 0.0, 0.0]
    for _ in range(2):
        compiled.evaluate(coord, CELL, types)
    (record,) = caplog.records
    assert "where the tables of this compressed model end" in record.message
