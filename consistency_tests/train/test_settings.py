"""Input files of training: every script of DeePMD-kit's examples, older forms, and mistakes."""

import json
from pathlib import Path

import pytest
import yaml
from train_inputs import BASE, GONE, changed

from dpcore.errors import DPError
from dpcore.settings.read import normalized_input, read_input

EXAMPLES = Path(__file__).resolve().parents[3] / "shared" / "deepmd_examples"

# The scripts that are refused, and what the line says.
REFUSED = {
    "nvnmd/train/train_cnn.json": "nvnmd: training for NVNMD hardware is not supported",
    "nvnmd/train/train_qnn.json": "nvnmd: training for NVNMD hardware is not supported",
    "population/train/input_torch.json": "model.fitting_net.type: 'population': ",
    "water/dpa4/input_dens.json": "loss.type: 'dens': ",
    "water/ipi/water.json": "no input of training: ",
}


def scripts():
    return sorted(str(path.relative_to(EXAMPLES)) for path in EXAMPLES.rglob("*.json"))


def test_there_are_examples():
    assert len(scripts()) == 63
    assert set(REFUSED) < set(scripts())


@pytest.mark.parametrize("script", scripts())
def test_every_example(script):
    if script in REFUSED:
        with pytest.raises(DPError) as caught:
            read_input(EXAMPLES / script)
        assert f"{script}: {REFUSED[script]}" in str(caught.value)
        return
    found = read_input(EXAMPLES / script)
    written = json.loads(json.dumps(found.settings))
    again = read_input(written)
    assert again.settings == written
    assert [b.name for b in again.branches] == [b.name for b in found.branches]
    assert again.links == found.links


def test_defaults():
    found = read_input(BASE)
    (branch,) = found.branches
    assert (found.training.disp_freq, found.training.max_ckpt_keep) == (1000, 5)
    assert (branch.data.training_data.batch_size, branch.data.validation_data) == ("auto", None)
    assert (branch.schedule.start_lr, branch.schedule.end) == (1e-3, 5e-8)
    assert (branch.loss.start_pref_f, found.optimizer.adam_beta2) == (1000, 0.999)
    assert branch.statistics.data_stat_protect == 0.01
    assert found.settings["learning_rate"]["stop_lr"] == 5e-8
    assert found.settings["validating"]["validation_metric"] == "E:MAE"


FLAT = {
    "use_smooth": True,
    "sel_a": [46, 92],
    "rcut_smth": 5.8,
    "rcut": 6.0,
    "filter_neuron": [25, 50, 100],
    "filter_resnet_dt": False,
    "n_axis_neuron": 16,
    "n_neuron": [240, 240, 240],
    "resnet_dt": True,
    "systems": ["a"],
    "set_prefix": "set",
    "stop_batch": 1000000,
    "batch_size": [1],
    "start_lr": 0.001,
    "decay_steps": 5000,
    "decay_rate": 0.95,
    "start_pref_e": 0.02,
    "limit_pref_e": 8,
    "seed": 1,
    "disp_freq": 100,
    "numb_test": 10,
    "save_freq": 1000,
    "load_ckpt": "model.ckpt",
}


def test_the_oldest_form():
    found = read_input(FLAT)
    data = {"systems": ["a"], "batch_size": [1]}
    steps = {"seed": 1, "stop_batch": 1000000, "disp_freq": 100, "save_freq": 1000}
    assert found.converted == {
        "model": {
            "descriptor": {
                "type": "se_e2_a",
                "seed": 1,
                "sel": [46, 92],
                "rcut": 6.0,
                "rcut_smth": 5.8,
                "neuron": [25, 50, 100],
                "axis_neuron": 16,
                "resnet_dt": False,
            },
            "fitting_net": {"seed": 1, "neuron": [240, 240, 240], "resnet_dt": True},
        },
        "learning_rate": {
            "type": "exp",
            "start_lr": 0.001,
            "decay_steps": 5000,
            "stop_lr": pytest.approx(0.001 * 0.95**200),
        },
        "loss": {"start_pref_e": 0.02, "limit_pref_e": 8},
        "training": {**steps, "training_data": data},
    }
    assert [note.partition(":")[0] for note in found.notes] == [
        "this input file is of an older form; it was converted",
        "training.numb_test",
        "training.training_data.set_prefix",
    ]
    assert read_input(found.settings).converted is None


def test_the_oldest_form_with_axes():
    rough = {key: value for key, value in FLAT.items() if "filter" not in key and "axis" not in key}
    del rough["rcut_smth"]
    rough |= {"use_smooth": False, "sel_r": [0, 0], "axis_rule": [0, 1, 0, 0, 1, 1] * 2}
    section = read_input(rough).settings["model"]["descriptor"]
    assert (section["type"], section["sel_a"], section["sel_r"]) == ("loc_frame", [46, 92], [0, 0])


def test_systems_in_training():
    training = {"systems": ["a", "b"], "stop_batch": 400, "batch_size": 2, "sys_prob": [0.5, 0.5]}
    given = {
        **BASE,
        "training": training,
        "learning_rate": {"start_lr": 0.01, "decay_steps": 100, "decay_rate": 0.5},
    }
    found = read_input(given)
    data = found.branches[0].data.training_data
    assert (data.systems, data.batch_size, data.sys_probs) == (("a", "b"), 2, (0.5, 0.5))
    assert found.branches[0].schedule.end == pytest.approx(0.01 / 16)
    assert found.training.numb_steps == 400
    assert found.converted["training"]["training_data"]["sys_probs"] == [0.5, 0.5]


def test_keys_that_have_moved():
    old = {"training.opt_type": "AdamW", "training.weight_decay": 0.5, "training.warmup_steps": 3}
    found = read_input(changed(old))
    assert (found.optimizer.type_name, found.optimizer.weight_decay) == ("AdamW_optimizer", 0.5)
    assert found.branches[0].schedule.warmup_steps == 3
    assert found.converted is None
    assert len(found.notes) == 2


YAML = """\
_comment: numbers as people write them
model:
  type_map: [O, H]
  descriptor: {type: se_a, sel: auto}
  fitting_net: {n_neuron: [10, 10]}
learning_rate: {start_lr: 1e-3, stop_lr: 1.0e-8}
training:
  training_data: {systems: data/}
  stop_batch: 20
"""


def test_yaml(tmp_path):
    (tmp_path / "input.yaml").write_text(YAML)
    found = read_input(tmp_path / "input.yaml")
    assert found.branches[0].schedule.start_lr == 1e-3
    assert found.settings["model"]["descriptor"]["type"] == "se_e2_a"
    (tmp_path / "input.json").write_text(json.dumps(found.settings))
    (tmp_path / "again.yml").write_text(yaml.safe_dump(found.settings))
    for name in ("input.json", "again.yml"):
        assert read_input(tmp_path / name).settings == found.settings


def test_other_names():
    names = {"training.stop_batch": 7, "training.numb_steps": GONE}
    names |= {"training.training_data.auto_prob_style": "prob_uniform"}
    names |= {"training.validation_data": {"systems": "v", "numb_batch": 3}}
    training = normalized_input(changed(names))["training"]
    assert training["numb_steps"] == 7
    assert training["training_data"]["auto_prob"] == "prob_uniform"
    assert training["validation_data"]["numb_btch"] == 3


def test_remarks_are_dropped():
    remarks = {"_comment": "x", "training._comment": [1], "model.descriptor._note": {"a": 1}}
    found = read_input(changed(remarks) | {"$schema": "https://example.org/x.json"})
    assert found.settings == read_input(BASE).settings


def test_what_has_no_effect_is_told():
    keys = {"training.zero_stage": 1, "training.enable_tf32": True, "validating.amp_infer": True}
    notes = read_input(changed(keys)).notes
    assert sorted(note.partition(":")[0] for note in notes) == sorted(keys)


def test_charges_are_no_frame_parameters():
    flow = {f"{kind}_{key}": x for kind in "ea" for key, x in (("rcut", 4.0), ("rcut_smth", 3.0))}
    flow |= {"e_sel": 20, "a_sel": 10}
    descriptor = {"type": "dpa3", "repflow": flow, "add_chg_spin_ebd": True}
    changes = {"model.descriptor": descriptor, "model.fitting_net": {"numb_fparam": 2}}
    (note,) = read_input(changed(changes)).notes
    assert note.startswith("model.fitting_net.numb_fparam: ")


def test_biases_by_name_of_the_output():
    found = normalized_input(changed({"model.preset_out_bias": {"energy": [1.0, None]}}))
    assert found["model"]["preset_out_bias"] == [1.0, None]
