"""The `.dp` file: what goes in comes out, both headers stand on the same arrays, and damage is named."""

import hashlib
import json

import h5py
import numpy as np
import pytest

from dpcore.descriptors import SeE2A
from dpcore.errors import DPError
from dpcore.fittings import EnergyFitting
from dpcore.formats import Document
from dpcore.models import StandardModel
from dpcore.tree import arrays, describe
from dpcore_serialization.dp import format as dp

SEL = (4, 6)


@pytest.fixture(scope="module")
def model():
    rng = np.random.default_rng(1)
    descriptor = SeE2A.create(rng, sel=SEL, neuron=(2, 4), axis_neuron=2, precision="float32")
    fitting = EnergyFitting.create(rng, ntypes=2, width=descriptor.width, neuron=(3, 3))
    return StandardModel(
        type_map=("O", "H"),
        pair_exclude_types=((0, 1),),
        descriptor=descriptor,
        fitting=fitting,
        out_bias=rng.normal(size=(1, 2, 1)),
        out_std=np.ones((1, 2, 1)),
    )


@pytest.fixture
def path(model, tmp_path):
    place = tmp_path / "model.dp"
    dp.write(place, Document(model, {"inputs": ["input.json"]}))
    return place


def header(path, name="dpcore"):
    with h5py.File(path) as file:
        return json.loads(file.attrs[name])


def rewrite(path, change):
    """Change dpcore's header and sign it again, as a program that writes such files would."""
    with h5py.File(path, "r+") as file:
        data = json.loads(file.attrs["dpcore"])
        change(data)
        data.pop("header_sha256", None)
        data["header_sha256"] = hashlib.sha256(compact(data).encode()).hexdigest()
        file.attrs["dpcore"] = compact(data)


def compact(data):
    return json.dumps(data, separators=(",", ":"), sort_keys=True, ensure_ascii=False)


def refusal(path):
    """Return the one line that reading a file ends with."""
    with pytest.raises(DPError) as caught:
        dp.read(path)
    text = str(caught.value)
    assert "\n" not in text
    assert str(path) in text
    return text


def test_round_trip(path, model):
    document = dp.read(path)
    assert describe(document.model) == describe(model)
    found, wanted = arrays(document.model), arrays(model)
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        assert found[name].dtype == value.dtype, name
        np.testing.assert_array_equal(found[name], value)


def test_provenance_is_kept_and_stamped(path):
    found = dp.read(path).provenance
    assert found["inputs"] == ["input.json"]
    assert found["software"] == "dpcore"
    assert {"version", "time"} <= found.keys()


def test_arrays_lie_under_their_tree_paths(path, model):
    with h5py.File(path) as file:
        stored = {}
        file.visititems(
            lambda n, x: stored.update({n: x[()]}) if isinstance(x, h5py.Dataset) else None
        )
    assert stored.keys() == {f"arrays/{name.replace('.', '/')}" for name in arrays(model)}
    np.testing.assert_array_equal(
        stored["arrays/descriptor/nets/3/layers/1/weight"],
        model.descriptor.nets[3].layers[1].weight,
    )


def test_header_says_what_is_in_the_file(path):
    data = header(path)
    assert data["format"] == 2
    assert data["type_map"] == ["O", "H"]
    assert data["units"] == {"length": "Å", "energy": "eV", "force": "eV/Å", "virial": "eV"}
    assert data["model"]["@type"] == "standard"
    assert data["model"]["descriptor"]["sel"] == list(SEL)
    rest = {k: v for k, v in data.items() if k != "header_sha256"}
    assert data["header_sha256"] == hashlib.sha256(compact(rest).encode()).hexdigest()


def test_deepmd_header_points_at_the_same_datasets(path, model):
    variables = header(path, "json")["model"]["descriptor"]["@variables"]
    with h5py.File(path) as file:
        np.testing.assert_array_equal(file[variables["davg"]][()], model.descriptor.davg)
        np.testing.assert_array_equal(file[variables["dstd"]][()], model.descriptor.dstd)


def test_deepmd_header_alone_is_enough(path, model):
    with h5py.File(path, "r+") as file:
        del file.attrs["dpcore"]
    document = dp.read(path)
    assert describe(document.model) == describe(model)
    for name, value in arrays(model).items():
        assert arrays(document.model)[name].tobytes() == value.tobytes(), name
    assert document.provenance["source"]["file"] == "model.dp"


def test_missing_file(tmp_path):
    assert "does not exist" in refusal(tmp_path / "nothing.dp")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not HDF5", b"\x89HDF\r\n\x1a\n rubbish"])
def test_other_files(content, tmp_path):
    place = tmp_path / "other.dp"
    place.write_bytes(content)
    refusal(place)


def test_hdf5_without_a_model(tmp_path):
    place = tmp_path / "other.dp"
    with h5py.File(place, "w") as file:
        file["x"] = np.zeros(3)
    assert "not a model" in refusal(place)


@pytest.mark.parametrize("keep", [0.3, 0.9, 0.999])
def test_truncated_file(path, keep):
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content))])
    refusal(path)


@pytest.mark.parametrize("name", ["dpcore", "json"])
def test_a_changed_header(path, name):
    with h5py.File(path, "r+") as file:
        file.attrs[name] = file.attrs[name].replace('"O"', '"N"', 1)
    text = refusal(path)
    assert "header is damaged" in text
    assert "restore" in text


@pytest.mark.parametrize("text", ["{", "", "[1, 2]", '"model"', "null"])
@pytest.mark.parametrize("name", ["dpcore", "json"])
def test_a_header_that_is_no_table(path, name, text):
    with h5py.File(path, "r+") as file:
        if name == "json":
            del file.attrs["dpcore"]
        file.attrs[name] = text
    assert "header" in refusal(path)


def test_a_changed_array(path):
    with h5py.File(path, "r+") as file:
        file["arrays/fitting/nets/1/layers/0/weight"][0, 0] += 1e-15
    text = refusal(path)
    assert "arrays/fitting/nets/1/layers/0/weight" in text
    assert "checksum" in text


@pytest.mark.parametrize("signed", [True, False])
def test_a_missing_array(path, signed):
    name = "arrays/descriptor/davg"
    with h5py.File(path, "r+") as file:
        del file[name]
    if signed:
        rewrite(path, lambda data: data["sha256"].pop(name))
    text = refusal(path)
    assert name in text or "descriptor.davg" in text
    assert "missing" in text


@pytest.mark.parametrize("version", [3, 99, 0, -1, "1", None, 1.5])
def test_another_format(path, version):
    rewrite(path, lambda data: data.update(format=version))
    text = refusal(path)
    assert f"file format {version!r}" in text
    assert "update dpcore" in text


def test_unknown_module_type(path):
    rewrite(path, lambda data: data["model"]["descriptor"].update({"@type": "se_e2_b"}))
    text = refusal(path)
    assert "unknown module type 'se_e2_b'" in text
    assert "se_e2_a" in text


def test_unknown_key(path):
    rewrite(path, lambda data: data["model"]["descriptor"].update(rcut_smooth=1.0))
    text = refusal(path)
    assert "descriptor: unknown key 'rcut_smooth'" in text
    assert "did you mean 'rcut_smth'" in text


@pytest.mark.parametrize("key", ["sel", "nets", "davg"])
def test_missing_key(path, key):
    rewrite(path, lambda data: data["model"]["descriptor"].pop(key))
    assert f"the key {key!r} of 'se_e2_a' is missing" in refusal(path)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("sel", "auto"),
        ("sel", [1.5, 2]),
        ("rcut", "six"),
        ("type_one_side", 1),
        ("axis_neuron", True),
        ("nets", []),
        ("davg", 0.0),
        ("activation_function", "tanhh"),
        ("precision", "float63"),
        ("rcut_smth", 7.0),
        ("exclude_types", [[0, 5]]),
    ],
)
def test_wrong_value(path, key, value):
    rewrite(path, lambda data: data["model"]["descriptor"].update({key: value}))
    assert key in refusal(path)


@pytest.mark.parametrize("key", ["format", "model", "sha256", "json_sha256"])
def test_a_header_that_lacks_a_key(path, key):
    rewrite(path, lambda data: data.pop(key))
    refusal(path)


@pytest.mark.parametrize("value", [None, [], "energy", {"@type": "mlp", "layers": []}])
def test_a_header_without_a_model(path, value):
    rewrite(path, lambda data: data.update(model=value))
    refusal(path)


def test_one_setting_cannot_contradict_the_arrays(path):
    """A file whose ``sel`` and statistics do not belong together is refused when it is read."""
    rewrite(path, lambda data: data["model"]["descriptor"].update(sel=[5, 6]))
    refusal(path)


def test_a_failed_write_leaves_the_old_file(path, model):
    before = path.read_bytes()
    broken = model.with_(out_bias=np.ones((1, 2, 1), complex))
    with pytest.raises(DPError, match="dtype"):
        dp.write(path, Document(broken))
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == ["model.dp"]
