"""A run from its first step to its last: the same on all backends, in one go or in several."""

import numpy as np
import pytest
from harness import Backend
from tiny_runs import parameters, prepared, read_lines, stored, taken, write_input
from train_inputs import GONE

from dpcore.errors import DPError
from dpcore.settings import draw_model
from dpcore.settings.read import read_input
from dpcore.train.curve import read_curve
from dpcore.train.seeds import seeded

STEPS = {
    "training.numb_steps": 50,
    "training.save_freq": 25,
    "training.disp_freq": 10,
    "training.validation_data": GONE,
}
FRAMEWORKS = [Backend.TORCH, Backend.JAX, Backend.TENSORFLOW]


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """Return the folder of 50 steps on NumPy, from a model that all backends begin with."""
    folder = tmp_path_factory.mktemp("reference")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        taken(write_input(folder, {"training.numb_steps": 0}))
        (folder / "model.ckpt-0.dp").rename(folder / "begin.dp")
        taken(write_input(folder, STEPS), model=folder / "begin.dp")
    return folder


def same(one, other, tolerance=0.0):
    """Check that two files hold the same parameters."""
    mine, theirs = parameters(one), parameters(other)
    assert mine.keys() == theirs.keys()
    for path, value in mine.items():
        scale = np.abs(theirs[path]).max(initial=0.0)
        assert np.abs(value - theirs[path]).max(initial=0.0) <= tolerance * scale, path


@pytest.mark.parametrize("framework", FRAMEWORKS, ids=str)
def test_backends_agree(reference, tmp_path, framework):
    """After 50 steps parameters and errors are those of NumPy, also when NumPy has taken the first 25."""
    name = framework.required().value
    run = taken(write_input(tmp_path, STEPS), name, model=reference / "begin.dp")
    # A learning rate in single precision alone would make 1e-9 of it.
    same(run.newest, reference / "model.ckpt-50.dp", 1e-11)
    mine, theirs = (read_curve(folder / "lcurve.out") for folder in (tmp_path, reference))
    assert mine.keys() == theirs.keys()
    for column, values in mine.items():
        np.testing.assert_allclose(values, theirs[column], rtol=1.1e-2)  # three digits are written
    run = taken(tmp_path / "input.json", name, restart=reference / "model.ckpt-25.dp")
    same(run.newest, reference / "model.ckpt-50.dp", 1e-8)


REACH = {"rcut": 3.5, "rcut_smth": 1.0}
ANGLES = {**REACH, "neuron": [2, 4], "seed": 1}
PAIRS = {**ANGLES, "sel": [4, 4], "axis_neuron": 2}
THREE_BODIES = {
    "se_e3": {"sel": [4, 4]},
    "se_e3_tebd": {"sel": 8, "tebd_dim": 2, "tebd_input_mode": "concat"},
    "hybrid": {"list": [{**ANGLES, "type": "se_e3", "sel": [4, 4]}, {**PAIRS, "type": "se_e2_a"}]},
    "dpa2": {
        "repinit": {
            **REACH,
            "neuron": [2, 4],
            "nsel": 8,
            "axis_neuron": 2,
            "tebd_dim": 2,
            "use_three_body": True,
            "three_body_rcut": 3.0,
            "three_body_rcut_smth": 1.0,
            "three_body_sel": 6,
            "three_body_neuron": [2, 4],
        },
        "repformer": {
            "rcut": 2.5,
            "rcut_smth": 1.0,
            "nsel": 6,
            "nlayers": 1,
            "g1_dim": 4,
            "g2_dim": 4,
        },
    },
}


@pytest.mark.parametrize("kind", THREE_BODIES)
def test_what_statistics_decide_is_decided_before_compilation(kind, tmp_path):
    """Angles are compiled although their statistics tell which places there are."""
    alone = kind.startswith("se_e3")
    told = {"type": kind, **(ANGLES if alone else {}), **THREE_BODIES[kind]}
    changes = {"model.descriptor": told, "training.numb_steps": 1}
    runs = {}
    for backend in (Backend.NUMPY, Backend.JAX):
        taken(write_input(tmp_path, changes), backend.required().value)
        runs[backend] = (tmp_path / "model.ckpt-1.dp").rename(tmp_path / f"{backend}.dp")
    same(runs[Backend.JAX], runs[Backend.NUMPY], 1e-11)


def test_goes_on_on_another_backend(reference, tmp_path):
    """25 steps on a framework, 25 on NumPy: the parameters are those of 50 on NumPy."""
    name = Backend.TORCH.required().value
    path = write_input(tmp_path, STEPS | {"training.max_ckpt_keep": 9})
    taken(path, name, model=reference / "begin.dp")
    run = taken(path, restart=tmp_path / "model.ckpt-25.dp")
    same(run.newest, reference / "model.ckpt-50.dp", 1e-8)


def test_a_restart_changes_nothing(tmp_path):
    """Parameters, state and learning curve are those of a run in one go, bit for bit."""
    path = write_input(tmp_path, {"training.disp_freq": 2, "training.validation_data.numb_btch": 2})
    taken(path)
    whole, curve = stored("model.ckpt-10.dp"), read_lines("lcurve.out")
    taken(path, restart=tmp_path / "model.ckpt-5.dp")
    again = stored("model.ckpt-10.dp")
    assert read_lines("lcurve.out") == curve
    assert [line.split()[0] for line in curve[2:]] == ["1", "2", "4", "6", "8", "10"]
    assert again.training.facts == whole.training.facts
    for name, value in whole.training.arrays.items():
        np.testing.assert_array_equal(value, again.training.arrays[name])


def test_a_run_without_steps_writes_the_model(tmp_path):
    """The model with the statistics of its data, and nothing learned."""
    run = taken(write_input(tmp_path, {"training.numb_steps": 0}))
    assert run.newest.name == "model.ckpt-0.dp"
    start = prepared(tmp_path / "input.json").loop.progress.vector
    np.testing.assert_array_equal(run.loop.layout.vector(stored(run.newest).model), start)


def test_networks_without_a_seed_follow_that_of_training(tmp_path):
    """They begin alike in runs with the same seed, and in all processes of one run."""
    unseeded = {"model.descriptor.seed": GONE, "model.fitting_net.seed": GONE}

    def begun(ranks=1, **changes):
        told = {f"training.{key}": value for key, value in changes.items()}
        path = write_input(tmp_path, {**unseeded, **told})
        (branch,) = seeded(read_input(str(path)), ranks).branches
        model = draw_model(dict(branch.model))
        weights = (layer.weight for layer in model.descriptor.nets[0].layers)
        return np.concatenate([np.ravel(weight) for weight in weights])

    np.testing.assert_array_equal(begun(), begun())
    assert not np.isin(begun(), begun(seed=4)).any()
    assert not np.isin(begun(seed=GONE), begun(seed=GONE)).any()
    np.testing.assert_array_equal(begun(2, seed=GONE), begun(2, seed=GONE))
    path = write_input(tmp_path, unseeded)
    first, second = (prepared(path).loop.progress.vector for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_a_run_that_ends_in_its_warm_up_says_so(tmp_path, caplog):
    prepared(write_input(tmp_path, {"learning_rate.warmup_steps": 100}))
    assert caplog.text.count("the warm-up takes 100 steps and the run 10;") == 1


def test_batches_are_gathered(tmp_path):
    """Two batches of one frame a step are as good as one batch of two."""
    path = write_input(tmp_path)
    taken(path)
    changes = {"training.training_data.batch_size": 1, "training.acc_freq": 2}
    run = taken(write_input(tmp_path, changes | {"training.save_ckpt": "other"}))
    assert run.newest.name == "other-10.dp"
    same("other-10.dp", "model.ckpt-10.dp", 1e-9)


@pytest.mark.parametrize("one", [Backend.NUMPY, Backend.TORCH], ids=str)
def test_the_bias_is_fitted_at_the_end(tmp_path, one):
    """The mean error of energies by least squares is gone, and networks are as they were."""
    name = one.required().value
    taken(write_input(tmp_path, {"training.numb_steps": 3}), name)
    changes = {"training.numb_steps": 3, "training.change_bias_after_training": True}
    taken(write_input(tmp_path, changes | {"training.save_ckpt": "fitted"}), name)
    before, after = parameters("model.ckpt-3.dp"), parameters("fitted-3.dp")
    different = [name for name in before if not np.array_equal(before[name], after[name])]
    assert len(different) == 1
    assert "bias" in different[0]
    from dpcore.data import load_system
    from dpcore.infer import DeepEval

    system = load_system("train", ("A", "B"))
    found = DeepEval("fitted-3.dp", backend="numpy").evaluate(
        system.coord, system.cell, system.atom_types
    )
    assert abs(np.mean(found["energy"] - system.label("energy"))) < 1e-9


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("label", ["energy", "force"])
def test_what_is_not_finite_stops_the_run(tmp_path, monkeypatch, label):
    """The parameter and the frames are named, and the last checkpoint stays what it was."""
    run = prepared(write_input(tmp_path, {"training.save_freq": 3, "training.max_ckpt_keep": 1}))
    task, teach, taught = run.loop.tasks[0], run.loop.tasks[0].objective.teach, []

    def broken(vector, lesson):
        taught.append(1)
        if len(taught) == 5:
            targets = [
                t.with_(value=t.value + np.inf) if t.name == label else t for t in lesson.targets
            ]
            lesson = lesson.with_(targets=tuple(targets))
        return teach(vector, lesson)

    monkeypatch.setattr(task.objective, "teach", broken)
    with pytest.raises(DPError, match=r"^step 5: .*(descriptor|fitting).* is not finite") as error:
        run.go()
    assert "train" in str(error.value)
    assert "\n" not in str(error.value)
    assert sorted(file.name for file in tmp_path.glob("model.ckpt*")) == [
        "model.ckpt-3.dp",
        "model.ckpt.dp",
    ]
    assert stored("model.ckpt.dp").training.facts["step"] == 3
    taken(tmp_path / "input.json", restart=tmp_path / "model.ckpt.dp")
