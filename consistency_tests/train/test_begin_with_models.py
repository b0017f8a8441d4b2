"""Beginning with models that differ from that of the input: other settings, parts around them, lacking arrays."""

import json
from pathlib import Path

import numpy as np
import pytest
from train_runs import DESCRIPTOR, FITTING, begun, done, several, single, write_atoms

from dpcore import tree
from dpcore.cli import main
from dpcore.errors import DPError
from dpcore.formats import Document
from dpcore.infer import DeepPot
from dpcore.registry import format_of
from dpcore.settings.read import read_input

SWITCH = {"use_srtab": "pair.tab", "sw_rmin": 0.3, "sw_rmax": 0.6, "smin_alpha": 0.1}
DEEP = FITTING | {"neuron": [5, 5], "resnet_dt": False}


@pytest.fixture
def wet(tmp_path, monkeypatch):
    """Return a system of O and H, in a folder that runs write to."""
    monkeypatch.chdir(tmp_path)
    return write_atoms(tmp_path / "wet", 0)


@pytest.fixture
def pre(wet, tmp_path):
    """Return a trained model."""
    return done(single(wet, fitting_net=DEEP)).newest.rename(tmp_path / "pre.dp")


def arrays_of(path):
    """Return the arrays of the model in a file."""
    return tree.arrays(format_of(path).read(path).model)


def test_settings_that_are_trained_are_written(wet, pre):
    """With --use-pretrain-script out.json and the checkpoints hold the settings of the trained model."""
    radial = {"type": "se_e2_r", "sel": [3, 3], "rcut": 2.0, "trainable": False}
    given = single(wet, descriptor=radial, fitting_net={"neuron": [9]})
    Path("input.json").write_text(json.dumps(given))
    words = ["--numpy", "train", "input.json", "-t", str(pre), "--use-pretrain-script"]
    assert main(words) == 0
    written = read_input("out.json").settings["model"]
    wanted = {"type": "se_atten", "rcut": 4.0, "neuron": [3, 6], "trainable": False}
    assert {key: written["descriptor"][key] for key in wanted} == wanted
    assert written["fitting_net"]["neuron"] == [5, 5]
    facts = format_of("model.ckpt.dp").read(Path("model.ckpt.dp")).training.facts
    assert facts["input"]["model"] == written
    # The run goes on with what was written.
    assert main(["--numpy", "train", "out.json", "--restart", "model.ckpt"]) == 0


def test_settings_of_shared_sections_are_written(wet, pre, tmp_path):
    folders = {"wet": wet, "dry": write_atoms(tmp_path / "dry", 1)}
    shared = {"d": DESCRIPTOR | {"rcut": 3.0}, "f": DEEP | {"dim_case_embd": 0}}
    branches = {name: {"finetune_head": "Default"} for name in folders}
    run = begun(several(folders, branches, shared), finetune=pre, script=True)
    section = read_input(run.told.settings).settings["model"]
    assert section["shared_dict"]["d"]["rcut"] == 4.0
    assert {own["descriptor"] for own in section["model_dict"].values()} == {"d"}
    assert all(s.model.descriptor.rcut == 4.0 for s in run.subjects)


def test_a_table_beside_a_trained_model(wet, pre, tmp_path):
    """The learned part goes on; where the table does not count forces stay, and energies fit the data."""
    r = np.linspace(0.01, 4.0, 400)
    np.savetxt("pair.tab", np.stack([r, *[(1 - r / 4.0) ** 3 / r] * 3], axis=1))
    (subject,) = begun(single(wet, fitting_net=DEEP, **SWITCH), finetune=pre).subjects
    found, old = tree.arrays(subject.model), arrays_of(pre)
    learned = {p: x for p, x in old.items() if p not in {"out_bias", "out_std"}}
    for path, x in learned.items():
        np.testing.assert_array_equal(found[f"models.0.{path}"], x, err_msg=path)
    assert not found["models.0.out_bias"].any()
    now = tmp_path / "now.dp"
    format_of(now).write(now, Document(subject.model))
    coords = np.load(f"{wet}/set.000/coord.npy")
    with DeepPot(pre) as before, DeepPot(now) as after:
        (_, pulls, _), (energies, forces, _) = (
            model.eval(coords, None, [0, 1, 1, 1, 1]) for model in (before, after)
        )
    np.testing.assert_allclose(forces, pulls, rtol=1e-9, atol=1e-12)
    labels = np.load(f"{wet}/set.000/energy.npy")
    assert np.mean(energies.ravel() - labels.ravel()) == pytest.approx(0.0, abs=1e-9)
    other = single(wet, ("H", "O"), fitting_net=DEEP, **SWITCH)
    with pytest.raises(
        DPError, match="where use_srtab or bridging_method is added, both must agree"
    ):
        begun(other, finetune=pre)


@pytest.mark.parametrize("start", ["model", "finetune"])
def test_arrays_that_a_model_lacks(wet, pre, caplog, start):
    """With --force-load they begin anew, and are named; arrays of another shape stay an error."""
    given = single(wet, fitting_net=DEEP | {"resnet_dt": True})
    with pytest.raises(DPError, match=r"layers\.1\.timestep is missing"):
        begun(given, **{start: pre})
    (subject,) = begun(given, **{start: pre}, force=True).subjects
    assert "pre.dp: lacks fitting.nets.0.layers.1.timestep: they begin anew" in caplog.text
    found, old = tree.arrays(subject.model), arrays_of(pre)
    assert len(found) == len(old) + 1
    weights = [path for path in old if path.endswith("weight")]
    assert weights
    for path in weights:
        np.testing.assert_array_equal(found[path], old[path], err_msg=path)
    wider = single(wet, fitting_net=DEEP | {"neuron": [6, 6]})
    with pytest.raises(DPError, match=r"layers\.0\.weight is \("):
        begun(wider, **{start: pre}, force=True)


def test_what_nothing_is_forced_of(wet):
    with pytest.raises(DPError, match="--force-load: is for --init-model and --finetune"):
        begun(single(wet), force=True)
