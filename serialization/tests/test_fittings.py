"""Fittings in DeePMD-kit's files: older versions, files of TensorFlow, and what must not get lost."""

import json
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from dpcore.errors import DPError
from dpcore.formats import Document
from dpcore_serialization.deepmd_yaml import format as deepmd_yaml
from dpcore_serialization.dp import format as dp

DATA = Path(__file__).parents[2] / "consistency_tests" / "data"


def changed(case, tmp_path, change):
    """Return a copy of a file that DeePMD-kit wrote with its dictionary of the model changed."""
    place = Path(shutil.copy(DATA / case / "model.dp", tmp_path))
    with h5py.File(place, "r+") as file:
        data = json.loads(file.attrs["json"])
        change(data["model"])
        file.attrs["json"] = json.dumps(data)
    return place


def without(*keys, variables=(), **changes):
    def change(model):
        for key in keys:
            del model["fitting"][key]
        for key in variables:
            del model["fitting"]["@variables"][key]
        model["fitting"].update(changes)

    return change


def test_properties_of_older_versions(tmp_path):
    """All types shared their statistics before version 6, and the name was fixed before version 4."""
    newer = without("distinguish_types", **{"@version": 5})
    fitting = dp.read(changed("property", tmp_path, newer)).model.fitting
    assert (fitting.property_name, fitting.intensive, fitting.distinguish_types) == (
        "foo",
        True,
        False,
    )
    older = without("distinguish_types", "intensive", "default_fparam", "var_name", "type_map")
    fitting = dp.read(changed("property", tmp_path, older)).model.fitting
    assert (fitting.property_name, fitting.intensive) == ("property", False)


def test_polarizabilities_of_older_versions(tmp_path):
    older = without("shift_diag", variables=("constant_matrix",), **{"@version": 1})
    fitting = dp.read(changed("polar", tmp_path, older)).model.fitting
    assert fitting.shift_diag is True
    np.testing.assert_array_equal(fitting.constant_matrix, np.zeros(2))


def test_types_without_a_network_have_no_dipole(tmp_path):
    """TensorFlow models have networks of the selected types alone."""

    def change(model):
        model["fitting"]["exclude_types"] = [1]
        model["fitting"]["nets"]["networks"][1] = None

    original = dp.read(DATA / "dipole" / "model.dp").model
    model = dp.read(changed("dipole", tmp_path, change)).model
    assert (model.fitting.exclude_types, model.atom_exclude_types) == ((1,), (1,))
    first, second = model.fitting.nets
    np.testing.assert_array_equal(first.layers[0].weight, original.fitting.nets[0].layers[0].weight)
    assert [layer.weight.shape for layer in second.layers] == [
        layer.weight.shape for layer in first.layers
    ]
    assert not any(layer.weight.any() for layer in second.layers)


@pytest.mark.parametrize(
    ("case", "change", "names"),
    [
        ("dipole", {"r_differentiable": False}, "model.fitting.r_differentiable"),
        ("dipole", {"@version": 5}, "model.fitting: @version 5"),
        ("dipole", {"mixed_types": True}, "model.fitting.mixed_types"),
        ("dipole", {"layer_name": ["a", None]}, "model.fitting.layer_name"),
        ("polar", {"use_aparam_as_mask": True}, "model.fitting.use_aparam_as_mask"),
        ("polar", {"fit_diag": "yes"}, "model.fitting.fit_diag"),
        ("dos", {"atom_ener": [1.0]}, "model.fitting.atom_ener"),
        ("dos", {"dim_out": 6}, "model.out_bias: .*6"),
        ("dos", {"tot_ener_zero": True}, "model.fitting.tot_ener_zero"),
        ("property", {"task_dim": 2}, "model.out_bias: .*2"),
        ("property", {"var_name": "a b"}, "fitting_net.property_name"),
        ("property", {"bias_method": "no_bias"}, "'bias_method'"),
    ],
)
def test_what_does_not_fit_is_named(case, change, names, tmp_path):
    with pytest.raises(DPError, match=names) as error:
        dp.read(changed(case, tmp_path, lambda model: model["fitting"].update(change)))
    assert "\n" not in str(error.value)


def test_bias_is_preset_under_the_name_of_the_property(tmp_path):
    def preset(name):
        return lambda model: model.update(preset_out_bias={name: [None, [0.1, 0.2, 0.3]]})

    model = dp.read(changed("property", tmp_path, preset("foo"))).model
    assert model.preset_out_bias == (None, (0.1, 0.2, 0.3))
    with pytest.raises(DPError, match=r"model\.preset_out_bias: .*'foo'"):
        dp.read(changed("property", tmp_path, preset("energy")))


def test_exclusions_that_deepmd_kit_would_drop_are_not_written_for_it(tmp_path):
    """It replaces the fitting's list by the model's."""
    model = dp.read(DATA / "dos" / "model.dp").model
    model = model.with_(fitting=model.fitting.with_(exclude_types=(1,)))
    with pytest.raises(DPError, match=r"fitting\.exclude_types"):
        deepmd_yaml.write(tmp_path / "model.yaml", Document(model))
    dp.write(tmp_path / "model.dp", Document(model))
    assert dp.read(tmp_path / "model.dp").model.fitting.exclude_types == (1,)
    with h5py.File(tmp_path / "model.dp") as file:
        assert "json" not in file.attrs
    deepmd_yaml.write(tmp_path / "model.yaml", Document(model.with_(atom_exclude_types=(1,))))


def test_factors_are_an_array_for_deepmd_kit(tmp_path):
    """They are a setting here, and bound to the file by its checksums like every array."""
    model = dp.read(DATA / "polar" / "model.dp").model
    model = model.with_(fitting=model.fitting.with_(scale=(0.1, 3.0)))
    place = tmp_path / "model.dp"
    dp.write(place, Document(model))
    with h5py.File(place) as file:
        np.testing.assert_array_equal(file["constants/0"][()], [[0.1], [3.0]])
    other = Path(shutil.copy(place, tmp_path / "other.dp"))
    with h5py.File(other, "r+") as file:
        del file.attrs["dpcore"]
    assert dp.read(other).model.fitting.scale == (0.1, 3.0)
    with h5py.File(place, "r+") as file:
        file["constants/0"][...] = 1.0
    with pytest.raises(DPError, match="constants/0"):
        dp.read(place)
