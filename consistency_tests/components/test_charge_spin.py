"""Charge and spin multiplicity of frames."""

from pathlib import Path

import numpy as np
import pytest
from example_models import BY_NAME
from harness import Backend, assert_close

from dpcore.accuracy import model_errors
from dpcore.data import load_system
from dpcore.descriptors import Hybrid
from dpcore.errors import DPError
from dpcore.formats import Document
from dpcore.infer import DeepPot
from dpcore.nn.charge_spin import ChargeSpinEmbedding
from dpcore.tree import inside

NAMES = ["dpa3_charge_spin", "dpa4_mixed"]
STATES = np.array([[2.0, 1.0], [-1.0, 2.0], [0.0, 3.0]])


def opened(model):
    return DeepPot.from_document(Document(model), Backend.NUMPY.adapter())


@pytest.fixture(params=NAMES)
def example(request):
    return BY_NAME[request.param]


@pytest.fixture
def given(example):
    frames = [example.frame(seed=s) for s in range(3)]
    arrays = (np.stack([getattr(f, key) for f in frames]) for key in ("coord", "cell"))
    return [*arrays, example.types]


def test_each_frame_has_its_own(example, given):
    model = opened(example.model)
    together = model.eval(*given, charge_spin=STATES)[0]
    for number, state in enumerate(STATES):
        one = [x[number : number + 1] for x in given[:2]] + given[2:]
        assert_close(model.eval(*one, charge_spin=state)[0][0], together[number], 1e-13)
    others = model.eval(*given, charge_spin=STATES[[1, 2, 0]])[0]
    assert np.all(np.abs(together - others) > 1e-6)


def test_frames_without_take_the_default(example, given):
    model = opened(example.model)
    default = example.model.descriptor.default_chg_spin
    assert model.has_chg_spin_ebd()
    assert model.has_default_chg_spin()
    np.testing.assert_array_equal(model.eval(*given)[0], model.eval(*given, charge_spin=default)[0])


def test_features_are_a_layer_of_two_rows_of_tables(example):
    ((_, embedding),) = inside(example.model, ChargeSpinEmbedding)
    tables = embedding.charge.net.layers[0], embedding.spin.net.layers[0]
    rows = [table.weight[row] for table, row in zip(tables, (102, 1), strict=True)]
    layer = embedding.mix
    mixed = np.concatenate(rows) @ layer.weight + layer.bias
    expected = (
        mixed / (1 + np.exp(-mixed)) if layer.activation_function == "silu" else np.tanh(mixed)
    )
    assert_close(embedding(STATES[:1])[0], expected, 1e-6)


def test_models_without_a_default_need_them(example, given):
    descriptor = example.model.descriptor.with_(default_chg_spin=None)
    model = opened(example.model.with_(descriptor=descriptor))
    assert not model.has_default_chg_spin()
    with pytest.raises(DPError, match="charge_spin: the model needs the charge and the spin"):
        model.eval(*given)


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (
            [0.5, 1.0],
            r"charge_spin: frame 0: the charge 0\.5 must be a whole number from -100 to 99",
        ),
        ([0.0, 100.0], "frame 0: the spin multiplicity 100.0 must be a whole number from 0 to 99"),
        ([[0.0, 1.0], [np.nan, 1.0], [0.0, 1.0]], "frame 1: the charge nan must be a whole number"),
        ([1.0], r"charge_spin: shape \(1,\) does not fit; give \(3, 2\) or \(2,\)"),
        ([["a", 1]], "charge_spin: not an array of numbers"),
    ],
)
def test_states_that_there_are_not(example, given, state, message):
    with pytest.raises(DPError, match=message):
        opened(example.model).eval(*given, charge_spin=state)


def test_models_that_take_none_refuse_them():
    example = BY_NAME["plain"]
    frame = example.frame()
    with pytest.raises(DPError, match="charge_spin: the model takes none"):
        opened(example.model).eval(
            frame.coord[None], frame.cell[None], frame.types, charge_spin=[0, 1]
        )


def test_children_of_a_hybrid_must_agree():
    child = BY_NAME["dpa3_charge_spin"].model.descriptor
    whole = Hybrid(children=(child, BY_NAME["dpa3_rough"].model.descriptor))
    assert whole.conditions == child.conditions
    other = child.with_(default_chg_spin=(0.0, 1.0))
    message = (
        r"descriptor: default_chg_spin is \(-1\.0, 2\.0\) in list\.0 and \(0\.0, 1\.0\) in list\.1"
    )
    with pytest.raises(DPError, match=message):
        Hybrid(children=(child, other))


def test_data_systems_tell_them(example, given, tmp_path):
    model = opened(example.model)
    energy = model.eval(*given, charge_spin=STATES)[0]
    save(tmp_path / "set.000", coord=given[0], box=given[1], energy=energy, charge_spin=STATES)
    np.savetxt(tmp_path / "type.raw", example.types, fmt="%d")
    system = load_system(str(tmp_path), example.model.type_map)
    (errors,) = model_errors(model, [system])
    assert errors.errors["energy"].rmse < 1e-13
    np.save(tmp_path / "set.000" / "charge_spin.npy", STATES[:, :1])
    with pytest.raises(DPError, match=r"charge_spin\.npy: 1 numbers per frame"):
        load_system(str(tmp_path), example.model.type_map)


def save(folder: Path, **arrays):
    folder.mkdir()
    for name, values in arrays.items():
        np.save(folder / f"{name}.npy", values.reshape(3, -1))


def test_their_tables_are_no_type_embedding(example):
    model = opened(example.model)
    assert len(model.eval_typeebd()) == len(example.model.type_map) + 1
