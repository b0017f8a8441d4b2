"""Embedding networks as series in training, against the networks themselves."""

import json
from dataclasses import replace

import numpy as np
import pytest
from example_models import EXAMPLES, PAIRWISE, Example, example
from harness import Backend
from train_lessons import Lessons
from train_runs import FITTING, begun, done, input_of, write_atoms

from dpcore import registry
from dpcore.backend.adapter import to_backend
from dpcore.descriptors.radial import RadialDescriptor
from dpcore.frames import Frame
from dpcore.models.children import is_of_frames
from dpcore.train.losses import EnergyLoss
from dpcore.train.objective import Objective, Outcome
from dpcore.train.parameters import Layout
from dpcore.train.series import Extent, SeriesModel
from dpcore.tree import inside, rebuild

PREFACTORS = {"start_pref_e": 1.0, "start_pref_f": 10.0, "start_pref_v": 0.1}
# Activation functions with kinks, rows that places normalise each by its own, half precision: no series.
WITHOUT = {"relu-relu6", "silut_5.0-linear", "by_place", "exclude_types", "model_exclude_types"}
WITHOUT |= {"float16", "bfloat16"}
SMOOTH = [e for e in PAIRWISE if e.name not in WITHOUT]


def trains_energies(case: Example) -> bool:
    """Return whether an example is a model of energies with networks that kernels can sum up."""
    radial = any(True for _ in inside(case.model, RadialDescriptor))
    return radial and case.model.output.total == "energy" and not is_of_frames(case.model)


def lessons_of(case: Example, frames: list[Frame] | None = None, *, padded: bool = True) -> Lessons:
    return Lessons.of(case.model, EnergyLoss(**PREFACTORS), frames or case.frames(0), padded=padded)


def objective_of(lessons: Lessons, backend: Backend) -> tuple[Objective, SeriesModel]:
    """Return an objective with series, and these."""
    adapter, model, layout = backend.adapter(), lessons.model, lessons.layout
    assert "series" in adapter.kernels(adapter.device("cpu"))
    series = SeriesModel(adapter, adapter.device("cpu"), model, layout)
    there = to_backend(adapter, model)
    return Objective(adapter, there, layout, lessons.loss, series=series), series


def run(objective: Objective, lessons: Lessons, backend: Backend, vector=None, what="teach"):
    adapter = backend.adapter()
    vector = lessons.layout.vector(lessons.model) if vector is None else vector
    with adapter.scope():
        given = adapter.asarray(vector)
    found: Outcome = getattr(objective, what)(given, to_backend(adapter, lessons.lesson))
    return {
        "loss": adapter.to_numpy(found.loss),
        "gradient": None if found.gradient is None else adapter.to_numpy(found.gradient),
        **{name: adapter.to_numpy(x) for name, x in found.errors.items()},
    }


def exact(lessons: Lessons, vector=None):
    """Return what plain array code gives on NumPy."""
    objective = Objective(Backend.NUMPY.adapter(), lessons.model, lessons.layout, lessons.loss)
    return run(objective, lessons, Backend.NUMPY, vector)


def assert_close(found, expected, tolerance):
    for name, value in expected.items():
        scale = max(np.abs(value).max(initial=0.0), 1e-10)
        assert np.abs(found[name] - value).max(initial=0.0) <= tolerance * scale, name


def tolerance_of(case: Example) -> float:
    return {"float64": 1e-11, "float32": 2e-4}.get(case.precision, 5e-2)


@pytest.mark.parametrize("case", [e for e in EXAMPLES if trains_energies(e)], ids=str)
def test_gradients_are_those_of_the_networks(case: Example) -> None:
    lessons = lessons_of(case)
    objective, _ = objective_of(lessons, Backend.NUMPY)
    assert_close(run(objective, lessons, Backend.NUMPY), exact(lessons), tolerance_of(case))


@pytest.mark.parametrize("case", PAIRWISE, ids=str)
def test_smooth_networks_have_series(case: Example) -> None:
    """And others have none."""
    lessons = lessons_of(case)
    objective, series = objective_of(lessons, Backend.NUMPY)
    run(objective, lessons, Backend.NUMPY)
    assert (objective.state() is not None) == (case.name not in WITHOUT) == series.ready


@pytest.mark.parametrize("name", ["one_side", "timesteps", "truncated", "sel_0_1", "float32"])
def test_backends_agree(name: str, framework: Backend) -> None:
    (case,) = [e for e in PAIRWISE if e.name == name]
    lessons = lessons_of(case)
    objective, series = objective_of(lessons, framework)
    found = run(objective, lessons, framework)
    assert series.ready
    assert_close(found, exact(lessons), tolerance_of(case))
    judged = run(objective, lessons, framework, what="judge")
    np.testing.assert_allclose(judged["loss"], found["loss"], rtol=1e-12)


def test_closer_neighbours_make_longer_series() -> None:
    case = example("closer", descriptor={"type_one_side": True})
    frames = case.frames(0)
    lessons = lessons_of(case, frames)
    objective, series = objective_of(lessons, Backend.NUMPY)
    run(objective, lessons, Backend.NUMPY)
    before = series.extent
    coord = frames[0].coord.copy()
    coord[1] = coord[0] + [0.3, 0.2, 0.1]
    near = lessons_of(case, [replace(frames[0], coord=coord)])
    assert_close(run(objective, near, Backend.NUMPY), exact(near), 1e-11)
    assert before is not None
    assert series.extent is not None
    assert series.extent.shortest < 0.4 < before.shortest


def test_steeper_networks_have_more_intervals() -> None:
    case = example("steeper")
    lessons = lessons_of(case)
    objective, series = objective_of(lessons, Backend.NUMPY)
    run(objective, lessons, Backend.NUMPY)
    before = series.extent
    steep = rebuild(case.model, lambda p, x: 6.0 * x.value if "nets" in p else x.value)
    vector = lessons.layout.vector(steep)
    assert_close(run(objective, lessons, Backend.NUMPY, vector), exact(lessons, vector), 1e-10)
    (first,), (second,) = (extent.intervals.values() for extent in (before, series.extent))
    assert all(a <= b for a, b in zip(first, second, strict=True))
    assert sum(first) < sum(second)
    assert series.extent.shortest == before.shortest


def test_what_is_not_finite_is_not_looked_for_in_the_series() -> None:
    case = example("diverged")
    lessons = lessons_of(case)
    objective, series = objective_of(lessons, Backend.NUMPY)
    vector = lessons.layout.vector(case.model)
    run(objective, lessons, Backend.NUMPY, vector)
    before = series.there
    with np.errstate(all="ignore"):
        found = run(objective, lessons, Backend.NUMPY, vector * np.nan)
    assert np.isnan(found["loss"])
    assert series.there is before
    assert_close(run(objective, lessons, Backend.NUMPY, vector), exact(lessons), 1e-11)


def test_series_that_do_not_get_better_are_given_up(monkeypatch) -> None:
    """As where rounding in single precision keeps the last terms from falling off: no step is tried for ever."""
    monkeypatch.setattr("dpcore.fused.series._ALLOWED", 1e-6)
    case = example("stubborn")
    lessons = lessons_of(case)
    objective, _ = objective_of(lessons, Backend.NUMPY)
    assert_close(run(objective, lessons, Backend.NUMPY), exact(lessons), 0.0)
    assert objective.state() is None


def test_atoms_without_neighbours() -> None:
    case = example("alone")
    frame = Frame(np.array([[0.0, 0.0, 0.0], [40.0, 0.0, 0.0]]), np.array([0, 1]), None)
    lessons = lessons_of(case, [frame])
    objective, _ = objective_of(lessons, Backend.NUMPY)
    assert_close(run(objective, lessons, Backend.NUMPY), exact(lessons), 1e-11)


def test_what_was_stored_is_made_again() -> None:
    extent = Extent(0.71, {"descriptor": (12, 16)})
    assert Extent.read(json.loads(json.dumps(extent.state()))) == extent
    case = example("again", descriptor={"type_one_side": True})
    lessons = lessons_of(case)
    objective, series = objective_of(lessons, Backend.NUMPY)
    objective.restore({"shortest": 0.71, "intervals": {"descriptor": [48, 64]}})
    run(objective, lessons, Backend.NUMPY)
    assert series.extent == Extent(0.71, {"descriptor": (48, 64)})


@pytest.mark.parametrize(
    "junk",
    [
        None,
        7,
        [],
        {},
        {"shortest": 0.7},
        {"shortest": "0.7", "intervals": {}},
        {"shortest": 0.0, "intervals": {"descriptor": [8, 8, 8, 8]}},
        {"shortest": float("nan"), "intervals": {"descriptor": [8, 8, 8, 8]}},
        {"shortest": 0.7, "intervals": {"descriptor": [10**9] * 4}},
        {"shortest": 0.7, "intervals": {"descriptor": 8}},
        {"shortest": 0.7, "intervals": {"descriptor": [8]}},
        {"shortest": 0.7, "intervals": {"elsewhere": [8, 8, 8, 8]}},
        {"shortest": 0.7, "intervals": {"descriptor": [8, 8, 8, True]}},
    ],
    ids=repr,
)
def test_stored_junk_is_left_alone(junk) -> None:
    case = example("junk")
    lessons = lessons_of(case)
    objective, series = objective_of(lessons, Backend.NUMPY)
    objective.restore(junk)
    assert_close(run(objective, lessons, Backend.NUMPY), exact(lessons), 1e-11)
    assert series.ready


SE_E2_A = {
    "type": "se_e2_a", "sel": [6, 6], "rcut": 4.0, "rcut_smth": 1.0, "neuron": [3, 6], "axis_neuron": 2, "seed": 1,
}  # fmt: skip


def script(tmp_path, **loss):
    model = {"type_map": ["O", "H"], "descriptor": SE_E2_A, "fitting_net": FITTING}
    data = {"training_data": {"systems": [write_atoms(tmp_path / "data", 1)], "batch_size": 2}}
    return input_of(model, data) | ({"loss": {"type": "ener"} | loss} if loss else {})


def test_runs_use_series_and_store_them(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = done(script(tmp_path))
    stored = registry.format_of(run.newest).read(run.newest).training.facts["series"]
    assert stored == {"": run.loop.tasks[0].objective.state()}
    assert stored[""]["intervals"]["descriptor"]


def test_without_kernels_networks_are_evaluated(tmp_path, monkeypatch) -> None:
    """A run is the same without kernels, but for rounding."""
    monkeypatch.chdir(tmp_path)
    given = script(tmp_path)
    with_kernels = done(given)
    monkeypatch.setattr(registry, "kernels", lambda: None)
    without = done(given)
    assert without.loop.tasks[0].objective.state() is None
    mine, theirs = (r.loop.progress.vector for r in (with_kernels, without))
    assert np.abs(mine - theirs).max() <= 1e-10 * np.abs(theirs).max()
    assert np.abs(mine - theirs).max() > 0.0


def test_second_derivatives_are_those_of_the_networks(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    hessian = np.zeros((6, 225))
    np.save(tmp_path / "hessian.npy", hessian)
    given = script(tmp_path, start_pref_h=1.0, limit_pref_h=1.0)
    np.save(next((tmp_path / "data").glob("set.*")) / "hessian.npy", hessian)
    assert begun(given).loop.tasks[0].objective._series is None


def test_the_layout_of_models_does_not_change() -> None:
    (case, *_) = SMOOTH
    lessons = lessons_of(case)
    _, series = objective_of(lessons, Backend.NUMPY)
    series.refit(lessons.layout.vector(case.model), lessons.lesson.batch)
    assert Layout.of(series.model) == lessons.layout
