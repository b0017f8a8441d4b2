"""Training of models that are evaluated on other frames than they are asked for, or are put together."""

import dataclasses as dc
from typing import Any

import numpy as np
import pytest
from harness import Backend
from train_inputs import changed
from train_lessons import Lessons

from dpcore import registry
from dpcore.errors import DPError
from dpcore.frames import Frame
from dpcore.models import FrozenModel, LinearModel, Model, ZBLModel
from dpcore.models.curvature import second_derivatives
from dpcore.models.pairwise_dprc import PairwiseDPRcModel
from dpcore.settings.read import read_input
from dpcore.train.acts import played
from dpcore.train.data.sample import Sample
from dpcore.train.long_range import LongRange, ShortRange
from dpcore.train.losses import EnergyLoss, SpinEnergyLoss
from dpcore.train.of_model import check_labels
from dpcore.train.spinless import Spinless
from examples import composites, spin
from examples.composites import THREE, model, table
from examples.dplr import EXAMPLES as DPLR
from examples.example import CELL, Example, standard

ALL = {"start_pref_e": 0.3, "start_pref_f": 2.0, "start_pref_v": 0.4, "limit_pref_v": 0.1}
OF_SPINS = {"start_pref_e": 0.3, "start_pref_fr": 2.0, "start_pref_fm": 3.0, "start_pref_v": 0.4}


def dprc() -> Example:
    """Return a model of a QM region and of its pairs with residues."""
    whole = PairwiseDPRcModel(
        type_map=("O", "H"), qm_model=model("qm"), qmmm_model=model("qmmm", rcut=2.6)
    )
    return Example("pairwise_dprc", whole)


def with_residues(frame: Frame, residues: tuple[int, ...]) -> Frame:
    """Return a frame with the residue of each atom."""
    return dc.replace(frame, aparam=np.array(residues, float)[:, None])


def cases() -> dict[str, Any]:
    """Return lessons by name."""
    of = {example.name: example for example in (*spin.EXAMPLES, *DPLR, *composites.EXAMPLES)}
    spins = of["spin_of_all"].frames(0, 1)
    silent = dc.replace(spins[0], spin=spins[0].spin * (np.arange(8) != 2)[:, None])
    pair = dprc()
    regions = [
        with_residues(pair.frame(), (0, 0, 1, 1, 2, 2, -1, 0)),
        with_residues(pair.frame(periodic=False, seed=1), (0, 3, 3, 1, 0, 0, 0, 0)),
    ]
    return {
        "spin": (of["spin_of_all"].model, SpinEnergyLoss(**OF_SPINS), [*spins, silent]),
        "spin of one type": (
            of["spin_hybrid"].model,
            SpinEnergyLoss(**OF_SPINS),
            of["spin_hybrid"].frames(0),
        ),
        "pairwise_dprc": (pair.model, EnergyLoss(**ALL), regions),
        "dipole_charge": (of["dplr"].model, EnergyLoss(**ALL), of["dplr"].frames(0, 1)),
        "zbl": (of["zbl"].model, EnergyLoss(**ALL), of["zbl"].frames(0)),
        "linear_ener": (of["linear_ener"].model, EnergyLoss(**ALL), of["linear_ener"].frames(0)),
    }


CASES = cases()


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("padded", [False, True], ids=["exact", "padded"])
def test_the_derivative_of_the_loss_is_that_of_finite_differences(name: str, padded: bool) -> None:
    lessons = Lessons.of(*CASES[name], padded=padded)
    direction = np.random.default_rng(1).normal(size=lessons.layout.length)
    expected = lessons.along(direction)
    assert abs(expected) > 1e-3
    np.testing.assert_allclose(lessons.teach()["gradient"] @ direction, expected, rtol=1e-7)


@pytest.mark.parametrize("name", [name for name in CASES if name != "spin of one type"])
def test_frameworks_agree(name: str, framework: Backend) -> None:
    lessons = Lessons.of(*CASES[name], padded=True)
    expected, found = lessons.teach(), lessons.teach(framework)
    for key, value in expected.items():
        np.testing.assert_allclose(found[key], value, rtol=1e-9, atol=1e-11 * np.abs(value).max())


@pytest.mark.parametrize("name", ["spin", "spin of one type", "pairwise_dprc"])
def test_training_predicts_what_users_get(name: str, predict: Any) -> None:
    whole, _, frames = CASES[name]
    lessons = Lessons.of(*CASES[name], padded=True)
    lesson, adapter = lessons.lesson, registry.backend("numpy")
    found = played(adapter, whole, lesson.batch, lesson.acts, training=False)
    expected = predict(whole, frames)
    start = 0
    for number, truth in enumerate(expected):
        atoms = slice(start, start + len(frames[number].types))
        start = atoms.stop
        for key in found:
            rows = number if key in {"energy", "virial"} else atoms
            np.testing.assert_allclose(
                found[key][rows], truth[key], rtol=1e-11, atol=1e-11, err_msg=key
            )


@pytest.mark.parametrize("name", ["se_e2_a", "attention"])
def test_second_derivatives_are_those_of_finite_differences(name: str, predict: Any) -> None:
    example = curved(name)
    frames = mixed_sizes(example)
    most = max(len(frame.types) for frame in frames)
    lessons = Lessons.of(example.model, hessian_loss(), frames, padded=True)
    found = rows_of(lessons)
    start, step = 0, 1e-4
    for frame in frames:
        n = len(frame.types)
        rows = found[start : start + n].reshape(n, 3, most, 3)
        assert not rows[:, :, n:].any()
        for atom, axis in ((0, 1), (n - 1, 2)):
            force = []
            for sign in (1.0, -1.0):
                coord = frame.coord.copy()
                coord[atom, axis] += sign * step
                force.append(predict(example.model, [dc.replace(frame, coord=coord)])[0]["force"])
            expected = -(force[0] - force[1]) / (2.0 * step)
            np.testing.assert_allclose(rows[atom, axis, :n], expected, rtol=1e-5, atol=1e-6)
        start += n


def test_second_derivatives_are_trained(framework: Backend) -> None:
    example = curved("se_e2_a")
    lessons = Lessons.of(example.model, hessian_loss(), mixed_sizes(example), padded=True)
    direction = np.random.default_rng(2).normal(size=lessons.layout.length)
    found = lessons.teach(framework)
    np.testing.assert_allclose(found["gradient"] @ direction, lessons.along(direction), rtol=1e-7)
    total, number = found["rmse_h"]
    assert number == 8**2 + 5**2
    assert total > 0.0


def test_parts_learn_and_frozen_ones_do_not() -> None:
    """Every array of a learned part has a derivative; those of files and tables are no parameters."""
    learned = model("learned")
    whole = LinearModel.create(
        models=(
            FrozenModel.of(THREE.with_(atom_exclude_types=()), "three.dp", ("O", "H")),
            learned,
            ZBLModel.create(model=model("in zbl"), table=table(sel=22), **composites.SWITCH),
        ),
        type_map=("O", "H"),
        weights="mean",
    )
    frames = Example("parts", whole).frames(0)
    lessons = Lessons.of(whole, EnergyLoss(**ALL), frames)
    assert {slot.path.split(".")[1] for slot in lessons.layout.slots} == {"1", "2"}
    gradient = lessons.teach()["gradient"]
    for path, slope in lessons.layout.arrays(gradient).items():
        assert np.abs(slope).max() > 0.0, path


def test_networks_that_are_not_trainable_stay_as_they_are() -> None:
    settings = {"type": "se_e2_a", "sel": (10, 12), "neuron": (3, 6), "axis_neuron": 2}
    frozen = standard("frozen descriptor", settings | {"trainable": False}).model
    assert {
        slot.path.split(".")[0]
        for slot in Lessons.of(
            frozen, EnergyLoss(**ALL), Example("", frozen).frames(0)
        ).layout.slots
    } == {"fitting"}
    flags = standard("flags", settings, {"trainable": (False, True, True)}).model
    paths = {
        slot.path
        for slot in Lessons.of(flags, EnergyLoss(**ALL), Example("", flags).frames(0)).layout.slots
    }
    assert not any(".layers.0." in path for path in paths if path.startswith("fitting"))
    assert any(".layers.1." in path for path in paths if path.startswith("fitting"))


class Stored:
    """A system in memory."""

    path, nframes = "memory", 1

    def __init__(self, sample: Sample) -> None:
        self.sample, self.read = sample, 0
        self.atoms = np.array([len(sample.frame.types)])

    def samples(self, numbers: Any) -> list[Sample]:
        """Return the frame."""
        self.read += 1
        return [self.sample for _ in numbers]


def test_labels_of_the_short_range_energy_lack_what_charges_contribute(predict: Any) -> None:
    whole = DPLR[0].model
    frame = DPLR[0].frame()
    (label,), (short,) = predict(whole, [frame]), predict(whole.energy, [frame])
    labels = {key: label[key].ravel() for key in ("energy", "virial")}
    sample = Sample(frame, labels | {"force": label["force"], "atom_pref": np.ones((8, 1))})
    source = ShortRange(Stored(sample), LongRange(whole))
    for _ in range(2):
        (found,) = source.samples([0])
        for key in ("energy", "force", "virial"):
            expected = short[key].reshape(found.labels[key].shape)
            np.testing.assert_allclose(found.labels[key], expected, rtol=0.0, atol=1e-9)
        np.testing.assert_array_equal(found.labels["atom_pref"], 1.0)


def curved(name: str) -> Example:
    """Return a model whose second derivatives are smooth."""
    kinds: dict[str, Model] = {
        "se_e2_a": model("curved"),
        "attention": standard(
            "curved attention",
            {"type": "se_atten", "sel": 22, "neuron": (3, 6), "axis_neuron": 2, "attn": 4,
             "attn_layer": 1, "smooth_type_embedding": True, "set_davg_zero": True},
        ).model,
    }  # fmt: skip
    return Example(name, kinds[name])


def mixed_sizes(example: Example) -> list[Frame]:
    """Return a frame of 8 atoms and one of 5."""
    whole, other = example.frame(), example.frame(seed=1)
    fewer = dc.replace(other, coord=other.coord[:5], types=other.types[:5], cell=1.1 * CELL)
    return [whole, fewer]


def hessian_loss() -> EnergyLoss:
    """Return a loss of everything."""
    return EnergyLoss(**ALL, start_pref_h=0.7, limit_pref_h=0.2)


def rows_of(lessons: Lessons) -> np.ndarray:
    """Return the predicted second derivatives."""
    adapter, lesson = registry.backend("numpy"), lessons.lesson
    found: np.ndarray = second_derivatives(adapter, lessons.model, lesson.batch, lesson.pairs)
    return found


def test_frames_without_spins_may_be_allowed() -> None:
    frame = Example("bare", THREE).frame()
    source = Spinless(Stored(Sample(frame, {})))
    assert source.lacks("spin") is None
    (found,) = source.samples([0])
    np.testing.assert_array_equal(found.frame.spin, np.zeros((8, 3)))
    spin_of = dc.replace(frame, spin=np.ones((8, 3)))
    (found,) = Spinless(Stored(Sample(spin_of, {}))).samples([0])
    np.testing.assert_array_equal(found.frame.spin, 1.0)


def test_second_derivatives_with_charges_are_refused() -> None:
    wanted = hessian_loss().wanted(DPLR[0].model.output)
    with pytest.raises(DPError, match=r"loss\.start_pref_h: .*'dipole_charge'"):
        check_labels(DPLR[0].model, wanted)
    check_labels(DPLR[0].model.energy, wanted)


@pytest.mark.parametrize(("key", "value"), [("acc_freq", 2), ("gradient_max_norm", 1.0)])
def test_goals_go_without_what_changes_gradients(key: str, value: float) -> None:
    told = {"optimizer": {"type": "LKF"}, f"training.{key}": value}
    with pytest.raises(DPError, match=rf"training\.{key}: .*'LKF'"):
        read_input(changed(told))
    (branch,) = read_input(changed({"optimizer": {"type": "LKF"}})).branches
    assert {goal.follows for goal in branch.goals} == {"energy", "force"}
