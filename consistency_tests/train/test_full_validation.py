"""Evaluations of all validation data of models with spins."""

import numpy as np
import pytest
from harness import Backend
from made_data import frames_of, write_system
from tiny_runs import CELL, HOME, NAMES, TYPES, prepared, read_lines, write_input

from dpcore.accuracy import model_errors
from dpcore.data import load_system
from dpcore.infer import DeepEval
from dpcore.train.validation.quantities import SCALE

ALWAYS = {
    "validating.full_validation": True,
    "validating.validation_freq": 2,
    "validating.full_val_start": 0,
    "validating.validation_metric": "F:RMSE",
}
OF_SPINS = {
    "model.spin": {"use_spin": [True, False], "virtual_scale": [0.3]},
    "loss": {"type": "ener_spin", "start_pref_fr": 10.0, "start_pref_fm": 10.0},
    "validating.validation_metric": "FM:RMSE",
    "training.numb_steps": 4,
    "training.save_freq": 2,
}
TITLES = {"E": "energy_per_atom", "FR": "atom_force", "FM": "spin_force"}


def write_spins(folder, seed):
    """Write frames of atoms with spins, the first type of which is magnetic."""
    rng = np.random.default_rng(seed)
    coords = HOME + rng.normal(scale=0.1, size=(5, 4, 3))
    magnetic = (TYPES == 0)[None, :, None]
    labels = {
        "energy": rng.normal(-7.0, 0.1, 5),
        "force": rng.normal(size=(5, 4, 3)),
        "force_mag": rng.normal(size=(5, 4, 3)) * magnetic,
        "spin": rng.normal(size=(5, 4, 3)) * magnetic,
    }
    write_system(folder, frames_of(coords, TYPES, CELL), NAMES, labels)


@pytest.mark.parametrize("framework", [Backend.NUMPY, Backend.TORCH], ids=str)
def test_models_with_spins(tmp_path, monkeypatch, framework):
    """The errors are those of ``dp test``, of the forces on spins over the atoms that have one."""
    backend = framework.required().value
    monkeypatch.chdir(tmp_path)
    for name, seed in (("train", 0), ("valid", 1)):
        write_spins(tmp_path / name, seed)
    prepared(write_input(tmp_path, ALWAYS | OF_SPINS), backend).go()
    lines = read_lines("val.log")
    names = [word.partition("(")[0] for word in lines[0].lstrip("# ").split()]
    rows = [dict(zip(names, map(float, x.split()), strict=True)) for x in lines if x[0] == " "]
    assert [row["step"] for row in rows] == [2, 4]
    for row in rows:
        model = DeepEval(f"model.ckpt-{row['step']:.0f}.dp", backend=backend)
        (system,) = model_errors(model, [load_system("valid", NAMES)])
        for symbol, name in TITLES.items():
            error = system.errors[name]
            assert row[f"{symbol}_RMSE"] == pytest.approx(SCALE * error.rmse, rel=6e-5)
            assert row[f"{symbol}_MAE"] == pytest.approx(SCALE * error.mae, rel=6e-5)
