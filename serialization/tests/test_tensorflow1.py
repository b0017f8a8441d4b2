"""Weights under the names of DeePMD-kit's TensorFlow variables, and files of them that are wrong."""

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from dpcore import tree
from dpcore.errors import DPError
from dpcore.formats import Document
from dpcore.models import DipoleChargeModel
from dpcore.registry import format_of, importer_of
from dpcore_serialization.tensorflow1 import NpzSource, Variables, read_weights

DATA = Path(__file__).parents[2] / "consistency_tests" / "data_tf"
TOLD = "se_e2_a_type_embedding_one_side"


def copy(case, folder, changes=None, settings=None, name="weights.npz"):
    """Write a case with some of its variables changed, or left out where the change is None."""
    arrays = dict(np.load(DATA / case / "weights.npz")) | (changes or {})
    np.savez(folder / name, **{k: v for k, v in arrays.items() if v is not None})
    section = json.loads((DATA / case / "model.json").read_text()) | (settings or {})
    (folder / "model.json").write_text(json.dumps(section))
    return folder / name, folder / "model.json"


def mistake(*paths):
    with pytest.raises(DPError) as error:
        read_weights(*paths)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_every_variable_has_its_place():
    model = read_weights(DATA / TOLD / "weights.npz", DATA / TOLD / "model.json").model
    given, arrays = np.load(DATA / TOLD / "weights.npz"), tree.arrays(model)
    places = {
        "type_embed_net.matrix_3": "descriptor.type_embedding.net.layers.2.weight",
        "type_embed_net.idt_2": "descriptor.type_embedding.net.layers.1.timestep",
        "filter_type_all.matrix_1": "descriptor.nets.0.layers.0.weight",
        "filter_type_all.bias_2": "descriptor.nets.0.layers.1.bias",
        "descrpt_attr.t_avg": "descriptor.davg",
        "descrpt_attr.t_std": "descriptor.dstd",
        "layer_0.matrix": "fitting.nets.0.layers.0.weight",
        "layer_1.idt": "fitting.nets.0.layers.1.timestep",
        "final_layer.bias": "fitting.nets.0.layers.2.bias",
        "fitting_attr.t_bias_atom_e": "fitting.bias_atom_e",
    }
    for name, place in places.items():
        assert np.array_equal(arrays[place].ravel(), given[name].ravel()), name


def test_pairs_of_types_have_scopes_of_their_own():
    case = DATA / "se_e2_a_exclude_parameters"
    given, model = (
        np.load(case / "weights.npz"),
        read_weights(case / "weights.npz", case / "model.json").model,
    )
    assert "filter_type_0.matrix_1_1" not in given
    nets = model.descriptor.nets
    # The network of centre c and neighbour n has the number c + 2 n.
    assert np.array_equal(nets[0].layers[0].weight, given["filter_type_0.matrix_1_0"])
    assert np.array_equal(nets[3].layers[1].weight, given["filter_type_1.matrix_2_1"])
    # Those of the excluded pair are never asked; its empty places add nothing there.
    for net in (nets[1], nets[2]):
        assert not any(np.any(x) for x in tree.arrays(net).values())
    assert not np.any(model.descriptor.davg[0, 20:])
    assert np.any(model.descriptor.davg[0, :20])


def test_only_layers_of_equal_width_add_their_input():
    case = DATA / "se_e2_a_exclude_parameters"
    settings = json.loads((case / "model.json").read_text())
    assert settings["fitting_net"]["neuron"] == [8, 9, 9]
    layers = read_weights(case / "weights.npz", case / "model.json").model.fitting.nets[0].layers
    assert [layer.resnet for layer in layers] == [False, False, True, False]


def test_output_statistics(tmp_path):
    bias = np.array([[[0.5], [-2.0]]])
    paths = copy(TOLD, tmp_path, {"model_attr.model_attr.t_out_bias": bias})
    assert np.array_equal(read_weights(*paths).model.out_bias, bias)
    paths = copy(TOLD, tmp_path, {"model_attr.t_out_std": 2.0 * np.ones((1, 2, 1))})
    assert "model_attr.t_out_std: is not 1" in mistake(*paths)


def test_settings_may_be_a_whole_input_file(tmp_path):
    weights, settings = copy(TOLD, tmp_path)
    section = json.loads(settings.read_text())
    settings.write_text(json.dumps({"model": section, "training": {"numb_steps": 8}}))
    document = read_weights(weights, settings)
    assert document.provenance["model_def_script"] == section
    assert document.provenance["source"]["file"] == "weights.npz"


def test_what_repeats_the_settings_may_be_there(tmp_path):
    repeated = {
        "descrpt_attr.ntypes": 2,
        "train_attr.min_nbor_dist": 0.8,
        "fitting_attr.dfparam": 0,
    }
    paths = copy(TOLD, tmp_path, {k: np.array(v) for k, v in repeated.items()})
    read_weights(*paths)


@pytest.mark.parametrize("case", ["loc_frame", TOLD, "se_a_ebd_v2", "hybrid_exclude", "polar_diag"])
def test_each_missing_variable_is_named(case, tmp_path):
    never_needed = {"descrpt_attr.rcut", "fitting_attr.t_bias_atom_e"}
    for name in np.load(DATA / case / "weights.npz"):
        if name in never_needed or name.startswith("model_attr"):
            continue
        message = mistake(*copy(case, tmp_path, {name: None}))
        assert message.endswith(
            f"weights.npz: {name}: is missing; the settings ask for this variable"
        )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"layer_0.matrix": np.zeros((3, 8))},
            "layer_0.matrix: shape (3, 8); the settings ask for",
        ),
        (
            {"layer_7.bias": np.zeros(3)},
            "layer_7.bias: belongs to nothing that the settings describe",
        ),
        ({"filter_type_0.matrix_1_0": np.zeros(3)}, "filter_type_0.matrix_1_0: belongs to nothing"),
        (
            {"descrpt_attr.original_sel": np.array([20, 50])},
            "descrpt_attr.original_sel: is [20, 50]; the settings say sel = [20, 40]",
        ),
        (
            {"descrpt_attr.rcut": np.array(6.0)},
            "descrpt_attr.rcut: is 6.0; the settings say rcut = 4.0",
        ),
        (
            {"final_layer.bias": np.array([np.nan])},
            "final_layer.bias: it has a value that is not finite",
        ),
        ({"final_layer.bias": np.array([1j])}, "final_layer.bias: it has the dtype complex128"),
        ({"final_layer.bias": np.array(["a"])}, "final_layer.bias: it has the dtype <U1"),
        ({"final_layer.bias": np.array([None])}, "final_layer.bias: it has the dtype object"),
    ],
)
def test_wrong_variables_are_named(changes, message, tmp_path):
    text = mistake(*copy(TOLD, tmp_path, changes))
    assert text.startswith(str(tmp_path / "weights.npz"))
    assert message in text


def test_precision_must_hold_the_weights(tmp_path):
    settings = json.loads((DATA / TOLD / "model.json").read_text())["fitting_net"]
    paths = copy(TOLD, tmp_path, settings={"fitting_net": settings | {"precision": "float32"}})
    assert "is float64, the settings ask for float32; correct 'precision'" in mistake(*paths)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "no such file; it must hold the settings of the model"),
        ("{", "no JSON file of settings"),
        ("[" * 100_000, "no JSON file of settings"),
        ("[1]", "no settings of a model"),
        ('{"model": 3}', "no settings of a model"),
        ('{"type_map": ["O"]}', "there is no 'descriptor'"),
        ('{"type_map": ["O", "H"], "descriptor": {"type": "se_e2_x"}}', "se_e2_x"),
    ],
)
def test_wrong_settings(text, message, tmp_path):
    weights, settings = copy(TOLD, tmp_path)
    settings.unlink() if text is None else settings.write_text(text)
    found = mistake(weights, settings)
    assert found.startswith(str(settings))
    assert message in found


@pytest.mark.parametrize(
    ("case", "changes", "message"),
    [
        ("se_atten_attention", {"attn_dotr": True}, "descriptor.attn_dotr: there the cosines"),
        ("se_atten_attention", {"smooth_type_embedding": True}, "descriptor.smooth_type_embedding"),
        ("se_atten_attention", {"scaling_factor": 2.0}, "descriptor.scaling_factor: has no effect"),
        (
            "se_atten_strip_exclude",
            {"type_one_side": True},
            "descriptor.type_one_side: has no effect",
        ),
    ],
)
def test_what_means_something_else_there_is_refused(case, changes, message, tmp_path):
    section = json.loads((DATA / case / "model.json").read_text())["descriptor"]
    assert message in mistake(*copy(case, tmp_path, settings={"descriptor": section | changes}))


def test_descriptors_that_were_never_there(tmp_path):
    descriptor = {"type": "se_e3_tebd", "sel": 60, "rcut": 4.0, "neuron": [4, 8]}
    paths = copy("se_atten", tmp_path, settings={"descriptor": descriptor})
    assert "descriptors of type 'se_e3_tebd' cannot be read from variables" in mistake(*paths)


def test_empty_places_of_attention_mean_something_else_there(tmp_path):
    mean = np.full((2, 240), 0.1)
    paths = copy("se_atten", tmp_path, {"descrpt_attr.t_avg": mean})
    assert "descrpt_attr.t_avg: is not zero" in mistake(*paths)


def test_settings_of_another_kind_of_model(tmp_path):
    paths = copy(
        TOLD, tmp_path, settings={"spin": {"use_spin": [True, False], "virtual_scale": [0.3]}}
    )
    assert "models of type 'spin' cannot be read from variables" in mistake(*paths)


def header(sizes, dtype="<f8"):
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        file, {"descr": dtype, "fortran_order": False, "shape": sizes}
    )
    return file.getvalue()


def written(path, members):
    with zipfile.ZipFile(path, "w") as file:
        for name, data in members:
            file.writestr(name, data)
    return path


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([("a.npy", b"")], "a: "),
        ([("a.npy", b"no array at all")], "a: "),
        ([("a.npy", header((2,)) + b"1234567")], "a: it takes 135 bytes; its header says 144"),
        ([("a.npy", header((1 << 40, 1 << 40)))], "a: it takes 128 bytes; its header says"),
        ([("a.npy", header((-4,)) + bytes(8))], "a: "),
        ([("a.npy", b"\x93NUMPY\x09\x00" + bytes(80))], "a: its format (9, 0) is unknown"),
        ([("a.txt", b"text")], "holds 'a.txt', which is no array"),
        ([("a.npy", header((0,))), ("a.npy", header((0,)))], "two arrays have one name"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_hostile_files(members, message, tmp_path):
    with pytest.raises(DPError) as error:
        NpzSource(written(tmp_path / "a.npz", members))
    assert str(error.value).startswith(str(tmp_path / "a.npz"))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_only_the_compression_of_npz_files(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_LZMA) as file:
        file.writestr("a.npy", header((0,)))
    with pytest.raises(DPError, match="compressed in a way"):
        NpzSource(tmp_path / "a.npz")


def test_files_that_are_no_archives(tmp_path):
    text = tmp_path / "a.npz"
    text.write_text("text")
    for path, message in ((text, "no .npz file"), (tmp_path / "b.npz", "no such file")):
        with pytest.raises(DPError, match=message):
            NpzSource(path)


def test_damaged_bytes_are_found(tmp_path):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, a=np.random.default_rng(0).normal(size=1000))
    data = bytearray(path.read_bytes())
    data[4000:4010] = bytes(10)
    path.write_bytes(bytes(data))
    source = NpzSource(path)
    assert source.shape("a") == (1000,)
    with pytest.raises(DPError, match=r"a\.npz: a: "):
        source.read("a")


def test_arrays_of_any_layout(tmp_path):
    values = np.random.default_rng(0).normal(size=(3, 4))
    np.savez(
        tmp_path / "a.npz", rows=values, columns=np.asfortranarray(values), big=values.astype(">f8")
    )
    source = NpzSource(tmp_path / "a.npz")
    for name in source.names():
        found = source.read(name)
        assert np.array_equal(found, values)
        assert found.dtype == np.float64
        assert found.dtype.isnative


def test_nothing_is_read_that_nobody_asked_for(tmp_path):
    """A variable of another shape is refused before its bytes are touched."""
    path = tmp_path / "a.npz"
    np.savez_compressed(path, a=np.zeros(1 << 20))
    variables = Variables(NpzSource(path))
    with pytest.raises(DPError, match=r"a: shape \(1048576,\); the settings ask for \(3,\)"):
        variables.take("a", (3,))


class TestDipoles:
    """Models of long-range electrostatics, whose dipole model has settings of its own."""

    def test_settings_are_beside_the_file_that_is_named(self):
        case = DATA / "dplr_energy"
        model = read_weights(case / "weights.npz", case / "model.json").model
        assert isinstance(model, DipoleChargeModel)
        given = np.load(case / "weights.npz")
        for prefix, part in (("", model.energy), ("dipole_charge.", model.dipole.model)):
            name = f"{prefix}filter_type_all.matrix_2_1"
            assert np.array_equal(part.descriptor.nets[1].layers[1].weight, given[name])

    def test_settings_are_missing(self, tmp_path):
        (tmp_path / "energy").mkdir()
        paths = copy("dplr_energy", tmp_path / "energy")
        assert "dplr_dipole/model.json: no such file" in mistake(*paths)

    def test_dipole_model_may_be_a_file(self, tmp_path):
        case = DATA / "dplr_dipole"
        dipole = read_weights(case / "weights.npz", case / "model.json").model
        format_of("a.dp").write(tmp_path / "dipole.dp", Document(dipole))
        modifier = json.loads((DATA / "dplr_energy" / "model.json").read_text())["modifier"]
        inner = [
            k for k in np.load(DATA / "dplr_energy" / "weights.npz") if k.startswith("dipole_")
        ]
        paths = copy(
            "dplr_energy",
            tmp_path,
            dict.fromkeys(inner),
            {"modifier": modifier | {"model_name": "dipole.dp"}},
        )
        found = read_weights(*paths).model
        assert tree.structure(found.dipole.model) == tree.structure(dipole)

    def test_left_over_variables_are_named_with_their_prefix(self, tmp_path):
        (tmp_path / "dplr_dipole").mkdir()
        (tmp_path / "dplr_energy").mkdir()
        copy("dplr_dipole", tmp_path / "dplr_dipole")
        paths = copy(
            "dplr_energy", tmp_path / "dplr_energy", {"dipole_charge.layer_9.bias": np.zeros(2)}
        )
        assert "weights.npz: dipole_charge.layer_9.bias: belongs to nothing" in mistake(*paths)


def test_importers_are_found_by_suffix():
    assert importer_of("weights.npz") is read_weights
    assert importer_of("model.dp") is None
