"""``dp convert-backend weights.npz --model input.json``."""

import json
from pathlib import Path

import numpy as np
import pytest

from dpcore.cli import main
from dpcore.infer import DeepPot
from dpcore.registry import format_of

CASE = Path(__file__).parents[2] / "data_tf" / "se_a_ebd_v2"
WEIGHTS, SETTINGS = str(CASE / "weights.npz"), str(CASE / "model.json")


def test_weights_and_settings_make_a_model(tmp_path):
    target = tmp_path / "model.dp"
    assert main(["convert-backend", WEIGHTS, "--model", SETTINGS, str(target)]) == 0
    numbers = np.load(CASE / "expected.npz")
    found = DeepPot(target, backend="numpy").evaluate(
        numbers["coord"], numbers["box"], numbers["atype"]
    )
    assert np.abs(found["energy"] - numbers["pbc.energy"]).max() < 1e-8
    provenance = format_of(target).read(target).provenance
    assert provenance["source"]["settings"] == "model.json"
    assert provenance["history"][-1]["from"] == "weights.npz"
    assert provenance["model_def_script"] == json.loads(Path(SETTINGS).read_text())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            [WEIGHTS, "a.dp"],
            "has weights alone; name the file of the model's settings with --model",
        ),
        (["model.dp", "--model", SETTINGS, "a.dp"], "model.dp describes itself; leave --model out"),
        ([WEIGHTS, "--model", "none.json", "a.dp"], "none.json: no such file"),
        (["none.npz", "--model", SETTINGS, "a.dp"], "none.npz: no such file"),
        ([WEIGHTS, "--model", SETTINGS, "a.npz"], "unknown suffix '.npz'"),
        ([WEIGHTS, "--model", SETTINGS, "a.yaml"], "do not know the descriptor 'se_a_ebd_v2'"),
    ],
)
def test_mistakes(words, message, tmp_path, monkeypatch, caplog, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["convert-backend", *words]) != 0
    text = caplog.text + capsys.readouterr().err
    assert message in text
    assert not list(tmp_path.iterdir())
