"""JAX computes in float64 without being switched to it, compiles once, and is left as it was."""

import subprocess
import sys
from functools import partial
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from example_models import BY_NAME
from harness import Backend, assert_same, engine_of

from dpcore.backend import to_backend
from dpcore.backend.adapter import value_and_grad
from dpcore.errors import DPError
from dpcore.infer.assemble import assemble
from dpcore.infer.engine import cast_model
from dpcore.infer.evaluator import Evaluator
from dpcore.models.prediction import predict
from dpcore.neighbours.sizes import ExactSizes
from dpcore.xp import dtype_name

TOLERANCE = 1e-12
EXAMPLE = BY_NAME["atom_ener"]
FRAMES = [EXAMPLE.frame(), EXAMPLE.frame(periodic=False, seed=3)]
DTYPES = ["float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool"]
DTYPES.append(ml_dtypes.bfloat16)


def evaluator(backend):
    return Evaluator(EXAMPLE.model, engine_of(EXAMPLE.model, backend))


# Devices


@pytest.mark.parametrize("name", [None, "cpu", "cpu:0"])
def test_devices(adapter, name):
    device = adapter.device(name)
    assert name is None or device.platform == "cpu"
    with adapter.scope():
        assert adapter.asarray(np.arange(3.0), device).devices() == {device}


@pytest.mark.parametrize(
    "name", ["", "nonsense", "cpu:x", "cpu:-1", "cpu:99", "cuda", "cuda:99", "gpu", "a\nb"]
)
def test_devices_that_are_not_there(adapter, jax, name):
    if name in {"cuda", "gpu"} and jax.default_backend() == "gpu":
        pytest.skip("this machine has one")
    with pytest.raises(DPError) as caught:
        adapter.device(name)
    assert repr(name) in str(caught.value)
    assert "\n" not in str(caught.value)


# Arrays


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: np.dtype(d).name)
@pytest.mark.parametrize("sizes", [(), (3,), (0, 4), (2, 3)])
def test_arrays_come_back_as_they_were(adapter, dtype, sizes):
    x = np.random.default_rng(1).integers(0, 2, sizes).astype(dtype)
    with adapter.scope():
        array = adapter.asarray(x, adapter.device("cpu"))
        assert dtype_name(array) == x.dtype.name
        back = adapter.to_numpy(array)
    assert back.dtype == x.dtype
    np.testing.assert_array_equal(back, x)


@pytest.mark.parametrize("view", [lambda x: x[::-1], lambda x: x.T, lambda x: x[:, ::2]])
def test_views_and_read_only_arrays(adapter, view):
    x = view(np.arange(12.0).reshape(3, 4))
    x.flags.writeable = False
    with adapter.scope():
        np.testing.assert_array_equal(adapter.to_numpy(adapter.asarray(x)), x)


# Derivatives


def test_gradients(adapter, jax):
    with adapter.scope():
        x = jax.numpy.array([1.0, 2.0])
        (value, auxiliary), slope = value_and_grad(adapter, lambda y: ((y**3).sum(), y + 1.0))(x)
    assert value.item() == 9.0
    assert auxiliary.tolist() == [2.0, 3.0]
    assert slope.tolist() == [3.0, 12.0]


@pytest.mark.parametrize("case", ["constant", "stopped", "no_elements"])
def test_what_does_not_depend_has_no_slope(adapter, jax, case):
    with adapter.scope():
        x, other = jax.numpy.ones(0 if case == "no_elements" else 2), jax.numpy.ones(3)
        total = {
            "constant": lambda _: other.sum(),
            "stopped": lambda y: (jax.lax.stop_gradient(y) ** 2).sum(),
            "no_elements": lambda y: y.sum(),
        }[case]
        _, slope = value_and_grad(adapter, lambda y: (total(y), None))(x)
    assert slope.dtype == x.dtype
    assert slope.shape == x.shape
    assert not slope.any()


# What users set, and what they find afterwards


MODES = {
    "x64": lambda jax: jax.enable_x64(True),
    "x32": lambda jax: jax.enable_x64(False),
    "strict": lambda jax: jax.numpy_dtype_promotion("strict"),
    "checked": lambda jax: jax.debug_nans(True),
}


@pytest.mark.parametrize("mode", MODES)
def test_modes_do_not_matter(jax, mode):
    frames = FRAMES[:1]
    with MODES[mode](jax):
        (result,) = evaluator(Backend.JAX).predict(frames)
    (expected,) = evaluator(Backend.NUMPY).predict(frames)
    assert_same(result, expected, TOLERANCE)


def test_64_bits_are_not_left_on(adapter, jax, monkeypatch):
    """Neither after an evaluation nor after one that failed."""
    inside = evaluator(Backend.JAX)
    inside.predict(FRAMES[:1])
    assert not jax.config.jax_enable_x64

    def fail(_):
        assert jax.config.jax_enable_x64
        raise ArithmeticError

    monkeypatch.setattr(type(adapter), "to_numpy", lambda _, x: fail(x))
    with pytest.raises(ArithmeticError):
        inside.predict(FRAMES[:1])
    assert not jax.config.jax_enable_x64


SNAPSHOT = """
import sys
import warnings
sys.path.insert(0, sys.argv[1])
import jax

def state():
    return dict(jax.config.values), list(warnings.filters)

before = state()
assert "jax_enable_x64" in before[0]
from example_models import BY_NAME
from harness import Backend, engine_of
from dpcore.infer.evaluator import Evaluator
example = BY_NAME["atom_ener"]
Evaluator(example.model, engine_of(example.model, Backend.JAX)).predict([example.frame()])
assert state() == before
assert jax.numpy.ones(1).dtype == "float32"
"""


def run_alone(script):
    """Run a script in a fresh interpreter, with the path of the example models."""
    folder = Path(sys.modules["example_models"].__file__).parent
    command = [sys.executable, "-c", script, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_global_state_is_left_alone(adapter):  # noqa: ARG001  # asks for JAX
    run_alone(SNAPSHOT)


# Precision and compilation


def test_float32_is_float32(adapter):
    """The forces are, before they are handed out as float64; energies are summed in float64."""
    assembly = assemble(FRAMES, EXAMPLE.model.selections, ExactSizes(), "float32")
    with adapter.scope():
        batch = to_backend(adapter, next(assembly.batches(100)))
        model = to_backend(adapter, cast_model(EXAMPLE.model, "float32"))
        out = adapter.compile(partial(predict, adapter))(model, batch)
    dtypes = {name: dtype_name(value) for name, value in out.items()}
    assert dtypes["force"] == dtypes["atom_virial"] == "float32"
    assert dtypes["energy"] == dtypes["atom_energy"] == dtypes["virial"] == "float64"


def test_compiled_once_for_the_same_shapes(adapter):
    traced = []

    def traces(model, batch):
        traced.append(1)
        return predict(adapter, model, batch)

    compiled = adapter.compile(traces)
    with adapter.scope():
        model = to_backend(adapter, EXAMPLE.model)
        for frames in (FRAMES, FRAMES[::-1], FRAMES):
            assembly = assemble(frames, EXAMPLE.model.selections, ExactSizes())
            compiled(model, to_backend(adapter, next(assembly.batches(100))))
    assert len(traced) == 1
    with adapter.scope():
        assembly = assemble(FRAMES[:1], EXAMPLE.model.selections, ExactSizes())
        compiled(model, to_backend(adapter, next(assembly.batches(100))))
    assert len(traced) == 2
