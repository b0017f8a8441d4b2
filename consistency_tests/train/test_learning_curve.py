"""The errors of the learning curve are those that ``dp test`` reports."""

import numpy as np
import pytest
from harness import Backend
from tiny_runs import INPUT, prepared, write_data, write_input

from dpcore.accuracy import model_errors, weighted_average
from dpcore.data import load_system
from dpcore.errors import DPError
from dpcore.infer import DeepEval
from dpcore.train.curve import Columns, Curve
from dpcore.train.validation.table import Table

NAMES = {"rmse_e": "energy_per_atom", "rmse_f": "force", "rmse_v": "virial_per_atom"}


@pytest.mark.parametrize("name", [Backend.NUMPY, Backend.TORCH], ids=lambda b: b.value)
def test_errors_are_those_of_dp_test(tmp_path, monkeypatch, name):
    """Of one data set in one batch, to rounding: roots of means over all components, energies by atom."""
    backend = name.required().value
    monkeypatch.chdir(tmp_path)
    write_data(tmp_path / "valid", frames=5, seed=7)
    changes = {
        "training.validation_data.batch_size": 5,
        "training.numb_steps": 3,
        "loss.start_pref_v": 1.0,
        "loss.limit_pref_v": 1.0,
    }
    run = prepared(write_input(tmp_path, changes), backend)
    run.go()
    (task,) = run.loop.tasks
    shown = run.loop.validated(task, np.ones(()))
    model = DeepEval("model.ckpt-3.dp", backend=backend)
    (system,) = model_errors(model, [load_system("valid", INPUT["model"]["type_map"])])
    found = weighted_average([system])
    for column, quantity in NAMES.items():
        assert shown[column] == pytest.approx(found[quantity].rmse, rel=1e-10)


FILES = {
    "lcurve.out": lambda path, first: Curve(path, {"": Columns(("rmse_e",), False)}, first),
    "val.log": lambda path, first: Table(path, (), 1000, first=first),
}


@pytest.mark.parametrize("name", FILES)
def test_lines_of_a_run_that_goes_on(tmp_path, name):
    """Later lines are dropped, and half of one that was being written; what is there stays as it is."""
    path, opened = tmp_path / name, FILES[name]
    opened(path, 0)
    head = path.read_text()
    path.write_text(f"{head}     5 a\n    10 b\n    15 c\n    2")
    opened(path, 11)
    assert path.read_text() == f"{head}     5 a\n    10 b\n"
    opened(path, 0)
    assert path.read_text() == head


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("first", [0, 5])
def test_lines_that_cannot_be_written(tmp_path, name, first):
    (tmp_path / "file").touch()
    with pytest.raises(DPError, match=rf"{name}: the .* cannot be written: Not a directory"):
        FILES[name](tmp_path / "file" / name, first)
