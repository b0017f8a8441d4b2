"""Mistakes in input files: one line each, which names the key."""

import json

import pytest
from train_inputs import BASE, GONE, changed

from dpcore.errors import DPError
from dpcore.settings import build_model
from dpcore.settings.read import read_input

MISTAKES = [
    # Unknown keys.
    ({"trainin": {}}, "trainin: unknown key; did you mean 'training'"),
    ({"training.nmub_steps": 3}, "training.nmub_steps: unknown key; did you mean 'numb_steps'"),
    ({"training.training_data.sytems": 1}, "training.training_data.sytems: unknown key"),
    ({"loss.start_perf_e": 1}, "loss.start_perf_e: unknown key; did you mean 'start_pref_e'"),
    ({"learning_rate.decay_step": 1}, "learning_rate.decay_step: unknown key"),
    (
        {"learning_rate.type": "cosine", "learning_rate.smooth": True},
        "learning_rate.smooth: unknown",
    ),
    ({"model.descriptor.axis_neuro": 1}, "model.descriptor.axis_neuro: unknown key"),
    (
        {"model.descriptor.type": "se_e2_b"},
        "model.descriptor.type: 'se_e2_b' is unknown; did you mean",
    ),
    ({"model.descriptor.type": GONE}, "model.descriptor.type: missing"),
    ({"model.type": {}}, "model.type: {} is unknown"),
    ({"optimizer.type": "Adamm"}, "optimizer.type: 'Adamm' is unknown; did you mean 'Adam'"),
    # Keys that are missing.
    ({"model": GONE}, "model: missing"),
    ({"training": GONE}, "training: missing"),
    ({"learning_rate": GONE}, "learning_rate: missing"),
    ({"learning_rate.start_lr": GONE}, "learning_rate.start_lr: missing"),
    ({"training.training_data": GONE}, "training.training_data: missing"),
    ({"training.training_data.systems": GONE}, "training.training_data.systems: missing"),
    ({"training.numb_steps": GONE}, "training.numb_steps: missing, and so is numb_epoch"),
    # Wrong kinds and values.
    ({"training": []}, "training: no section"),
    ({"model": None}, "model: no section"),
    ({"loss": None}, "loss: None is of a wrong kind; allowed: a section"),
    ({"optimizer": "Adam"}, "optimizer: 'Adam' is of a wrong kind; allowed: a section"),
    ({"model.descriptor": "se_e2_a"}, "model.descriptor: 'se_e2_a' is of a wrong kind"),
    (
        {"training.disp_freq": "a"},
        "training.disp_freq: 'a' is of a wrong kind; allowed: an integer",
    ),
    ({"training.disp_freq": 1.5}, "training.disp_freq: 1.5 is of a wrong kind"),
    ({"training.disp_freq": True}, "training.disp_freq: True is of a wrong kind"),
    ({"training.disp_freq": 0}, "training.disp_freq: 0 must be 1 or more"),
    ({"training.ema_decay": 1.0}, "training.ema_decay: 1.0 must lie from 0 to below 1"),
    ({"training.ckpt_keep_ratio": 1.0}, "training.ckpt_keep_ratio: 1.0 must lie between"),
    ({"training.numb_epoch": 0, "training.numb_steps": GONE}, "training.numb_epoch: 0 must be"),
    (
        {"training.mixed_precision.compute_prec": "float8"},
        "training.mixed_precision.compute_prec: 'fl",
    ),
    ({"training.training_data.systems": []}, "training.training_data.systems: none"),
    ({"training.training_data.systems": [1]}, "training.training_data.systems: (1,)"),
    ({"training.training_data.batch_size": "autto"}, "training.training_data.batch_size: 'autto'"),
    ({"training.training_data.batch_size": "max"}, "training.training_data.batch_size: 'max'"),
    ({"training.training_data.batch_size": 0}, "training.training_data.batch_size: 0"),
    ({"training.training_data.auto_prob": "prob"}, "training.training_data.auto_prob: 'prob'"),
    (
        {"training.training_data.auto_prob": "prob_sys_size;0:0:1"},
        "training.training_data.auto_prob: the block '0:0:1'",
    ),
    ({"training.training_data.sys_probs": [0.7, 0.7]}, "training.training_data.sys_probs: "),
    ({"training.stat_file_mode": "read"}, "training.stat_file_mode: 'read' needs a stat_file"),
    ({"training.stat_file_mode": "write"}, "training.stat_file_mode: 'write' is unknown"),
    ({"learning_rate.start_lr": "1e-3"}, "learning_rate.start_lr: '1e-3' is of a wrong kind"),
    ({"validating.validation_metric": "X:MAE"}, "validating.validation_metric: 'X:MAE' is unknown"),
    ({"validating.validation_freq": 0}, "validating.validation_freq: 0 must be 1 or more"),
    ({"model.data_stat_nbatch": 0}, "model.data_stat_nbatch: 0 must be 1 or more"),
    ({"model.descriptor.sel": "auto:x"}, "model.descriptor.sel: 'auto:x' is not understood"),
    ({"model.preset_out_bias": {"enery": [1, 2]}}, "model.preset_out_bias.enery: "),
    # Contradictions.
    (
        {"learning_rate.stop_lr": 1e-8, "learning_rate.stop_lr_ratio": 0.1},
        "learning_rate.stop_lr: contradicts stop_lr_ratio",
    ),
    ({"training.stop_batch": 3}, "training.stop_batch: numb_steps is given too"),
    ({"training.num_epochs": 3}, "training.numb_steps: numb_epoch is given too"),
    ({"training.systems": ["b"]}, "training.systems: training_data is given too"),
    (
        {"training.warmup_steps": 3, "learning_rate.warmup_steps": 4},
        "training.warmup_steps: 3, but",
    ),
    ({"training.opt_type": "LKF", "optimizer.type": "Adam"}, "training.opt_type: 'LKF', but"),
    (
        {"validating.full_validation": True},
        "validating.full_validation: needs training.validation_",
    ),
    (
        {"validating.ema_full_validation": True},
        "validating.ema_full_validation: needs training.enab",
    ),
    (
        {
            "validating": {"full_validation": True, "validation_metric": "V:MAE"},
            "training.validation_data": {"systems": "v"},
        },
        "validating.validation_metric: 'V:MAE' needs loss.start_pref_v",
    ),
    (
        {
            "validating": {"full_validation": True, "validation_metric": "FM:MAE"},
            "training.validation_data": {"systems": "v"},
        },
        "validating.validation_metric: 'FM:MAE' is not possible with the loss 'ener'",
    ),
    # Of another kind of model.
    ({"loss_dict": {}}, "loss_dict: has no meaning for one model alone; use loss"),
    ({"training.data_dict": {}}, "training.data_dict: has no meaning for one model alone"),
    ({"training.num_epoch_dict": {}}, "training.num_epoch_dict: has no meaning for one model"),
    # Refused.
    ({"nvnmd": {}}, "nvnmd: training for NVNMD"),
    (
        {"training.zero_stage": 2},
        "training.zero_stage: 2: gradients and parameters are not divided",
    ),
    ({"loss.type": "population"}, "loss.type: 'population': "),
    ({"model.compress": {"type": "se_e2_a"}}, "model.compress: tables are made of trained models"),
    ({"model.descriptor.type": "dpa4c"}, "model.descriptor.type: 'dpa4c': "),
]


@pytest.mark.parametrize(("changes", "line"), MISTAKES, ids=[line for _, line in MISTAKES])
def test_mistakes(changes, line):
    with pytest.raises(DPError) as caught:
        read_input(changed(changes))
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)


BRANCHES = {
    "model": {
        "seed": GONE,
        "shared_dict": {"types": ["O", "H"], "seen": {"type": "se_e2_a", "sel": [4, 8]}},
        "model_dict": {
            name: {"type_map": "types", "descriptor": "seen", "fitting_net": {}} for name in "ab"
        },
    },
    "learning_rate": {"start_lr": 1e-3},
    "loss_dict": {"a": {}, "b": {"start_pref_v": 1}},
    "training": {
        "data_dict": {name: {"training_data": {"systems": [name]}} for name in "ab"},
        "numb_steps": 10,
    },
}
del BRANCHES["model"]["seed"]


def test_branches():
    given = changed(
        {"model.data_stat_nbatch": 3, "training.model_prob": {"a": 1, "b": 2}}, BRANCHES
    )
    found = read_input(given)
    a, b = found.branches
    assert (a.name, b.name, b.probability, b.loss.start_pref_v) == ("a", "b", 2, 1)
    assert a.statistics.data_stat_nbatch == b.statistics.data_stat_nbatch == 3
    assert a.model == b.model
    assert b.data.training_data.systems == ("b",)
    assert [(link.name, link.path, link.level) for link in found.links] == [
        (name, (branch, key), 0)
        for branch in "ab"
        for name, key in (("types", "type_map"), ("seen", "descriptor"))
    ]
    section = found.settings["model"]
    assert section["model_dict"]["b"]["descriptor"] == "seen"
    assert section["shared_dict"]["seen"]["neuron"] == [10, 20, 40]


def test_levels_of_sharing_and_rates_of_branches():
    rates = {"a": {"start_lr": 1e-3}, "b": {"start_lr": 2e-3, "type": "cosine"}}
    changes = {"model.model_dict.b.descriptor": "seen:1", "learning_rate": GONE}
    found = read_input(changed(changes | {"learning_rate_dict": rates}, BRANCHES))
    assert [link.level for link in found.links] == [0, 0, 0, 1]
    assert found.branches[1].schedule.start_lr == 2e-3
    assert found.settings["model"]["model_dict"]["b"]["descriptor"] == "seen:1"
    assert read_input(found.settings).settings == found.settings


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"model.model_dict": {}}, "model.model_dict: no branches"),
        (
            {"model.model_dict.b.descriptor": "sen"},
            "model.model_dict.b.descriptor: there is no 'sen'",
        ),
        ({"model.model_dict.b.descriptor": "seen:x"}, "model.model_dict.b.descriptor: 'seen:x'"),
        (
            {"model.model_dict.b.fitting_net.neurn": []},
            "model.model_dict.b.fitting_net.neurn: unkn",
        ),
        ({"model.model_dict.b.lora": {"rank": 3}}, "model.model_dict.b.lora: low-rank"),
        ({"loss": {}}, "loss: has no meaning for a multi-task model"),
        ({"loss_dict.b": GONE}, "loss_dict.b: missing"),
        ({"loss_dict.c": {}}, "loss_dict.c: model.model_dict has no such branch"),
        ({"loss_dict.b.loss_func": "max"}, "loss_dict.b.loss_func: 'max'"),
        ({"training.data_dict.b": GONE}, "training.data_dict.b: missing"),
        (
            {"training.data_dict.b.training_data.batch_size": 0},
            "training.data_dict.b.training_data.b",
        ),
        ({"training.training_data": {}}, "training.training_data: has no meaning for a multi-task"),
        ({"training.numb_epoch": 1}, "training.numb_epoch: has no meaning for a multi-task model"),
        ({"training.model_prob": {"a": 1}}, "training.model_prob: the branch 'b' is missing"),
        ({"training.model_prob": {"a": 1, "b": -1}}, "training.model_prob.b: -1 must be"),
        (
            {"training.num_epoch_dict": {"a": 1, "b": 1}},
            "training.numb_steps: num_epoch_dict is given",
        ),
        (
            {"training.num_epoch_dict": {"a": 1}, "training.numb_steps": GONE},
            "training.num_epoch_dict: the branch 'b' is missing",
        ),
        ({"training.numb_steps": GONE}, "training.numb_steps: missing, and so is num_epoch_dict"),
        ({"learning_rate_dict": {}}, "learning_rate: learning_rate_dict is given too"),
        (
            {"validating.full_validation": True},
            "validating.full_validation: is not possible for a m",
        ),
    ],
)
def test_mistakes_of_branches(changes, line):
    with pytest.raises(DPError) as caught:
        read_input(changed(changes, BRANCHES))
    assert str(caught.value).startswith(line)


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("a.json", '{"model": {},\n "model": {}}', "the key 'model' is there twice"),
        ("a.json", '{"model": {},\n}', "line 2, column 1: not JSON"),
        ("a.yaml", "model: [", "not YAML"),
        ("a.yaml", "- 1", "the outermost value must be a section"),
        ("a.json", "{}", "no input of training"),
        ("a.json", json.dumps(changed({"training.foo": 1})), "training.foo: unknown key"),
    ],
)
def test_mistakes_of_files(tmp_path, name, text, line):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(DPError) as caught:
        read_input(path)
    assert str(caught.value).startswith(f"{path}: {line}")


def test_no_such_file(tmp_path):
    with pytest.raises(DPError, match=r"none\.json: no such file"):
        read_input(tmp_path / "none.json")


def test_numbers_of_neighbours_need_data():
    section = changed({"model.descriptor.sel": "auto"})["model"]
    with pytest.raises(DPError, match=r"descriptor\.sel: 'auto' is found from data"):
        build_model(section)


def test_keys_of_parts():
    part = BASE["model"]
    section = {"type": "linear_ener", "models": [part, part], "weights": "mean"}
    found = read_input(changed({"model": {**section, "data_stat_nbatch": 3}}))
    assert found.branches[0].statistics.data_stat_nbatch == 3
    wrong = {**section, "models": [part, {**part, "data_stat_nbatch": 3}]}
    with pytest.raises(DPError, match=r"^model\.models\.1\.data_stat_nbatch: 3: a part is trained"):
        read_input(changed({"model": wrong}))
    shared = {"seen": part["descriptor"]}
    named = {**section, "shared_dict": shared, "models": [{**part, "descriptor": "seen"}] * 2}
    whole = read_input(changed({"model": named}))
    assert whole.settings["model"]["models"][1]["descriptor"] == "seen"
    assert read_input(whole.settings).branches[0].model == whole.branches[0].model
