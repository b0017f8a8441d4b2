"""Branches that are trained together: what they share, whose turn it is, and the files of them."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from train_runs import DESCRIPTOR, FITTING, begun, done, model_of, several, write_atoms

from dpcore import tree
from dpcore.cli import main
from dpcore.errors import DPError
from dpcore.formats import Document
from dpcore.infer import DeepEval, DeepPot
from dpcore.models.branches import MultiTask
from dpcore.registry import backend, format_of
from dpcore.settings import build_model
from dpcore.settings.read import read_input
from dpcore.train.curve import read_curve
from dpcore.train.run import prepare

OWN = {"out_bias", "out_std", "fitting.case_embd"}


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Return systems for two branches, in a folder that runs write to."""
    monkeypatch.chdir(tmp_path)
    return {name: write_atoms(tmp_path / name, seed) for seed, name in enumerate(("wet", "dry"))}


def branches_of(run):
    return {name: tree.arrays(model) for name, model in model_of(run).branches.items()}


def different(run):
    """Return which arrays differ between the branches."""
    wet, dry = branches_of(run).values()
    return {path for path in wet if not np.array_equal(wet[path], dry[path])}


def test_branches_share_all_but_bias_and_case(folders):
    run = done(several(folders))
    assert different(run) == OWN
    first, last = (tree.arrays(s.model) for s in run.subjects), branches_of(run)
    for before, (name, now) in zip(first, last.items(), strict=True):
        moved = {path for path, x in now.items() if not np.array_equal(before[path], x)}
        assert moved == {s.path.partition("/")[2] for s in run.loop.layout.slots}, name
    one = begun(several({"wet": folders["wet"]}, shared={"f": FITTING | {"dim_case_embd": 2}}))
    assert run.loop.layout.length == one.loop.layout.length


def test_the_case_is_that_of_the_name_in_order(folders):
    models = model_of(begun(several(folders))).branches
    assert models["wet"].fitting.case_embd.tolist() == [0.0, 1.0]
    assert models["dry"].fitting.case_embd.tolist() == [1.0, 0.0]


def test_statistics_of_shared_descriptors_are_those_of_all_data(folders):
    both = several(folders, shared={"f": FITTING})
    run = begun(both)
    alone = several({"wet": folders["wet"]}, shared={"f": FITTING})
    alone["training"]["data_dict"]["wet"]["training_data"]["systems"] = list(folders.values())
    (expected,) = begun(alone).subjects
    wanted = {p: x for p, x in tree.arrays(expected.model).items() if p.startswith("descriptor")}
    assert any(p.rpartition(".")[2] in {"davg", "mean"} or "std" in p for p in wanted)
    for subject in run.subjects:
        found = tree.arrays(subject.model)
        for path, x in wanted.items():
            np.testing.assert_allclose(found[path], x, rtol=1e-13, err_msg=path)


def test_level_one_shares_type_embeddings_alone(folders):
    own = {"dry": {"descriptor": "d:1", "fitting_net": FITTING}}
    run = done(several(folders, own, shared={"f": FITTING}))
    same = set(branches_of(run)["wet"]) - different(run)
    assert {p for p in same if p.startswith("descriptor")} == {
        p for p in branches_of(run)["wet"] if p.startswith("descriptor.type_embedding")
    }


def test_children_of_hybrids_are_shared(folders):
    other = {"type": "se_e2_r", "sel": [4, 4], "rcut": 3.0, "neuron": [3], "precision": "float64"}
    hybrids = {
        name: {"descriptor": {"type": "hybrid", "list": ["d", other | {"seed": seed}]}}
        for seed, name in enumerate(folders)
    }
    run = done(several(folders, hybrids))
    own = {p for p in different(run) if p.startswith("descriptor")}
    assert own
    assert not any(p.startswith("descriptor.children.0.") for p in own)


TYPED = {"type": "se_e2_a", "rcut": 4.0, "neuron": [3], "axis_neuron": 2, "precision": "float64"}


@pytest.mark.parametrize("inside", [False, True])
def test_open_numbers_of_what_is_shared_are_the_largest(folders, inside):
    shared = {"f": FITTING, "d": TYPED | {"sel": "auto:4"}}
    own = DESCRIPTOR | {"sel": "auto:3"}
    hybrid = {"descriptor": {"type": "hybrid", "list": [own, "d"]}}
    given = several(folders, dict.fromkeys(folders, hybrid) if inside else {}, shared)
    run = prepare(read_input(given), backend("numpy"))
    for subject in run.subjects:
        *before, found = subject.section["descriptor"].get("list", [subject.section["descriptor"]])
        # Atoms have one neighbour of the first type and four of the second, or two and three.
        assert found["sel"] == [8, 16]
        # What is not shared is counted in the data of the branch alone.
        assert [part["sel"] for part in before] == ([12] if inside else [])
    run.go()
    shown = {path for path in different(run) if path.startswith("descriptor.")}
    assert all(path.startswith("descriptor.children.0.") for path in shown)
    assert bool(shown) == inside


@pytest.mark.parametrize(
    ("training", "chances", "steps"),
    [
        ({}, {"wet": 1 / 2, "dry": 1 / 2}, 4),
        ({"model_prob": {"wet": 3, "dry": 1}}, {"wet": 3 / 4, "dry": 1 / 4}, 4),
        # Six frames in batches of two: three steps an epoch.
        ({"num_epoch_dict": {"wet": 2, "dry": 1}}, {"wet": 2 / 3, "dry": 1 / 3}, 9),
    ],
)
def test_turns(folders, training, chances, steps):
    given = several(folders, training=training)
    if "num_epoch_dict" in training:
        del given["training"]["numb_steps"]
    loop = begun(given).loop
    assert {task.name: task.chance for task in loop.tasks} == pytest.approx(chances)
    assert loop.rhythm.steps == steps


def test_rates_of_branches(folders):
    given = several(folders)
    rate = given.pop("learning_rate")
    given["learning_rate_dict"] = {"wet": rate, "dry": rate | {"start_lr": 0.02}}
    rates = {task.name: task.rate for task in begun(given).loop.tasks}
    assert (rates["wet"].first, rates["dry"].of(0)) == (0.01, 0.02)


def test_a_line_shows_all_branches(folders):
    given = several(folders)
    held = {"systems": [folders["dry"]], "batch_size": 1}
    given["training"]["data_dict"]["dry"]["validation_data"] = held
    run = done(given)
    curve = read_curve(run.keeper.files.prefix.with_name("lcurve.out"))
    kinds = [("wet", "trn"), ("dry", "val"), ("dry", "trn")]
    wanted = {f"rmse{q}_{kind}_{name}" for name, kind in kinds for q in ("", "_e", "_f")}
    assert wanted | {"step", "lr"} == set(curve)
    assert curve["step"].tolist() == [1, 2, 3, 4]
    assert all(np.isfinite(x).all() for x in curve.values())
    assert main(["plot", "lcurve.out", "-o", "curve.svg"]) == 0


@pytest.mark.parametrize("name", ["numpy", "torch"])
def test_a_run_goes_on_on_any_backend(folders, name):
    given = several(folders)
    whole = done(given)
    line = whole.keeper.files.prefix.with_name("lcurve.out").read_text()
    half = whole.keeper.files.path(2)
    again = done(given, name, restart=half)
    exact = {"rtol": 0, "atol": 0} if name == "numpy" else {"rtol": 1e-9}
    vectors = [r.keeper.adapter.to_numpy(r.loop.progress.vector) for r in (whole, again)]
    np.testing.assert_allclose(*vectors, **exact)
    assert whole.keeper.files.prefix.with_name("lcurve.out").read_text() == line


def test_files_hold_what_is_shared_once(folders, tmp_path):
    given = several(folders, {"wet": {"model_branch_alias": ["water"]}})
    run = done(given)
    path = run.newest
    read = format_of(path).read(path)
    arrays = tree.arrays(read.model)
    assert arrays.keys() == tree.arrays(model_of(run)).keys()
    assert read.model.branches["wet"].fitting.nets[0].layers[0].weight is (
        read.model.branches["dry"].fitting.nets[0].layers[0].weight
    )
    for head in ("wet", "water", "WET"):
        assert DeepPot(path, head=head).get_type_map() == ["O", "H"]
    with pytest.raises(DPError, match=r"choose a branch with --head .*: wet, dry"):
        DeepEval(path)
    with pytest.raises(DPError, match=r"no branch 'wat'.*water"):
        DeepEval(path, head="wat")
    alone = tmp_path / "alone.dp"
    format_of(alone).write(alone, Document(read.model.branches["wet"]))
    with pytest.raises(DPError, match="no multi-task model"):
        DeepEval(alone, head="wet")


def test_commands(folders, capsys, tmp_path):
    done(several(folders, {"wet": {"model_branch_alias": ["water"]}}))
    assert main(["freeze", "-o", "whole"]) == 0
    assert main(["freeze", "-c", "model.ckpt", "-o", "wet.dp", "--head", "water"]) == 0
    assert format_of("whole.dp").read(tmp_path / "whole.dp").training is None
    assert main(["convert-backend", "whole.dp", "again.dp"]) == 0
    capsys.readouterr()
    assert main(["show", "again.dp", "model-branch", "type-map"]) == 0
    assert capsys.readouterr().out.split()[:8] == (
        ["model-branch:", "task", "multi-task", "model", "branches", "wet", "dry", "aliases"]
    )
    assert main(["test", "-m", "again.dp", "--head", "wet", "-s", folders["wet"]]) == 0
    of_branch = capsys.readouterr().out
    assert main(["test", "-m", "wet.dp", "-s", folders["wet"]]) == 0
    assert capsys.readouterr().out == of_branch
    parity = ["parity", "again.dp", "-s", folders["wet"], "--backends", "numpy"]
    assert main([*parity, "--head", "water", "--json", "parity.json"]) == 0
    assert json.loads(Path("parity.json").read_text())["model"]["branch"] == "wet"
    assert main(["test", "-m", "again.dp", "-s", folders["wet"]]) == 1
    assert "choose a branch" in capsys.readouterr().err
    bias = ["-b", "1", "2", "-o", "set.dp", "--head", "dry"]
    assert main(["change-bias", "again.dp", *bias]) == 0
    models = format_of("set.dp").read(tmp_path / "set.dp").model.branches
    assert models["dry"].out_bias.ravel().tolist() == [1.0, 2.0]
    assert models["wet"].out_bias.ravel().tolist() != [1.0, 2.0]


def test_branches_have_names_of_their_own():
    section = {"type_map": ["O", "H"], "descriptor": DESCRIPTOR, "fitting_net": FITTING}
    model = build_model(section)
    with pytest.raises(DPError, match="'b' is a name of another branch"):
        MultiTask.of({"a": model, "b": model}, {"a": ["b"]})


@pytest.mark.parametrize(
    ("branches", "shared", "message"),
    [
        ({"dry": {"type_map": ["H", "O"]}}, {}, r"model_dict\.dry\.descriptor.*types.*must agree"),
        ({"dry": {"data_stat_protect": 0.5}}, {}, "data_stat_protect is 0.01, 0.5"),
        ({}, {"f": FITTING | {"dim_case_embd": 1}}, "dim_case_embd: 1; there are 2 branches"),
        ({"dry": {"fitting_net": "f:1"}}, {}, "f:1 shares the type embedding alone"),
    ],
)
def test_what_cannot_be_shared(folders, branches, shared, message):
    with pytest.raises(DPError, match=message):
        begun(several(folders, branches, shared))


@pytest.mark.parametrize("start", ["model", "finetune"])
def test_models_of_files_are_looked_at_before_data(folders, start, caplog):
    path = done(several(folders)).newest
    for folder in folders.values():
        shutil.rmtree(folder)
    given = several(folders)
    given["model"]["shared_dict"]["d"] = DESCRIPTOR | {"rcut": 3.5}
    with pytest.raises(DPError, match="wet: not found"):
        begun(given, **{start: path})
    assert "model.model_dict.dry.descriptor.rcut is 4.0 there, 3.5 in the input" in caplog.text
    own = {"dry": {"fitting_net": FITTING | {"neuron": [7], "dim_case_embd": 2}}}
    with pytest.raises(
        DPError, match=r"fitting\.nets\.0\.layers\.0\.weight is \(.*must be built alike"
    ):
        begun(several(folders, own), **{start: path})
    # What begins anew, or has other types, is looked at later.
    new = {"dry": {"finetune_head": "RANDOM"} | own["dry"]}
    with pytest.raises(DPError, match="wet: not found"):
        begun(several(folders, new), finetune=path)


def test_a_checkpoint_of_other_branches(folders):
    path = done(several(folders)).newest
    renamed = {"wet": folders["wet"], "damp": folders["dry"]}
    for start in ("restart", "model"):
        with pytest.raises(DPError, match="has the branches wet, dry, the input the branches wet"):
            begun(several(renamed), **{start: path})
