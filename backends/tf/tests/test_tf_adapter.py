"""TensorFlow traces once, gives the same numbers whatever its user has set, and is left as it was."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from example_models import BY_NAME
from harness import Backend, assert_same, engine_of

from dpcore.backend import to_backend
from dpcore.backend.adapter import value_and_grad
from dpcore.errors import DPError
from dpcore.frames import Frame
from dpcore.infer.assemble import assemble
from dpcore.infer.engine import TreeEngine, cast_model
from dpcore.infer.evaluator import Evaluator
from dpcore.models.prediction import predict
from dpcore.neighbours.sizes import ExactSizes
from dpcore.settings import build_model
from dpcore.xp import dtype_name

TOLERANCE = 1e-12
EXAMPLE = BY_NAME["atom_ener"]
FRAMES = [EXAMPLE.frame(), EXAMPLE.frame(periodic=False, seed=3)]
DTYPES = ["float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool"]
DTYPES.append(ml_dtypes.bfloat16)


def evaluator(backend):
    return Evaluator(EXAMPLE.model, engine_of(EXAMPLE.model, backend))


# Devices


@pytest.mark.parametrize("name", [None, "cpu", "cpu:0", "CPU"])
def test_devices(adapter, name):
    device = adapter.device(name)
    assert name is None or device == "/CPU:0"
    assert adapter.asarray(np.arange(3.0), device).device.endswith(device.removeprefix("/"))


@pytest.mark.parametrize(
    "name", ["", "nonsense", "cpu:x", "cpu:-1", "cpu:99", "cpu:²", "cuda", "cuda:99", "gpu", "a\nb"]
)
def test_devices_that_are_not_there(adapter, tf, name):
    if name in {"cuda", "gpu"} and tf.config.list_physical_devices("GPU"):
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
    tensor = adapter.asarray(x, adapter.device("cpu"))
    assert dtype_name(tensor) == x.dtype.name
    back = adapter.to_numpy(tensor)
    assert isinstance(back, np.ndarray) or not sizes
    assert back.dtype == x.dtype
    np.testing.assert_array_equal(back, x)


@pytest.mark.parametrize("view", [lambda x: x[::-1], lambda x: x.T, lambda x: x[:, ::2]])
def test_views_and_read_only_arrays(adapter, view):
    x = view(np.arange(12.0).reshape(3, 4))
    x.flags.writeable = False
    np.testing.assert_array_equal(adapter.to_numpy(adapter.asarray(x)), x)


def test_arrays_are_not_shared(adapter):
    x = np.ones(1000)
    tensor = adapter.asarray(x)
    back = adapter.to_numpy(tensor)
    x[:], back[:] = 2.0, 3.0
    assert (adapter.to_numpy(tensor) == 1.0).all()


# Derivatives


def test_gradients(adapter, tf):
    x = tf.constant([1.0, 2.0], tf.float64)
    function = value_and_grad(adapter, lambda y: (tf.reduce_sum(y**3), y + 1.0))
    (value, auxiliary), slope = function(x)
    assert value == 9.0
    assert auxiliary.numpy().tolist() == [2.0, 3.0]
    assert slope.numpy().tolist() == [3.0, 12.0]


@pytest.mark.parametrize("case", ["constant", "variable", "stopped", "no_elements"])
@pytest.mark.parametrize("traced", [False, True])
def test_what_does_not_depend_has_no_slope(adapter, tf, case, traced):
    x = tf.ones(0 if case == "no_elements" else 2, tf.float64)
    other = tf.Variable(np.ones(3)) if case == "variable" else tf.ones(3, tf.float64)
    total = {
        "stopped": lambda y: tf.reduce_sum(tf.stop_gradient(y) ** 2),
        "no_elements": tf.reduce_sum,
    }.get(case, lambda _: tf.reduce_sum(other))
    function = value_and_grad(adapter, lambda y: (total(y), y))
    _, slope = tf.function(function, autograph=False)(x) if traced else function(x)
    assert slope.dtype == x.dtype
    assert slope.shape == x.shape
    assert not slope.numpy().any()


# What users set, and what they find afterwards


@contextlib.contextmanager
def eager(tf):
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


MODES = {
    "eager": eager,
    "recording": lambda tf: tf.GradientTape(persistent=True),
    "device": lambda tf: tf.device("/CPU:0"),
}


@pytest.mark.parametrize("mode", MODES)
def test_modes_do_not_matter(tf, mode):
    frames = FRAMES[:1]
    with MODES[mode](tf):
        (result,) = evaluator(Backend.TENSORFLOW).predict(frames)
    (expected,) = evaluator(Backend.NUMPY).predict(frames)
    assert_same(result, expected, TOLERANCE)


SNAPSHOT = """
import sys
import warnings
sys.path.insert(0, sys.argv[1])
import tensorflow as tf

def refuse(*args, **kwargs):
    raise AssertionError("a setting is changed")

config, experimental = tf.config, tf.config.experimental
setters = [
    (config, ["set_visible_devices", "set_logical_device_configuration", "set_soft_device_placement"]),
    (config, ["run_functions_eagerly"]),
    (config.optimizer, ["set_jit", "set_experimental_options"]),
    (config.threading, ["set_inter_op_parallelism_threads", "set_intra_op_parallelism_threads"]),
    (experimental, ["set_memory_growth", "enable_tensor_float_32_execution", "set_synchronous_execution"]),
    (experimental, ["set_virtual_device_configuration", "enable_op_determinism"]),
    (tf.random, ["set_seed"]),
]
for owner, names in setters:
    for name in names:
        assert callable(getattr(owner, name))
        setattr(owner, name, refuse)

def state():
    return (
        config.functions_run_eagerly(), config.optimizer.get_experimental_options(),
        config.optimizer.get_jit(), config.get_soft_device_placement(),
        config.threading.get_inter_op_parallelism_threads(),
        config.threading.get_intra_op_parallelism_threads(),
        experimental.tensor_float_32_execution_enabled(), tf.keras.backend.floatx(),
        tf.executing_eagerly(), list(warnings.filters),
    )

before = state()
from example_models import BY_NAME
from harness import Backend, engine_of
from dpcore.infer.evaluator import Evaluator
example = BY_NAME["atom_ener"]
Evaluator(example.model, engine_of(example.model, Backend.TENSORFLOW)).predict([example.frame()])
assert state() == before
assert config.get_visible_devices() == config.list_physical_devices()
"""


def run_alone(script, **variables):
    """Run a script in a fresh interpreter, with the path of the example models."""
    folder = Path(sys.modules["example_models"].__file__).parent
    command = [sys.executable, "-c", script, str(folder)]
    environment = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"} | variables
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr


def test_global_state_is_left_alone(adapter):  # noqa: ARG001  # asks for TensorFlow
    run_alone(SNAPSHOT)


def test_who_wants_to_read_notes_does(adapter):  # noqa: ARG001  # asks for TensorFlow
    script = "import os, dpcore_tf; assert os.environ['TF_CPP_MIN_LOG_LEVEL'] == '0'"
    run_alone(script, TF_CPP_MIN_LOG_LEVEL="0")


# Precision and compilation


def test_float32_is_float32(adapter):
    """The forces are, before they are handed out as float64; energies are summed in float64."""
    assembly = assemble(FRAMES, EXAMPLE.model.selections, ExactSizes(), "float32")
    batch = to_backend(adapter, next(assembly.batches(100)))
    model = to_backend(adapter, cast_model(EXAMPLE.model, "float32"))
    out = predict(adapter, model, batch)
    dtypes = {name: dtype_name(value) for name, value in out.items()}
    assert dtypes["force"] == dtypes["atom_virial"] == "float32"
    assert dtypes["energy"] == dtypes["atom_energy"] == dtypes["virial"] == "float64"


def test_traces_on_purpose_are_no_warning(adapter, tf, caplog):
    """A frame of one type more has a batch of another structure, and so has each mix of types."""
    names = ["H", "He", "Li", "Be"]
    settings = {"type_map": names, "descriptor": {"type": "se_e2_a", "sel": [3] * 4}}
    model = build_model(settings | {"fitting_net": {"neuron": [4]}}, seed=1)
    many = Evaluator(model, TreeEngine(model, adapter))
    with caplog.at_level("WARNING", logger="tensorflow"):
        for mix in range(1, 16):
            kinds = np.array([t for t in range(4) if mix >> t & 1])
            many.predict([Frame(2.0 * np.eye(4, 3)[: len(kinds)], kinds)])
        assert not caplog.records
        tf.get_logger().warning("something else")
    assert len(caplog.records) == 1


def test_traced_once_for_the_same_shapes_and_once_more_for_all_others(adapter):
    traced = []

    def traces(model, batch):
        traced.append(1)
        return predict(adapter, model, batch)

    compiled, model = adapter.compile(traces), to_backend(adapter, EXAMPLE.model)

    def call(frames):
        assembly = assemble(frames, EXAMPLE.model.selections, ExactSizes())
        compiled(model, to_backend(adapter, next(assembly.batches(100))))

    for frames in (FRAMES, FRAMES[::-1], FRAMES):
        call(frames)
    assert len(traced) == 1
    for seed in range(4):
        call([EXAMPLE.frame(seed=seed)])
        call([EXAMPLE.frame(seed=seed), EXAMPLE.frame(periodic=False, seed=seed)])
    assert len(traced) <= 3
