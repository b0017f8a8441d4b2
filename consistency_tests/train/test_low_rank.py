"""Fine-tuning by changes of low rank: what changes, what stays, and how runs go on."""

from pathlib import Path

import numpy as np
import pytest
from train_runs import begun, done, model_of, single, write_atoms

from dpcore import tree
from dpcore.errors import DPError
from dpcore.registry import format_of
from dpcore.settings.read import read_input

TINY = {
    "type": "dpa4",
    "sel": 8,
    "rcut": 4.0,
    "channels": 4,
    "n_radial": 4,
    "lmax": 1,
    "mmax": 1,
    "n_blocks": 1,
    "mixing_layers": 1,
    "precision": "float64",
    "use_env_seed": True,
    "seed": 1,
}
FITTING = {"type": "dpa4_ener", "neuron": [5], "precision": "float64", "seed": 2}


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_atoms(tmp_path / "data", 1)
    return tmp_path


def given(**more):
    return single("data", descriptor=TINY, fitting_net=FITTING, **more)


def changes(before, after):
    """Return what was added to each array."""
    first = tree.arrays(before)
    return {path: x - first[path] for path, x in tree.arrays(after).items()}


def test_changes_are_of_low_rank_and_what_has_converged_stays(place):
    first = done(given())
    run = begun(given(lora={"rank": 1}), finetune=place / "model.ckpt.dp")
    before = model_of(run)
    (subject,) = run.subjects
    assert all(np.all(x == 0) for x in changes(subject.model, before).values())
    run.go()
    found = changes(before, model_of(run))
    moved = {path for path, x in found.items() if np.any(x)}
    thin = run.loop.layout.changed
    assert len(thin) > 4
    for path in thin:
        ranks = np.linalg.matrix_rank(found[path], tol=1e-9)
        assert np.max(ranks) == 1, path
    kept = [
        path for path in moved if "type_embedding" in path or ".types." in path or ".basis." in path
    ]
    assert kept == []
    assert any(path.startswith("fitting.") for path in moved)
    assert run.loop.layout.length < first.loop.layout.length


def test_a_checkpoint_has_the_changes_and_a_run_goes_on_from_it(place):
    told = given(lora={"rank": 2, "alpha": 1.0})
    done(given() | {"training": given()["training"] | {"save_ckpt": "first"}})
    whole = done(told, finetune=place / "first.dp")
    stopped = place / "model.ckpt-2.dp"
    again = done(told, restart=stopped)
    for path, x in tree.arrays(model_of(whole)).items():
        np.testing.assert_array_equal(tree.arrays(model_of(again))[path], x)
    stored = format_of("model.ckpt.dp").read(Path("model.ckpt.dp"))
    for path, x in tree.arrays(stored.model).items():
        np.testing.assert_array_equal(tree.arrays(model_of(whole))[path], x)


def test_alpha_is_the_factor(place):
    first = done(given())
    told = [given(lora={"rank": 2, "alpha": alpha}) for alpha in (2.0, 6.0)]
    runs = [begun(each, finetune=place / "model.ckpt.dp") for each in told]
    vector = np.random.default_rng(0).normal(size=runs[0].loop.layout.length)
    base = tree.arrays(model_of(first))
    one, three = (tree.arrays(run.keeper.model(vector)) for run in runs)
    for path in runs[0].loop.layout.changed:
        np.testing.assert_allclose(three[path] - base[path], 3.0 * (one[path] - base[path]))


def test_other_descriptors_have_no_such_matrices(place):
    with pytest.raises(DPError, match=r"model\.lora: is for the descriptor dpa4 alone"):
        begun(single(str(place / "data"), lora={"rank": 1}))


@pytest.mark.parametrize("rank", [0, -1])
def test_ranks_are_from_one_up(rank):
    with pytest.raises(DPError, match=r"model\.lora\.rank"):
        read_input(given(lora={"rank": rank}))
