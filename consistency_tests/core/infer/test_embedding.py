"""Vectors that stand for atoms, frames and types."""

from pathlib import Path

import numpy as np
import pytest

from dpcore.descriptors import Descriptor
from dpcore.errors import DPError
from dpcore.infer import load
from dpcore.infer.deep_embedding import type_embeddings
from dpcore.nn import MLP
from dpcore.nn.type_embedding import TypeEmbedding
from dpcore.tree import Module

GOLDEN = Path(__file__).resolve().parents[4] / "shared" / "golden"


def opened(name):
    numbers = dict(np.load(GOLDEN / name / "expected.npz"))
    parameters = {key: numbers[key] for key in ("fparam", "aparam") if key in numbers}
    return load(GOLDEN / name / "model.dp"), numbers, parameters


@pytest.mark.parametrize("name", ["se_e2_a", "se_e2_a_fparam_aparam", "se_e2_a_one_side"])
def test_the_output_layer_makes_the_energy_of_the_last_hidden_one(name):
    model, numbers, parameters = opened(name)
    coord, box, types = (numbers[key] for key in ("coord", "box", "atype"))
    hidden = model.eval_fitting_last_layer(coord, box, types, **parameters)
    assert hidden.shape == (2, 24, 16)
    fitting, bias = model.model.fitting, model.model.out_bias[0, :, 0]
    energy = np.zeros((2, 24, 1))
    for t in range(2):
        last = fitting.nets[t].layers[-1]
        here = types == t
        energy[:, here] = hidden[:, here] @ last.weight + last.bias
        energy[:, here] += fitting.bias_atom_e[t] + bias[t]
    np.testing.assert_allclose(energy, numbers["pbc.atom_energy"], rtol=0, atol=1e-11)


@pytest.mark.parametrize("name", ["se_e2_a", "pair_atom_exclude", "dipole", "dos"])
def test_embeddings_of_atoms_and_frames(name):
    model, numbers, _ = opened(name)
    coord, types = numbers["coord"], numbers["atype"]
    descriptor, hidden, total = model.eval_embedding(coord, None, types, dtype="fp64")
    known = numbers["nopbc.descriptor"]
    np.testing.assert_allclose(descriptor, known, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(hidden, model.eval_fitting_last_layer(coord, None, types))
    # Atoms of the types that the model leaves out do not count.
    counted = numbers["nopbc.mask"][0].astype(bool)
    assert counted.all() == (name != "pair_atom_exclude")
    np.testing.assert_allclose(total, hidden[:, counted].sum(axis=1), rtol=0, atol=1e-12)


def test_atoms_that_are_not_there_have_no_embedding():
    model, numbers, _ = opened("se_e2_a")
    coord, types = numbers["coord"], numbers["atype"].copy()
    types[3] = -1
    descriptor, hidden, total = model.eval_embedding(coord, None, types, dtype="fp64")
    assert not descriptor[:, 3].any()
    assert not hidden[:, 3].any()
    without = np.delete(coord, 3, axis=1), None, np.delete(types, 3)
    np.testing.assert_allclose(total, model.eval_embedding(*without, dtype="fp64")[2], atol=1e-12)


def test_precisions_of_the_result():
    model, numbers, _ = opened("se_e2_a")
    given = numbers["coord"], numbers["box"], numbers["atype"]
    assert {x.dtype.name for x in model.eval_embedding(*given)} == {"float32"}
    assert {x.dtype.name for x in model.eval_embedding(*given, dtype="native")} == {"float64"}
    assert model.eval_descriptor(*given, dtype="fp32").dtype == np.float32
    with pytest.raises(DPError, match="dtype: 'fp16' is unknown; did you mean 'fp"):
        model.eval_descriptor(*given, dtype="fp16")


class _Holder(Descriptor):
    type_embedding: TypeEmbedding


class _TwoEmbeddings(Module):
    first: _Holder
    second: _Holder


def test_type_embeddings_by_hand():
    rng = np.random.default_rng(0)
    one = TypeEmbedding.create(rng, type_map=("O", "H"), neuron=(3,))
    two = TypeEmbedding.create(rng, type_map=("O", "H"), neuron=(5,), activation_function="linear")
    both = type_embeddings(
        _TwoEmbeddings(first=_Holder(type_embedding=one), second=_Holder(type_embedding=two))
    )
    # A type is a unit vector: its features are a row of the weights.
    weights = [e.net.layers[0].weight for e in (one, two)]
    rows = np.concatenate([np.tanh(weights[0]), weights[1]], axis=1)
    np.testing.assert_allclose(both, np.vstack([rows, np.zeros(8)]), rtol=0, atol=1e-15)


def test_a_model_without_type_embedding_says_so():
    model, _, _ = opened("se_e2_a")
    assert isinstance(model.model.fitting.nets[0], MLP)
    with pytest.raises(DPError, match="the model has no type embedding"):
        model.eval_typeebd()


def test_type_embeddings_of_a_model():
    model, _, _ = opened("se_atten")
    found = model.eval_typeebd()
    assert found.shape == (3, 4)
    assert not found[2].any()
    assert np.abs(found[:2]).min() > 0
