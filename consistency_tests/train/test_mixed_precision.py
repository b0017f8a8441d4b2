"""Networks whose products are computed in a lower precision."""

from dataclasses import replace

import numpy as np
import pytest
from harness import Backend
from train_inputs import BASE, changed
from train_lessons import Lessons

from dpcore.backend.adapter import to_backend
from dpcore.errors import DPError
from dpcore.models import FrozenModel, Model
from dpcore.models.prediction import predict
from dpcore.nn.dense import Dense
from dpcore.settings import draw_model
from dpcore.settings.read import read_input
from dpcore.train.losses import EnergyLoss
from dpcore.train.mixed_precision import LowerDense, check_networks, lowered
from dpcore.train.objective import Objective
from dpcore.tree import inside, leaves
from examples.composites import model
from examples.example import Example, standard

# Half of the distance between neighbouring numbers of about 1.
ROUNDING = {"float16": 2.0**-11, "bfloat16": 2.0**-8, "float32": 2.0**-24}


def test_a_layer_is_computed_in_half_precision() -> None:
    rng = np.random.default_rng(0)
    layer = Dense.create(5, 5, rng, timestep=True, precision="float32")
    x = rng.normal(size=(7, 5)).astype(np.float32)
    half = (v.astype(np.float16) for v in (x, layer.weight, layer.bias, layer.timestep))
    given, weight, bias, timestep = half
    y = np.tanh(given @ weight + bias) * timestep
    assert y.dtype == np.float16
    found = LowerDense.of(layer, "float16")(x)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, x + y.astype(np.float32), rtol=0.0, atol=2e-4)
    assert np.abs(found - layer(x)).max() > 1e-6


def test_output_layers_and_frozen_models_stay_as_they_are() -> None:
    whole = lowered(model("whole", precision="float32"), "bfloat16")
    kinds = {path: type(layer) for path, layer in inside(whole, Dense)}
    last = [p for p, layer in inside(whole, Dense) if layer.activation_function == "none"]
    assert len(last) == 2
    assert all(kinds[path] is Dense for path in last)
    assert {kinds[path] for path in kinds if path not in last} == {LowerDense}
    frozen = FrozenModel.of(model("frozen"), "model.dp")
    assert lowered(frozen, "float16") is frozen


@pytest.mark.parametrize("precision", ROUNDING)
def test_the_loss_and_its_derivative_are_rounded(precision: str, framework: Backend) -> None:
    whole = model("rounded", {"precision": "float32"}, precision="float32")
    frames = Example("rounded", whole).frames(0)
    lessons = Lessons.of(whole, EnergyLoss(start_pref_e=1.0, start_pref_f=10.0), frames)
    exact, gradient = lessons.teach(), gradient_of(lessons, framework, precision)
    assert gradient.dtype == np.float32
    off = np.abs(gradient - exact["gradient"]).max() / np.abs(exact["gradient"]).max()
    assert off < 10.0 * ROUNDING[precision] + 1e-5
    if precision != "float32":
        assert off > 0.01 * ROUNDING[precision]


def test_small_derivatives_are_not_lost() -> None:
    """Halves end at 6e-8, where the derivatives of a trained model begin."""
    whole = model("rounded", {"precision": "float32"}, precision="float32")
    loss = EnergyLoss(start_pref_e=0.0, limit_pref_e=0.0, start_pref_f=1.0, limit_pref_f=1.0)
    lessons, adapter = (
        Lessons.of(whole, loss, Example("rounded", whole).frames(0)),
        Backend.NUMPY.adapter(),
    )
    low = to_backend(adapter, lowered(whole, "float16"))
    with adapter.scope():
        found = predict(adapter, low, to_backend(adapter, lessons.lesson.batch))
    known = adapter.to_numpy(found["force"]).astype(np.float64)
    noise = np.random.default_rng(3).normal(size=known.shape)

    def slope(error: float) -> np.ndarray:
        (target,) = lessons.lesson.targets
        lesson = lessons.lesson.with_(targets=(target.with_(value=known + error * noise),))
        return gradient_of(replace(lessons, lesson=lesson), Backend.NUMPY, "float16") / error

    expected = slope(1.0)
    np.testing.assert_allclose(slope(1e-6), expected, rtol=0.0, atol=3e-3 * np.abs(expected).max())


def gradient_of(lessons: Lessons, framework: Backend, precision: str) -> np.ndarray:
    """Return the derivative of the loss with products in a lower precision."""
    adapter = framework.adapter()
    there = to_backend(adapter, lessons.model)
    objective = Objective(adapter, there, lessons.layout, lessons.loss, compute_prec=precision)
    with adapter.scope():
        vector = adapter.asarray(lessons.layout.vector(lessons.model))
    found = objective.teach(vector, to_backend(adapter, lessons.lesson))
    gradient: np.ndarray = adapter.to_numpy(found.gradient)
    return gradient


def test_parameters_are_kept_in_the_output_precision() -> None:
    told = {"training.mixed_precision": {"compute_prec": "bfloat16"}}
    found = read_input(changed(told, BASE))
    drawn: Model = draw_model(dict(found.branches[0].model), 1)
    check_networks(drawn)
    trained = {leaf.value.dtype.name for leaf in leaves(drawn).values() if leaf.trainable}
    assert trained == {"float32"}


def test_other_networks_are_refused() -> None:
    attended = {"type": "se_atten", "sel": 22, "neuron": (3, 6), "axis_neuron": 2, "attn": 4}
    whole = standard("attended", attended | {"attn_layer": 1}).model
    with pytest.raises(DPError, match=r"training\.mixed_precision: descriptor.*attention"):
        check_networks(whole)
