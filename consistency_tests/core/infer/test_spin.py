"""Spins as input, against DeePMD-kit's own numbers."""

from pathlib import Path

import numpy as np
import pytest

from dpcore.errors import DPError
from dpcore.infer import DeepPot

GOLDEN = Path(__file__).resolve().parents[4] / "shared" / "golden"


@pytest.fixture(scope="module")
def model():
    return DeepPot(GOLDEN / "spin" / "model.dp")


@pytest.fixture(scope="module")
def numbers():
    return dict(np.load(GOLDEN / "spin" / "expected.npz"))


def given(numbers):
    return numbers["coord"], numbers["box"], numbers["atype"]


def test_magnetic_forces_come_last(model, numbers):
    names = ["energy", "force", "virial", "force_mag", "mask_mag"]
    found = model.eval(*given(numbers), spin=numbers["spin"])
    for value, name in zip(found, names, strict=True):
        np.testing.assert_allclose(value, numbers[f"pbc.{name}"], rtol=0, atol=1e-12)
    names[3:3] = ["atom_energy", "atom_virial"]
    found = model.eval(*given(numbers), atomic=True, spin=numbers["spin"].reshape(2, -1))
    for value, name in zip(found, names, strict=True):
        np.testing.assert_allclose(value, numbers[f"pbc.{name}"], rtol=0, atol=1e-12)


def test_descriptors_of_virtual_atoms_follow(model, numbers):
    found = model.eval_descriptor(*given(numbers), spin=numbers["spin"])
    np.testing.assert_allclose(found, numbers["pbc.descriptor"], rtol=0, atol=1e-12)


def test_one_set_of_spins_for_all_frames(model, numbers):
    one = model.evaluate(*given(numbers), spin=numbers["spin"][0])
    both = model.evaluate(*given(numbers), spin=np.stack([numbers["spin"][0]] * 2))
    np.testing.assert_array_equal(one["force_mag"], both["force_mag"])


def test_what_is_told_of_spins(model):
    assert model.has_spin
    assert model.use_spin == [True, False]
    assert model.get_ntypes_spin() == 0
    assert model.get_sel_type() == [0, 1]
    size = model.get_model_size()
    assert size["total"] == size["backbone.descriptor"] + size["backbone.fitting-net"]


def test_wrong_spins_are_errors(model, numbers):
    with pytest.raises(DPError, match="spin: the model needs the spins of the atoms; pass spin="):
        model.eval(*given(numbers))
    with pytest.raises(DPError, match=r"spin: shape \(5, 3\) does not fit; give \(2, 24, 3\)"):
        model.eval(*given(numbers), spin=np.zeros((5, 3)))
    with pytest.raises(DPError, match="spin: the model takes none; leave it out"):
        DeepPot(GOLDEN / "se_e2_a" / "model.dp").eval(*given(numbers), spin=numbers["spin"])
    for call in (model.eval_embedding, model.eval_fitting_last_layer):
        with pytest.raises(DPError, match="'spin' has networks for virtual atoms too"):
            call(*given(numbers))
