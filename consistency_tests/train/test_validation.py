"""Evaluations of all validation data along a run, and the best models of it."""

import math
from pathlib import Path

import numpy as np
import pytest
from made_data import frames_of, write_system
from tiny_runs import (
    CELL,
    HOME,
    NAMES,
    labels_of,
    parameters,
    prepared,
    stored,
    taken,
    write_data,
    write_input,
)

from dpcore.accuracy import model_errors, weighted_average
from dpcore.data import find_systems, load_system
from dpcore.errors import DPError
from dpcore.infer import DeepEval
from dpcore.train.validation.best import Best, Record
from dpcore.train.validation.quantities import SCALE
from dpcore.train.validation.table import number

OFTEN = {
    "validating.full_validation": True,
    "validating.validation_freq": 2,
    "validating.full_val_start": 0.2,
    "validating.max_best_ckpt": 2,
    "validating.validation_metric": "F:RMSE",
}
AVERAGED = {
    "training.enable_ema": True,
    "training.ema_decay": 0.5,
    "validating.ema_full_validation": True,
}


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def rows(path):
    """Return the lines of a table of errors by step, without units, and what it says was saved."""
    lines = Path(path).read_text().splitlines()
    names = [word.partition("(")[0] for word in lines[0].lstrip("# ").split()]
    values = [dict(zip(names, map(float, ln.split()), strict=True)) for ln in lines if ln[0] == " "]
    saved = [line.split()[4] for line in lines if line.startswith("# saved best checkpoint: ")]
    return {int(row["step"]): row for row in values}, saved


def errors_of(model, *systems):
    """Return the errors that ``dp test`` reports."""
    evaluator = DeepEval(model, backend="numpy")
    found = [load_system(s, NAMES) for given in systems for s in find_systems(given)]
    return weighted_average(model_errors(evaluator, found))


def test_errors_are_those_of_dp_test(tmp_path):
    """Systems of other sizes, one without a cell and one without forces: all count as in ``dp test``."""

    rng = np.random.default_rng(5)
    coords = HOME + rng.normal(scale=0.1, size=(3, 4, 3))
    labels = labels_of(coords)
    write_system(tmp_path / "more/open", frames_of(coords, [0, 1, 1, 0]), NAMES, labels)
    few = {"energy": labels["energy"] * 2, "virial": np.zeros((3, 9))}
    both = np.concatenate([coords, coords + 3.5], axis=1)
    cell = 2 * CELL
    write_system(tmp_path / "more/large", frames_of(both, [0, 1, 1, 0] * 2, cell), NAMES, few)
    systems = ["valid", "more/open", "more/large"]
    path = write_input(
        tmp_path,
        OFTEN | AVERAGED | {"training.validation_data.systems": systems, "training.save_freq": 2},
    )
    taken(path)
    for table, model in (("val.log", "model.ckpt"), ("val_ema.log", "model_ema.ckpt")):
        found, _ = rows(table)
        assert list(found) == [2, 4, 6, 8, 10]
        for step in (6, 10):
            errors = errors_of(f"{model}-{step}.dp", *systems)
            named = {"E": "energy_per_atom", "F": "force", "S": "stress"}
            for symbol, name in named.items():
                for kind, value in (("MAE", errors[name].mae), ("RMSE", errors[name].rmse)):
                    shown = found[step][f"{symbol}_{kind}"]
                    assert shown == pytest.approx(SCALE * value, rel=6e-5)


def test_best_models_are_kept(tmp_path):
    """Two files at most, numbered by their errors, of which each is the model of its step."""
    path = write_input(tmp_path, OFTEN | {"training.save_freq": 2, "training.max_ckpt_keep": 9})
    taken(path)
    found, saved = rows("val.log")
    order = sorted((row["F_RMSE"], step) for step, row in found.items())
    files = sorted(file.name for file in tmp_path.glob("best*"))
    assert files == sorted(f"best.ckpt-{s}.t-{i}.dp" for i, (_, s) in enumerate(order[:2], 1))
    assert {name.partition(".t-")[0] for name in files} <= {n.partition(".t-")[0] for n in saved}
    for _, step in order[:2]:
        (file,) = tmp_path.glob(f"best.ckpt-{step}.*")
        theirs = parameters(f"model.ckpt-{step}.dp")
        assert all(np.array_equal(x, theirs[name]) for name, x in parameters(file).items())


def test_goes_on_after_a_restart(tmp_path):
    """The table and the best models are those of a run in one go."""
    changes = OFTEN | AVERAGED | {"training.save_freq": 3, "validating.save_best_dir": "best"}
    taken(write_input(tmp_path, changes))
    whole = {name: Path(name).read_text() for name in ("val.log", "val_ema.log")}
    files = sorted(file.name for file in Path("best").iterdir())
    taken(tmp_path / "input.json", restart=tmp_path / "model.ckpt-3.dp")
    assert {name: Path(name).read_text() for name in whole} == whole
    assert sorted(file.name for file in Path("best").iterdir()) == files


def test_averages_are_those_of_the_steps(tmp_path):
    """The files of averages hold what the definition gives from all checkpoints, and no state."""
    changes = AVERAGED | {"training.save_freq": 1, "training.max_ckpt_keep": 99}
    del changes["validating.ema_full_validation"]
    run = taken(write_input(tmp_path, changes | {"training.ema_ckpt_keep": 2}))
    start = prepared(tmp_path / "input.json").loop.progress.vector
    average = np.array(start)
    for step in range(1, 11):
        model = stored(f"model.ckpt-{step}.dp").model
        average = 0.5 * average + 0.5 * run.loop.layout.vector(model)
    document = stored("model_ema.ckpt.dp")
    assert document.training is None
    np.testing.assert_allclose(run.loop.layout.vector(document.model), average, rtol=1e-12)
    assert sorted(f.name for f in tmp_path.glob("model_ema*-*")) == [
        "model_ema.ckpt-10.dp",
        "model_ema.ckpt-9.dp",
    ]


def test_averages_may_begin_later(tmp_path):
    """A run that goes on with averages starts them with the parameters that it goes on with."""
    taken(write_input(tmp_path, {"training.save_freq": 1, "training.max_ckpt_keep": 99}))
    changes = {"training.enable_ema": True, "training.ema_decay": 0.5}
    path = write_input(tmp_path, changes | {"training.numb_steps": 10})
    run = taken(path, restart=tmp_path / "model.ckpt-9.dp")
    nine, ten = (run.loop.layout.vector(stored(f"model.ckpt-{n}.dp").model) for n in (9, 10))
    average = run.loop.layout.vector(stored("model_ema.ckpt-10.dp").model)
    np.testing.assert_allclose(average, (nine + ten) / 2, rtol=1e-12)


@pytest.mark.parametrize(
    ("start", "steps"), [(0, [4, 8]), (0.5, [5, 9]), (1, []), (3, [3, 7]), (99, [])]
)
def test_begins_when_it_is_told(tmp_path, start, steps):
    """A part of the run, a step, at once, or never."""
    changes = {"validating.full_val_start": start, "validating.validation_freq": 4}
    taken(write_input(tmp_path, OFTEN | changes | {"validating.save_best": False}))
    assert not list(tmp_path.glob("best*"))
    assert (list(rows("val.log")[0]) if Path("val.log").exists() else []) == steps


def test_a_metric_needs_its_label(tmp_path):
    """A metric of labels that no system has is refused before the first step."""

    write_data(tmp_path / "bare", drop=("virial",))
    path = write_input(
        tmp_path,
        OFTEN
        | {
            "validating.validation_metric": "V:MAE",
            "loss.start_pref_v": 1,
            "loss.limit_pref_v": 1,
            "training.validation_data.systems": ["bare"],
        },
    )
    with pytest.raises(DPError, match=r"virial"):
        prepared(path)


def test_records():
    """Of equal errors the earlier step is better; an error anew replaces that of its step."""
    best = Best(Path("best.ckpt"), 2)
    assert best.offer(Record(2.0, 10))
    assert best.offer(Record(1.0, 20))
    assert not best.offer(Record(2.0, 30))
    assert best.offer(Record(0.5, 10))
    assert best.records == [Record(0.5, 10), Record(1.0, 20)]
    assert best.path(20).name == "best.ckpt-20.t-2.dp"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (1234567.0, "1234600"),
        (975.57123, "975.57"),
        (0.000123456, "0.00012346"),
        (1.0, "1.0000"),
        (-2.5e-14, "-2.5000e-14"),
        (math.nan, "nan"),
        (math.inf, "inf"),
    ],
)
def test_numbers(value, text):
    """Five digits count."""
    assert number(value) == text
