"""The classes for each kind of model, against DeePMD-kit's own numbers."""

from pathlib import Path

import numpy as np
import pytest

from dpcore.errors import DPError
from dpcore.infer import (
    DeepDipole,
    DeepDOS,
    DeepEval,
    DeepGlobalPolar,
    DeepPolar,
    DeepPot,
    DeepPotential,
    DeepProperty,
    DeepTensor,
    DeepWFC,
    class_of,
    load,
)
from dpcore.infer.opening import OpenedModel
from dpcore.output import ENERGY, Output
from dpcore.registry import format_of

GOLDEN = Path(__file__).resolve().parents[4] / "shared" / "golden"


class Case:
    """A golden case: the model file and its input and output."""

    def __init__(self, name):
        self.path = GOLDEN / name / "model.dp"
        self.numbers = dict(np.load(GOLDEN / name / "expected.npz"))
        self.given = tuple(self.numbers[key] for key in ("coord", "box", "atype"))

    def __getitem__(self, name):
        return self.numbers[f"pbc.{name}"]


@pytest.fixture(scope="module", params=["dipole", "polar", "dos", "property"])
def case(request):
    return Case(request.param)


@pytest.mark.parametrize(
    ("name", "cls"),
    [
        ("se_e2_a", DeepPot),
        ("dipole", DeepDipole),
        ("polar", DeepPolar),
        ("dos", DeepDOS),
        ("property", DeepProperty),
    ],
)
def test_the_class_follows_from_what_is_predicted(name, cls):
    assert type(load(GOLDEN / name / "model.dp")) is cls
    assert type(DeepPotential(GOLDEN / name / "model.dp", dtype="float32")) is cls


@pytest.mark.parametrize(
    ("output", "cls"),
    [
        (ENERGY, DeepPot),
        (Output("energy", "atom_energy", (1,)), DeepProperty),
        (Output("quadrupole", "atom_quadrupole", (3, 3), rank=2), DeepPolar),
        (Output("octupole", "atom_octupole", (3, 3, 3), rank=3), DeepTensor),
        (Output("x", "atom_x", differentiable=True), DeepEval),
    ],
)
def test_outputs_that_no_one_has_thought_of_have_a_class_too(output, cls):
    assert class_of(output) is cls


def test_everything_is_evaluated_by_the_names_of_deepmd_kit(case):
    out = DeepEval(case.path).evaluate(*case.given)
    assert set(out) < {key.partition(".")[2] for key in case.numbers}
    for name, values in out.items():
        np.testing.assert_allclose(values, case[name], rtol=0, atol=1e-11)
        assert values.shape == case[name].shape


def test_dipoles():
    case = Case("dipole")
    model = DeepDipole(case.path)
    np.testing.assert_allclose(model.eval(*case.given), case["dipole"], rtol=0, atol=1e-12)
    total = model.eval(*case.given, atomic=False)
    np.testing.assert_allclose(total, case["global_dipole"], rtol=0, atol=1e-12)
    found = model.eval_full(*case.given)
    assert [x.shape for x in found] == [(2, 3), (2, 3, 24, 3), (2, 3, 9)]
    full = model.eval_full(*case.given, atomic=True)
    assert [x.shape for x in full[3:]] == [(2, 24, 3), (2, 3, 24, 9)]
    force, virial = np.swapaxes(case["force"], 1, 2), np.swapaxes(case["atom_virial"], 1, 2)
    expected = case["global_dipole"], force, case["virial"], case["dipole"], virial
    for value, known in zip(full, expected, strict=True):
        np.testing.assert_allclose(value, known, rtol=0, atol=1e-11)


def test_forces_of_dipoles_are_their_slopes():
    """The place of each axis, by finite differences."""
    case = Case("dipole")
    model, (coord, box, types) = DeepDipole(case.path), case.given
    step = np.zeros_like(coord[:1])
    step[0, 5, 2] = 1e-5
    ends = [model.eval(coord[:1] + s * step, box[:1], types, atomic=False)[0] for s in (1, -1)]
    force = model.eval_full(coord[:1], box[:1], types)[1][0]
    np.testing.assert_allclose(force[:, 5, 2], (ends[1] - ends[0]) / 2e-5, atol=1e-8)


def test_polarizabilities():
    case = Case("polar")
    model = DeepPolar(case.path)
    atoms, total = case["polar"].reshape(2, 24, 9), case["global_polar"].reshape(2, 9)
    np.testing.assert_allclose(model.eval(*case.given), atoms, rtol=0, atol=1e-12)
    np.testing.assert_allclose(model.eval(*case.given, False), total, rtol=0, atol=1e-12)
    with pytest.raises(DPError, match="eval_full: a model of global_polar predicts no derivatives"):
        model.eval_full(*case.given)
    whole = DeepGlobalPolar(case.path)
    np.testing.assert_allclose(whole.eval(*case.given), total, rtol=0, atol=1e-12)
    np.testing.assert_allclose(whole.eval(*case.given, True), atoms, rtol=0, atol=1e-12)


def test_wannier_centres_are_vectors_of_atoms():
    case = Case("dipole")
    found = DeepWFC(case.path).eval(*case.given)
    np.testing.assert_allclose(found, case["dipole"], rtol=0, atol=1e-12)


def test_densities_of_states():
    case = Case("dos")
    model = DeepDOS(case.path)
    assert model.numb_dos == model.get_numb_dos() == 7
    (total,) = model.eval(*case.given)
    both = model.eval(*case.given, atomic=True)
    np.testing.assert_allclose(total, case["dos"], rtol=0, atol=1e-12)
    np.testing.assert_allclose(both[0], case["dos"], rtol=0, atol=1e-12)
    np.testing.assert_allclose(both[1], case["atom_dos"], rtol=0, atol=1e-12)


def test_properties():
    case = Case("property")
    model = DeepProperty(case.path)
    assert (model.task_dim, model.get_task_dim()) == (3, 3)
    assert (model.get_intensive(), model.get_var_name()) == (True, "foo")
    (total,) = model.eval(*case.given)
    _, atoms = model.eval(*case.given, atomic=True)
    np.testing.assert_allclose(total, case["foo"], rtol=0, atol=1e-12)
    np.testing.assert_allclose(atoms, case["atom_foo"], rtol=0, atol=1e-12)
    np.testing.assert_allclose(total, atoms.mean(axis=1), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "cls"),
    [
        ("dipole", DeepPot),
        ("dipole", DeepPolar),
        ("dipole", DeepProperty),
        ("polar", DeepDipole),
        ("polar", DeepWFC),
        ("dipole", DeepGlobalPolar),
        ("property", DeepDOS),
        ("se_e2_a", DeepTensor),
        ("se_e2_a", DeepProperty),
    ],
)
def test_a_class_for_something_else_says_so(name, cls):
    path = GOLDEN / name / "model.dp"
    opened = OpenedModel(format_of(path).read(path), {})
    with pytest.raises(
        DPError, match=f"{cls.__name__}: the model predicts .*; open it with dpcore"
    ):
        cls.from_opened(opened)


def test_frames_with_compositions_of_their_own(case):
    """The same frames, with types by frame and an atom more that is not there."""
    model, (coord, box, types) = load(case.path), case.given
    padded = np.concatenate([coord, np.zeros((2, 1, 3))], axis=1)
    each = np.tile(np.append(types, -1), (2, 1))
    plain = model.eval(coord, box, types, atomic=True)
    mixed = model.eval(padded.reshape(2, -1), box, each.ravel(), atomic=True, mixed_type=True)
    if not isinstance(plain, tuple):
        plain, mixed = (plain,), (mixed,)
    for one, other in zip(plain, mixed, strict=True):
        atoms = other.ndim == 3
        assert not atoms or not other[:, 24].any()
        np.testing.assert_allclose(other[:, :24] if atoms else other, one, rtol=0, atol=1e-12)


def test_what_is_told_of_any_model(case):
    model = load(case.path)
    assert model.get_type_map() == ["O", "H"]
    assert (model.get_ntypes(), model.get_rcut(), model.get_sel()) == (2, 4.0, [20, 40])
    assert (model.get_dim_fparam(), model.get_dim_aparam()) == (0, 0)
    assert not model.has_default_fparam()
    assert model.get_sel_type() == [0, 1]
    flags = model.has_spin, model.has_efield, model.has_hessian, model.has_chg_spin_ebd()
    assert not any((*flags, model.has_default_chg_spin()))
    assert (model.use_spin, model.get_ntypes_spin()) == ([], 0)
    size = model.get_model_size()
    assert size["total"] == size["descriptor"] + size["fitting-net"] > 0
    assert model.get_model_def_script()["fitting_net"]["neuron"] == [16, 16, 16]
    assert model.get_observed_types() == {"type_num": 2, "observed_type": ["O", "H"]}
    assert model.get_model() is model.model


def test_selected_types_leave_out_the_excluded():
    assert load(GOLDEN / "pair_atom_exclude" / "model.dp").get_sel_type() == [0]
