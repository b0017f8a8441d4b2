"""The trained models of the folder examples: their errors, and the inputs that they come from."""

import json
import re
from pathlib import Path

import pytest
from tiny_runs import stored, taken

from dpcore.accuracy import system_errors
from dpcore.data import load_system
from dpcore.infer import DeepEval

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = ("water", "molecules")
# The columns of the tables, how many of their unit are one of ours.
COLUMNS = (("energy_per_atom", 1e3), ("force", 1e3), ("virial_per_atom", 1e3))
ROW = re.compile(r"^\| `(data/\S+)` \| (\d+) \|((?: [\d.]+ \|){2,3})", re.MULTILINE)


def stated(name):
    """Return what a README says: a system, its number of frames, and its errors as printed."""
    text = (EXAMPLES / name / "README.md").read_text(encoding="utf-8")
    return [
        pytest.param(name, path, int(frames), re.findall(r"[\d.]+", errors), id=f"{name}-{path}")
        for path, frames, errors in ROW.findall(text)
    ]


def own_input(name, folder, steps):
    """Write the input of an example with fewer steps beside its data, and return its path."""
    told = json.loads((EXAMPLES / name / "input.json").read_text())
    told["training"]["numb_steps"] = steps
    (folder / "data").symlink_to(EXAMPLES / name / "data")
    path = folder / "input.json"
    path.write_text(json.dumps(told))
    return path


@pytest.mark.parametrize(
    ("name", "path", "frames", "errors"), [each for name in NAMES for each in stated(name)]
)
def test_errors_are_those_of_the_readme(name, path, frames, errors):
    model = DeepEval(str(EXAMPLES / name / "model.dp"), "numpy")
    system = load_system(str(EXAMPLES / name / path), model.get_type_map())
    found = system_errors(model, system)
    assert found.nframes == frames
    for (column, unit), printed in zip(COLUMNS, errors, strict=False):
        digits = len(printed.partition(".")[2])
        # Half a unit of the last digit, and a little as rounding may go either way.
        assert abs(found.errors[column].rmse * unit - float(printed)) < 0.501 * 10.0**-digits


@pytest.mark.parametrize("name", NAMES)
def test_every_system_that_is_not_trained_on_has_errors(name):
    known = {each.values[1] for each in stated(name)}
    folders = {str(file.parent) for file in (EXAMPLES / name).glob("data/**/type.raw")}
    held_out = {Path(path).relative_to(EXAMPLES / name) for path in folders if "train" not in path}
    assert known == {str(path) for path in held_out}


@pytest.mark.parametrize("name", NAMES)
def test_input_trains(name, tmp_path, monkeypatch):
    """The input takes steps, and its model has the settings of the one that is there."""
    monkeypatch.chdir(tmp_path)
    run = taken(own_input(name, tmp_path, 3))
    mine, there = stored(run.newest), stored(EXAMPLES / name / "model.dp")
    assert mine.training.facts["step"] == 3
    assert mine.provenance["model_def_script"] == there.provenance["model_def_script"]
