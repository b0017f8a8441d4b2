"""DeePMD-kit's own files: read as they mean, written as it writes them, and refused by name otherwise."""

import json
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml

from dpcore.errors import DPError
from dpcore.formats import Document
from dpcore.tree import arrays, describe
from dpcore_serialization.deepmd_yaml import format as deepmd_yaml
from dpcore_serialization.dp import format as dp

DATA = Path(__file__).parents[2] / "consistency_tests" / "data"
CASES = sorted(folder.name for folder in DATA.iterdir())


@pytest.fixture
def original(tmp_path):
    """A copy of a file that DeePMD-kit wrote."""
    return Path(shutil.copy(DATA / "se_e2_a_fparam_aparam" / "model.dp", tmp_path / "model.dp"))


def header(path):
    with h5py.File(path) as file:
        return json.loads(file.attrs["json"])


def flat(node, place=""):
    """Return the entries of nested tables and lists by path."""
    if isinstance(node, dict):
        return {p: v for k, x in node.items() for p, v in flat(x, f"{place}.{k}").items()}
    if isinstance(node, list) and any(isinstance(x, (dict, list)) for x in node):
        return {p: v for i, x in enumerate(node) for p, v in flat(x, f"{place}.{i}").items()}
    return {place: node}


def assert_identical(model, expected):
    assert describe(model) == describe(expected)
    found, wanted = arrays(model), arrays(expected)
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        assert found[name].dtype == value.dtype, name
        assert found[name].tobytes() == value.tobytes(), name


def test_settings_and_arrays_are_those_of_the_file(original):
    model = dp.read(original).model
    assert model.type_map == ("O", "H")
    assert (model.descriptor.rcut, model.descriptor.rcut_smth) == (4.0, 0.5)
    assert model.descriptor.sel == (20, 40)
    assert model.descriptor.neuron == (6, 12, 24)
    assert model.descriptor.axis_neuron == 4
    assert model.descriptor.type_one_side is True
    assert (model.fitting.numb_fparam, model.fitting.numb_aparam) == (2, 3)
    assert model.fitting.resnet_dt is True
    variables = header(original)["model"]["fitting"]["@variables"]
    with h5py.File(original) as file:
        np.testing.assert_array_equal(model.fitting.fparam_avg, file[variables["fparam_avg"]][()])
        np.testing.assert_array_equal(model.fitting.bias_atom_e, file[variables["bias_atom_e"]][()])
    assert model.fitting.nets[0].layers[1].timestep.shape == (16,)


def test_provenance_tells_the_source(original):
    found = dp.read(original).provenance
    assert found["source"]["software"] == "deepmd-kit"
    assert found["source"]["version"] == "3.2.0"
    assert found["source"]["file"] == "model.dp"


@pytest.mark.parametrize("suffix", ["dp", "yaml"])
@pytest.mark.parametrize("case", CASES)
def test_written_as_deepmd_kit_wrote_it(case, suffix, tmp_path):
    """Key by key the same table; the arrays and the stamp of the program aside."""
    source, target = DATA / case / "model.dp", tmp_path / f"model.{suffix}"
    document = dp.read(source)
    (dp if suffix == "dp" else deepmd_yaml).write(target, document)
    theirs = flat(header(source))
    written = header(target) if suffix == "dp" else yaml.safe_load(target.read_text())
    ours = flat(written)
    # The seed has served its purpose.
    stamp = {".software", ".backend", ".time", ".model.descriptor.config.seed"}
    in_arrays = {k for k in theirs if "@variables" in k and theirs[k] is not None}
    for key, value in theirs.items():
        if key not in stamp | in_arrays:
            assert ours[key] == value, key
    if suffix == "dp":
        assert ours.keys() == theirs.keys()
    else:
        assert {k for k in ours if ours[k] != "np.ndarray" and "@variables" not in k} == {
            k for k in theirs if "@variables" not in k
        }
        for key in in_arrays:
            # Some tables have lists of arrays.
            n = len(theirs[key]) if isinstance(theirs[key], list) else None
            places = [key] if n is None else [f"{key}.{i}" for i in range(n)]
            assert all(ours[f"{place}.@class"] == "np.ndarray" for place in places)


@pytest.mark.parametrize("case", CASES)
def test_from_deepmd_kit_through_every_format_and_back(case, tmp_path):
    document = dp.read(DATA / case / "model.dp")
    assert any(not np.all(v == v.flat[0]) for v in arrays(document.model).values())
    own, text, foreign = tmp_path / "a.dp", tmp_path / "b.yaml", tmp_path / "c.dp"
    dp.write(own, document)
    deepmd_yaml.write(text, dp.read(own))
    dp.write(foreign, deepmd_yaml.read(text))
    with h5py.File(foreign, "r+") as file:
        del file.attrs["dpcore"]
    for model in (dp.read(own).model, deepmd_yaml.read(text).model, dp.read(foreign).model):
        assert_identical(model, document.model)


def rewrite(path, change):
    with h5py.File(path, "r+") as file:
        data = json.loads(file.attrs["json"])
        change(data["model"])
        file.attrs["json"] = json.dumps(data)


def refusal(path, read=dp.read):
    with pytest.raises(DPError) as caught:
        read(path)
    text = str(caught.value)
    assert "\n" not in text
    assert str(path) in text
    return text


UNSUPPORTED = [
    (lambda m: m.update(type="frozen"), "model.type"),
    (lambda m: m.update(unheard_of=1), "unheard_of"),
    (lambda m: m.update({"@version": 3}), "@version"),
    (lambda m: m.pop("descriptor"), "descriptor"),
    (lambda m: m.pop("type_map"), "type_map"),
    (lambda m: m["descriptor"].update(type="se_x"), "model.descriptor.type"),
    (lambda m: m["descriptor"].update({"@version": 4}), "model.descriptor"),
    (lambda m: m["descriptor"].update(new_key=True), "new_key"),
    (lambda m: m["descriptor"].update(spin={"use_spin": [True]}), "model.descriptor.spin"),
    (lambda m: m["descriptor"].pop("rcut"), "rcut"),
    (lambda m: m["descriptor"]["env_mat"].update(use_exp_switch=True), "use_exp_switch"),
    (lambda m: m["descriptor"]["@variables"].update(davg="/nowhere"), "/nowhere"),
    (lambda m: m["descriptor"]["@variables"].pop("dstd"), "dstd"),
    (lambda m: m["descriptor"].update(sel=[20, 41]), "davg"),
    (lambda m: m["descriptor"]["embeddings"].update(networks=[None, None]), "embeddings"),
    (lambda m: m["descriptor"]["embeddings"]["networks"].pop(), "networks"),
    (lambda m: m["fitting"].update(type="enner"), "model.fitting.type"),
    (lambda m: m["fitting"].update(mixed_types=True), "mixed_types"),
    (lambda m: m["fitting"].update(dim_case_embd=2), "case_embd"),
    (lambda m: m["fitting"]["nets"]["networks"][0]["layers"][0].update(rank=3), "rank"),
    (lambda m: m.update(type_map=["O"]), "type_map"),
    (lambda m: m.update(descriptor=[1]), "descriptor"),
    (lambda m: m.update(descriptor=None), "descriptor"),
]


@pytest.mark.parametrize(("change", "names"), UNSUPPORTED, ids=[n for _, n in UNSUPPORTED])
def test_what_is_not_understood_is_named(original, change, names):
    rewrite(original, change)
    assert names in refusal(original)


WRONG = [
    (lambda m: m["descriptor"].update(rcut="six"), "rcut"),
    (lambda m: m["descriptor"].update(sel="auto"), "sel"),
    (lambda m: m["descriptor"].update(axis_neuron=None), "axis_neuron"),
    (lambda m: m["descriptor"].update(activation_function="tanhh"), "activation_function"),
    (lambda m: m["descriptor"].update(precision=64), "precision"),
    (lambda m: m["descriptor"].update(exclude_types=3), "exclude_types"),
    (lambda m: m["fitting"].update(numb_fparam="two"), "numb_fparam"),
    (lambda m: m["fitting"].update(neuron=16), "neuron"),
    (lambda m: m.update(type_map="OH"), "type_map"),
    (lambda m: m.update(atom_exclude_types="O"), "atom_exclude_types"),
    (lambda m: m.update(preset_out_bias=[1.0]), "preset_out_bias"),
]


@pytest.mark.parametrize(("change", "names"), WRONG, ids=[n for _, n in WRONG])
def test_values_of_a_wrong_kind_are_named(original, change, names):
    rewrite(original, change)
    assert names in refusal(original)


def test_shapes_that_do_not_belong_together(original):
    """A layer that is too wide for the next one, statistics for another number of parameters."""
    wrong = np.zeros((7, 16))
    for change in (
        lambda m: m["fitting"]["nets"]["networks"][0]["layers"][1]["@variables"].update(w="/extra"),
        lambda m: m["@variables"].update(out_bias="/extra3"),
    ):
        place = original.with_name("changed.dp")
        shutil.copy(original, place)
        with h5py.File(place, "r+") as file:
            file["extra"], file["extra3"] = wrong, np.zeros((1, 5, 1))
        rewrite(place, change)
        refusal(place)


YAML = [
    ("", "no 'model'"),
    ("model: 3", "model"),
    ("- 1", "no 'model'"),
    ("model: {", "YAML"),
    ("a: &a [*a]", "no 'model'"),
    ("model: !!python/object/apply:os.getcwd []", "YAML"),
    ("\tmodel: 1", "YAML"),
]


@pytest.mark.parametrize(("text", "says"), YAML, ids=range(len(YAML)))
def test_other_yaml_files(text, says, tmp_path):
    place = tmp_path / "model.yaml"
    place.write_text(text)
    assert says in refusal(place, deepmd_yaml.read)


def test_missing_yaml_file(tmp_path):
    assert "no such file" in refusal(tmp_path / "nothing.yaml", deepmd_yaml.read)


def change_yaml(tmp_path, change):
    place = tmp_path / "model.yaml"
    deepmd_yaml.write(place, Document(dp.read(DATA / "se_e2_a" / "model.dp").model))
    data = yaml.safe_load(place.read_text())
    change(data["model"]["descriptor"]["@variables"])
    place.write_text(yaml.safe_dump(data))
    return place


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda v: v["davg"].update(dtype="object"), "dtype"),
        (lambda v: v["davg"].update(dtype="float128"), "dtype"),
        (lambda v: v["davg"].update(value=[["x"]]), "damaged"),
        (lambda v: v["davg"].update(value=[[1.0], [1.0, 2.0]]), "damaged"),
        (lambda v: v["davg"].pop("value"), "damaged"),
        (lambda v: v.update(davg=3.0), "array is expected"),
        (lambda v: v.pop("davg"), "davg"),
    ],
)
def test_damaged_arrays_in_yaml(change, says, tmp_path):
    assert says in refusal(change_yaml(tmp_path, change), deepmd_yaml.read)
