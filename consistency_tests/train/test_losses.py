"""Losses: DeePMD-kit's values and slopes, mixed batches, padding, hand-worked numbers, all backends.

``data/losses.npz`` holds what the PyTorch losses of DeePMD-kit 3.2.0 give for random predictions and labels
of three frames of four atoms: value, derivatives by the predictions, and displayed errors.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from example_models import BY_NAME
from harness import FRAMEWORKS, Backend

from dpcore.backend.adapter import to_backend, value_and_grad
from dpcore.batch import Batch
from dpcore.errors import DPError
from dpcore.output import ENERGY, Output
from dpcore.settings.arguments import as_tuples
from dpcore.train.losses import (
    LOSSES,
    DOSLoss,
    EnergyLoss,
    Loss,
    PropertyLoss,
    SpinEnergyLoss,
    TensorLoss,
)
from dpcore.train.targets import Target
from dpcore.tree import Tree, buffer
from dpcore.xp import namespace

FROZEN = dict(np.load(Path(__file__).parent / "data" / "losses.npz"))
CASES = json.loads(str(FROZEN.pop("cases")))
PER_ATOM = {"force", "force_mag", "atom_energy", "hessian", "dipole", "polar", "atom_dos"}
ATOM_LABELS = {"force", "force_mag", "atom_ener", "hessian", "atom_dipole", "atom_polarizability"}
ATOM_LABELS |= {"atom_dos", "atom_pref", "drdq", "atom_ener_coeff", "atom_weight"}
OUTPUTS = {
    "dipole": Output("global_dipole", "dipole", (3,), differentiable=True, rank=1),
    "polar": Output("global_polar", "polar", (3, 3), rank=2),
    "dos": Output("dos", "atom_dos", (4,)),
}


class Given(Tree):
    """Predictions one after another."""

    vector: Any = buffer()


class Rest(Tree):
    """All else that a loss takes."""

    batch: Batch
    targets: tuple[Target, ...]
    pace: Any = buffer()
    mask_mag: Any = buffer()


def batch_of(natoms: list[int], padding: int = 2, types: Any = 0) -> Batch:
    """Return a batch of frames with a last one of none but padding."""
    n = sum(natoms)
    return Batch(
        groups=(),
        views=(),
        frame=np.repeat(np.arange(len(natoms) + 1), [*natoms, padding]),
        natoms=np.array([*natoms, 0]),
        types=np.concatenate([np.broadcast_to(types, n), np.zeros(padding, int)]),
    )


def target_of(name: str, value: np.ndarray, padding: int, there: Any = 1.0) -> Target:
    """Return a label with rows of zeros behind it."""
    rows = np.concatenate([value, np.zeros((padding, value.shape[1]))])
    frames = np.atleast_1d(np.asarray(there, float))
    return Target(name=name, value=rows, there=np.append(frames, 0.0))


def rows_of(name: str, value: np.ndarray, atomic: bool) -> np.ndarray:
    """Return predictions or labels of frames of equal size on the flat axes."""
    frames, atoms = len(value), 4
    if name == "hessian":
        # From pairs of coordinates of a frame to rows of atoms: (own, other, its coordinate).
        return value.reshape(frames * atoms, 3 * 3 * atoms)
    return value.reshape(frames * atoms if atomic else frames, -1)


def loss_of(case: dict[str, Any]) -> Loss:
    kind, settings = case["kind"], {k: as_tuples(v) for k, v in case["settings"].items()}
    loss = LOSSES[kind](**settings)
    if kind == "tensor":
        output = OUTPUTS[case["name"]]
        loss = loss.with_(names=(output.total, output.atomic))
    if kind == "property":
        loss = loss.with_(label="gap", intensive=case["intensive"], spread=tuple(case["std"]))
    return loss


def labels_of(loss: Loss, case: dict[str, Any]) -> tuple[Target, ...]:
    output = ENERGY
    if case["kind"] in {"tensor", "dos"}:
        output = OUTPUTS[case.get("name", "dos")]
    elif case["kind"] == "property":
        output = Output("gap", "atom_gap", (2,))
    found = []
    for wanted in loss.wanted(output):
        value = FROZEN[f"l.{wanted.name}"]
        if wanted.default is not None and wanted.name == "atom_pref":
            value = np.full_like(value, wanted.default)
        atomic = wanted.per != "frame"
        assert atomic == (wanted.name in ATOM_LABELS)
        rows = rows_of(wanted.name, value, atomic)
        assert wanted.width in {0, rows.shape[1]}
        found.append(target_of(wanted.name, rows, 2 if atomic else 1, np.ones(3)))
    return tuple(found)


def predictions_of(number: int) -> dict[str, np.ndarray]:
    """Return the predictions of a case, those of padding so far off that their squares overflow."""
    found = {}
    for key in FROZEN:
        if key.startswith(f"{number}.slope."):
            name = key.rpartition(".")[2]
            rows = rows_of(name, FROZEN[f"p.{name}"], name in PER_ATOM)
            padding = np.full((2 if name in PER_ATOM else 1, rows.shape[1]), 1e200)
            found[name] = np.concatenate([rows, padding])
    return found


def evaluated(backend: Backend, loss: Loss, predicted: dict[str, np.ndarray], rest: Rest) -> Any:
    """Return value, errors and the slope by each prediction."""
    adapter = backend.adapter()
    sizes = [x.size for x in predicted.values()]

    def value(vector: Any, rest: Rest) -> Any:
        xp = namespace(vector)
        parts = zip(predicted.items(), xp.split(vector, sizes), strict=True)
        outputs = {name: xp.reshape(part, x.shape) for (name, x), part in parts}
        outputs["mask_mag"] = rest.mask_mag
        targets = {t.name: t for t in rest.targets}
        found = loss(outputs, targets, rest.batch, rest.pace)
        return found.total, dict(found.errors)

    def run(given: Given, rest: Rest) -> dict[str, Any]:
        (total, errors), slope = value_and_grad(adapter, lambda x: value(x, rest))(given.vector)
        return {"loss": total, "slope": slope, **errors}

    vector = np.concatenate([x.reshape(-1) for x in predicted.values()])
    with adapter.scope():
        given, rest = to_backend(adapter, Given(vector=vector)), to_backend(adapter, rest)
        found = adapter.compile(run, requested=None)(given, rest)
    found = {name: adapter.to_numpy(x) for name, x in found.items()}
    slopes = np.split(found.pop("slope"), np.cumsum(sizes)[:-1])
    return (
        found.pop("loss"),
        found,
        {name: s.reshape(x.shape) for (name, x), s in zip(predicted.items(), slopes, strict=True)},
    )


def rest_of(loss: Loss, case: dict[str, Any]) -> Rest:
    mask = np.append(FROZEN["mask_mag"].reshape(-1), [True, True])[:, None]
    return Rest(
        batch=batch_of([4, 4, 4]),
        targets=labels_of(loss, case),
        pace=FROZEN["pace"],
        mask_mag=mask,
    )


def shown(name: str, pair: np.ndarray) -> float:
    value = pair[0] / pair[1]
    return float(np.sqrt(value) if name.startswith("rmse") else value)


@pytest.mark.parametrize("number", range(len(CASES)))
def test_values_slopes_and_errors_are_those_of_deepmd_kit(number: int) -> None:
    case = CASES[number]
    loss, predicted = loss_of(case), predictions_of(number)
    value, errors, slopes = evaluated(Backend.NUMPY, loss, predicted, rest_of(loss, case))
    # The property loss of DeePMD-kit is a sum over frames; ours is a mean.
    frames = 3 if case["kind"] == "property" and loss.loss_func != "rmse" else 1
    np.testing.assert_allclose(value * frames, FROZEN[f"{number}.loss"], rtol=1e-14)
    for name, slope in slopes.items():
        atomic = name in PER_ATOM
        expected = rows_of(name, FROZEN[f"{number}.slope.{name}"], atomic)
        np.testing.assert_allclose(
            slope[: len(expected)] * frames, expected, rtol=1e-13, atol=1e-16
        )
        np.testing.assert_array_equal(slope[len(expected) :], 0.0)
    assert list(loss.error_names) == sorted(errors) == sorted(case["errors"])
    for name, pair in errors.items():
        if not differs_from_dp_test(name, case):
            np.testing.assert_allclose(shown(name, pair), case["errors"][name], rtol=1e-13)


def differs_from_dp_test(name: str, case: dict[str, Any]) -> bool:
    """Return whether DeePMD-kit displays another error than ``dp test`` reports."""
    settings = case["settings"]
    if name.endswith("_pf"):
        return not settings.get("use_default_pf")  # not divided by the weights
    if name.endswith("_f"):
        return bool(settings.get("relative_f")) or (
            settings.get("f_use_norm", False) and settings.get("loss_func") == "mae"
        )
    return (
        name.startswith("rmse_local_d") or name == "rmse_local_polar"
        if settings.get("enable_atomic_weight")
        else False
    )


@pytest.mark.parametrize("kind", sorted(LOSSES))
@pytest.mark.parametrize("framework", FRAMEWORKS[1:], ids=str)
def test_all_backends_agree(kind: str, framework: Backend) -> None:
    framework.required()
    for number, case in enumerate(CASES):
        if case["kind"] != kind or number not in COMPARED:
            continue
        loss, predicted, rest = loss_of(case), predictions_of(number), rest_of(loss_of(case), case)
        expected = evaluated(Backend.NUMPY, loss, predicted, rest)
        found = evaluated(framework, loss, predicted, rest)
        np.testing.assert_allclose(found[0], expected[0], rtol=1e-13)
        for one, other in zip(found[1:], expected[1:], strict=True):
            assert one.keys() == other.keys()
            for name, x in one.items():
                np.testing.assert_allclose(x, other[name], rtol=1e-12, atol=1e-15)


# Cases that between them have every term: each costs a compilation.
COMPARED = {3, 4, 7, 9, 10, 12, 16, 17, 24, 25, 30, 31, 37}


def random_case(natoms: list[int]) -> tuple[EnergyLoss, dict[str, np.ndarray], list[Target]]:
    """Return an energy loss of many terms with predictions and labels of frames."""
    rng = np.random.default_rng(3)
    frames, atoms, wide = len(natoms) + 1, sum(natoms) + 2, max(natoms)
    loss = EnergyLoss(
        start_pref_v=0.5, limit_pref_v=0.5, start_pref_ae=0.3, start_pref_pf=2.0, start_pref_h=0.7,
        start_pref_gf=0.4, numb_generalized_coord=2, enable_atom_ener_coeff=True,
    )  # fmt: skip
    predicted = {
        "energy": rng.normal(size=(frames, 1)),
        "force": rng.normal(size=(atoms, 3)),
        "virial": rng.normal(size=(frames, 9)),
        "atom_energy": rng.normal(size=(atoms, 1)),
        "hessian": rng.normal(size=(atoms, 9 * wide)),
    }
    sizes = {"energy": 1, "virial": 9, "force": 3, "atom_ener": 1, "atom_pref": 1, "drdq": 6}
    sizes |= {"atom_ener_coeff": 1, "hessian": 9 * wide}
    targets = []
    for wanted in loss.wanted(ENERGY):
        atomic = wanted.per != "frame"
        rows = rng.normal(size=((atoms - 2) if atomic else (frames - 1), sizes[wanted.name]))
        there = rng.integers(0, 2, frames - 1) if wanted.default is None else np.ones(frames - 1)
        rows = rows * (np.repeat(there, natoms) if atomic else there)[:, None]
        targets.append(target_of(wanted.name, rows, 2 if atomic else 1, there))
    return loss, predicted, targets


def test_a_frame_costs_the_same_in_every_batch() -> None:
    natoms = [2, 5, 3, 1]
    loss, predicted, targets = random_case(natoms)
    pace = np.array(0.4)
    whole = loss(predicted, {t.name: t for t in targets}, batch_of(natoms), pace)
    starts = np.cumsum([0, *natoms])
    singles = []
    for f, n in enumerate(natoms):
        atoms = [*range(starts[f], starts[f] + n), -1, -2]
        part = {name: x[atoms] if name in PER_ATOM else x[[f, -1]] for name, x in predicted.items()}
        part["hessian"] = (
            part["hessian"][:, : 9 * 5].reshape(-1, 3, 5, 3)[:, :, :n].reshape(-1, 9 * n)
        )
        labels = {}
        for t in targets:
            value = t.value[atoms] if t.name in ATOM_LABELS else t.value[[f, -1]]
            if t.name == "hessian":
                value = value.reshape(-1, 3, 5, 3)[:, :, :n].reshape(-1, 9 * n)
            labels[t.name] = Target(name=t.name, value=value, there=t.there[[f, -1]])
        singles.append(loss(part, labels, batch_of([n]), pace))
    np.testing.assert_allclose(whole.total, np.mean([s.total for s in singles]), rtol=1e-14)
    for name, pair in whole.errors.items():
        np.testing.assert_allclose(pair, sum(s.errors[name] for s in singles), rtol=1e-14)


def test_hand_worked_numbers_of_two_frames() -> None:
    # Frame 0 of one atom, frame 1 of two; energies 3 and 8 too high; a force off by (3, 0, 4) in frame 1.
    predicted = {
        "energy": np.array([[3.0], [8.0], [0.0]]),
        "force": np.array([[0.0, 0, 0], [3, 0, 4], [0, 0, 0], [9, 9, 9], [9, 9, 9]]),
    }
    targets = {
        "energy": target_of("energy", np.zeros((2, 1)), 1, [1, 1]),
        "force": target_of("force", np.zeros((3, 3)), 2, [0, 1]),
    }
    loss = EnergyLoss(start_pref_e=2.0, limit_pref_e=1.0, start_pref_f=6.0, limit_pref_f=4.0)
    found = loss(predicted, targets, batch_of([1, 2]), np.array(0.5))
    # Energy: (9/1 + 64/2)/2 = 20.5, times 1.5. Force: 25/3/2 atoms in one of two frames, times 5.
    assert found.total == pytest.approx(1.5 * 20.5 + 5.0 * (25.0 / 6.0) / 2.0)
    assert found.errors["rmse_e"] == pytest.approx([9.0 + 16.0, 2.0])
    assert found.errors["rmse_f"] == pytest.approx([25.0 / 3.0, 2.0])
    huber = loss.with_(use_huber=True, huber_delta=2.0, f_use_norm=True)
    found = huber(predicted, targets, batch_of([1, 2]), np.array(1.0))
    # Energies of an atom 3 and 4 too high: 2 (3 - 1) = 4 and 2 (4 - 1) = 6; force of 5: 2 (5 - 1) = 8.
    assert found.total == pytest.approx(2.0 * 5.0 + 6.0 * (8.0 / 2.0) / 2.0)


def test_excluded_types_do_not_count() -> None:
    predicted = {"energy": np.array([[6.0], [0.0]]), "force": np.ones((5, 3))}
    targets = {
        "energy": target_of("energy", np.zeros((1, 1)), 1),
        "force": target_of("force", np.zeros((3, 3)), 2),
    }
    batch = batch_of([3], types=[0, 1, 0])
    loss = EnergyLoss(start_pref_e=1.0, start_pref_f=1.0, intensive_ener_virial=True)
    found = loss.with_(excluded=(1,))(predicted, targets, batch, np.array(1.0))
    assert found.total == pytest.approx(9.0 + 1.0)
    assert found.errors["rmse_f"] == pytest.approx([2.0, 2.0])


def test_frames_without_magnetic_atoms_cost_nothing_for_spins() -> None:
    loss = SpinEnergyLoss(start_pref_e=0.0, limit_pref_e=0.0, start_pref_fr=0.0, limit_pref_fr=0.0)
    predicted = {"force_mag": np.full((5, 3), 2.0), "mask_mag": np.zeros((5, 1), bool)}
    predicted["mask_mag"][0] = True
    targets = {"force_mag": target_of("force_mag", np.zeros((3, 3)), 2, [1, 1])}
    found = loss(predicted, targets, batch_of([1, 2]), np.array(1.0))
    assert found.total == pytest.approx(10000.0 * 4.0 / 2.0)
    assert found.errors["rmse_fm"] == pytest.approx([4.0, 1.0])


@pytest.mark.parametrize("rows", [1, 3])
def test_batches_of_no_labels_or_nothing_but_padding_cost_nothing(rows: int) -> None:
    loss, predicted, targets = random_case([3, 2])
    batch = batch_of([]) if rows == 1 else batch_of([3, 2])
    empty = {t.name: t.with_(value=np.zeros_like(t.value), there=0.0 * t.there) for t in targets}
    if rows == 1:
        predicted = {k: x[-2:] if k in PER_ATOM else x[-1:] for k, x in predicted.items()}
        empty = {
            k: t.with_(value=t.value[-2 if k in ATOM_LABELS else -1 :], there=t.there[-1:])
            for k, t in empty.items()
        }
    found = loss(predicted, empty, batch, np.array(1.0))
    assert found.total == 0.0
    assert all(pair[1] == 0.0 for pair in found.errors.values())
    assert loss(predicted, {}, batch, np.array(1.0)).total == 0.0


def test_labels_that_are_wanted() -> None:
    names = {w.name: w for w in EnergyLoss().wanted(ENERGY)}
    assert sorted(names) == ["energy", "force"]
    loss = EnergyLoss(limit_pref_pf=1.0, use_default_pf=True, limit_pref_h=1.0)
    names = {w.name: w for w in loss.wanted(ENERGY)}
    assert names["atom_pref"].default == 1.0
    assert names["hessian"].per == "pair"
    (only,) = PropertyLoss().wanted(Output("gap", "atom_gap", (2,)))
    assert (only.name, only.width, only.needed) == ("gap", 2, True)
    loss = TensorLoss(pref=1.0, pref_atomic=2.0, enable_atomic_weight=True)
    names = [w.name for w in loss.wanted(OUTPUTS["polar"])]
    assert names == ["polarizability", "atom_polarizability", "atom_weight"]


def test_losses_know_their_model() -> None:
    energy = EnergyLoss().for_model(BY_NAME["model_exclude_types"].double())
    assert energy.excluded == (0,)
    tensor = TensorLoss(pref=1.0, pref_atomic=1.0)
    tensor = tensor.for_model(BY_NAME["polar_matrix"].double())
    assert (tensor.names, tensor.excluded) == (("global_polar", "polar"), (1,))
    model = BY_NAME["property_intensive"].double()
    spread = model.with_(out_std=np.full((1, 2, 1), 2.5))
    loss = PropertyLoss().for_model(spread)
    assert (loss.label, loss.intensive, loss.spread) == ("band-gap.1", True, (2.5,))
    assert SpinEnergyLoss().for_model(BY_NAME["spin_of_all"].double()).excluded == (1,)
    with pytest.raises(DPError, match="'ener_spin' needs a model with spins"):
        SpinEnergyLoss().for_model(BY_NAME["plain"].double())
    with pytest.raises(DPError, match="'ener' does not fit a model of 'global_dipole'"):
        EnergyLoss().for_model(BY_NAME["dipole"].double())


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        ("ener", {"loss_func": "mape"}, r"loss\.loss_func: 'mape'; allowed: mse, mae"),
        ("ener", {"start_pref_e": -1.0}, r"loss\.start_pref_e: -1\.0; a prefactor is 0 or above"),
        ("ener", {f"{a}_pref_{b}": 0.0 for a in ("start", "limit") for b in "ef"}, "nothing costs"),
        ("ener", {"relative_f": 0.0}, r"loss\.relative_f"),
        ("ener", {"f_use_norm": True}, r"loss\.f_use_norm: needs use_huber"),
        ("ener", {"use_huber": True, "huber_delta": (1.0, 2.0)}, r"loss\.huber_delta"),
        ("ener", {"use_huber": True, "loss_func": "mae"}, r"loss\.use_huber"),
        ("ener", {"use_huber": True, "relative_f": 1.0}, "together with relative_f"),
        ("ener", {"use_huber": True, "limit_pref_pf": 1.0}, "together with start_pref_pf"),
        ("ener", {"use_default_pf": True}, r"loss\.use_default_pf"),
        ("ener", {"start_pref_gf": 1.0}, r"loss\.numb_generalized_coord"),
        ("ener", {"numb_generalized_coord": 1}, r"loss\.numb_generalized_coord"),
        ("tensor", {"pref": 0.0, "pref_atomic": 0.0}, "nothing costs"),
        ("tensor", {"pref": 1.0, "pref_atomic": 0.0, "enable_atomic_weight": True}, "pref_atomic"),
        ("dos", {"start_pref_ados": 0.0, "limit_pref_ados": 0.0}, "nothing costs"),
        ("property", {"loss_func": "mape"}, r"loss\.loss_func: 'mape' is unknown"),
        ("property", {"metric": ("maee",)}, "did you mean 'mae'"),
        ("property", {"beta": -1.0}, r"loss\.beta"),
    ],
)
def test_settings_without_meaning_are_refused(
    kind: str, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(DPError, match=message):
        LOSSES[kind](**settings)


@pytest.mark.parametrize(
    ("loss", "output"),
    [
        (EnergyLoss(), OUTPUTS["dos"]),
        (SpinEnergyLoss(), OUTPUTS["dipole"]),
        (TensorLoss(pref=1.0, pref_atomic=0.0), ENERGY),
        (DOSLoss(), ENERGY),
        (PropertyLoss(), ENERGY),
        (PropertyLoss(), OUTPUTS["polar"]),
    ],
)
def test_models_that_a_loss_does_not_fit_are_refused(loss: Loss, output: Output) -> None:
    with pytest.raises(DPError, match="does not fit a model of"):
        loss.wanted(output)
