"""PyTorch gives the same numbers whatever its user has set, and is left as it was."""

import contextlib
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
from dpcore.infer.assemble import assemble
from dpcore.infer.engine import TreeEngine, cast_model
from dpcore.infer.evaluator import Evaluator
from dpcore.models.prediction import predict
from dpcore.neighbours.sizes import ExactSizes, ExportSizes
from dpcore.xp import dtype_name

TOLERANCE = 1e-12
EXAMPLE = BY_NAME["atom_ener"]
FRAMES = [EXAMPLE.frame(), EXAMPLE.frame(periodic=False, seed=3)]
DTYPES = ["float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool"]
DTYPES.append(ml_dtypes.bfloat16)


def evaluator(backend):
    return Evaluator(EXAMPLE.model, engine_of(EXAMPLE.model, backend))


@pytest.fixture(scope="module")
def expected():
    return evaluator(Backend.NUMPY).predict(FRAMES)


# Devices


@pytest.mark.parametrize("name", [None, "cpu", "cpu:0"])
def test_devices(adapter, name):
    if name:
        assert adapter.device(name).type == "cpu"
    x = np.arange(3.0)
    np.testing.assert_array_equal(adapter.to_numpy(adapter.asarray(x, adapter.device(name))), x)


@pytest.mark.parametrize(
    "name", ["", "nonsense", "meta", "cpu:x", "cpu:-1", "cuda", "cuda:99", "gpu", "mps", "a\nb"]
)
def test_devices_that_are_not_there(adapter, torch, name):
    if name in {"cuda", "gpu", "mps"} and torch.accelerator.is_available():
        pytest.skip("this machine has one")
    with pytest.raises(DPError) as caught:
        adapter.device(name)
    assert repr(name) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_compiled_files_run_on_the_cpu(torch, adapter, tmp_path):
    """Whatever is in the file: another device is refused before it is opened."""
    from dpcore_torch.artefact import load

    path = tmp_path / "model.pt2"
    with pytest.raises(DPError, match=r"device 'cuda:1': .*model\.pt2 was compiled for the CPU"):
        load(adapter, path, None, torch.device("cuda:1"))


# Arrays


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: np.dtype(d).name)
@pytest.mark.parametrize("sizes", [(), (3,), (0, 4), (2, 3)])
def test_arrays_come_back_as_they_were(adapter, dtype, sizes):
    x = np.random.default_rng(1).integers(0, 2, sizes).astype(dtype)
    tensor = adapter.asarray(x, adapter.device("cpu"))
    assert dtype_name(tensor) == x.dtype.name
    back = adapter.to_numpy(tensor)
    assert back.dtype == x.dtype
    np.testing.assert_array_equal(back, x)


def test_every_bfloat16_comes_back(adapter):
    bits = np.arange(1 << 16, dtype=np.uint16)
    x = bits.view(ml_dtypes.bfloat16)
    tensor = adapter.asarray(x)
    np.testing.assert_array_equal(adapter.to_numpy(tensor).view(np.uint16), bits)
    np.testing.assert_array_equal(tensor.float().numpy(), x.astype(np.float32))


@pytest.mark.parametrize(
    "view", [lambda x: x[::-1], lambda x: x.T, lambda x: x[:, ::2], lambda x: x[:0]]
)
def test_views(adapter, view):
    x = view(np.arange(12.0).reshape(3, 4))
    np.testing.assert_array_equal(adapter.to_numpy(adapter.asarray(x)), x)


@pytest.mark.parametrize("dtype", ["float64", ml_dtypes.bfloat16], ids=["float64", "bfloat16"])
def test_read_only_arrays_are_not_shared(adapter, dtype):
    x = np.ones(3, dtype)
    x.flags.writeable = False
    adapter.asarray(x).zero_()
    assert (x == 1).all()


# Derivatives


def test_gradients(adapter, torch):
    x = torch.tensor([1.0, 2.0], dtype=torch.float64)
    (value, auxiliary), slope = value_and_grad(adapter, lambda y: ((y**3).sum(), y + 1.0))(x)
    assert value == 9.0
    assert auxiliary.tolist() == [2.0, 3.0]
    assert slope.tolist() == [3.0, 12.0]
    assert not slope.requires_grad
    assert not x.requires_grad


@pytest.mark.parametrize("case", ["constant", "of_another", "detached", "no_elements"])
def test_what_does_not_depend_has_no_slope(adapter, torch, case):
    other = torch.ones(3, dtype=torch.float64, requires_grad=case == "of_another")
    x = torch.ones(0 if case == "no_elements" else 2, dtype=torch.float64)
    function = {"detached": lambda y: (y.detach() ** 2).sum(), "no_elements": lambda y: y.sum()}
    total = function.get(case, lambda _: other.sum())
    _, slope = value_and_grad(adapter, lambda y: (total(y), None))(x)
    assert slope.dtype == x.dtype
    assert slope.shape == x.shape
    assert not slope.any()


# What users set


@contextlib.contextmanager
def default_dtype(torch):
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float16)
    yield
    torch.set_default_dtype(before)


@contextlib.contextmanager
def deterministic(torch):
    torch.use_deterministic_algorithms(mode=True)
    yield
    torch.use_deterministic_algorithms(mode=False)


MODES = {
    "no_grad": lambda torch: torch.no_grad(),
    "inference_mode": lambda torch: torch.inference_mode(),
    "default_device": lambda torch: torch.device("meta"),
    "autocast": lambda torch: torch.autocast("cpu"),
    "default_dtype": default_dtype,
    "deterministic": deterministic,
}


@pytest.mark.parametrize("mode", MODES)
def test_modes_do_not_matter(torch, mode, expected):
    """Whether the model is loaded within them, evaluated, or both."""
    outside = evaluator(Backend.TORCH)
    with MODES[mode](torch):
        inside = evaluator(Backend.TORCH)
        results = [outside.predict(FRAMES), inside.predict(FRAMES)]
    results.append(inside.predict(FRAMES))
    for result in results:
        for frame, wanted in zip(result, expected, strict=True):
            assert_same(frame, wanted, TOLERANCE)


SNAPSHOT = """
import sys
import warnings
sys.path.insert(0, sys.argv[1])
import torch
from torch.fx.experimental import _config

def state():
    return (
        torch.get_default_dtype(), torch.get_default_device(), torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(), torch.get_num_threads(), torch.get_num_interop_threads(),
        torch.are_deterministic_algorithms_enabled(), torch.get_rng_state().tolist(),
        torch.get_float32_matmul_precision(), _config.use_duck_shape, list(warnings.filters),
    )

before = state()
from example_models import BY_NAME
from harness import Backend, engine_of
from dpcore.infer.evaluator import Evaluator
example = BY_NAME["atom_ener"]
Evaluator(example.model, engine_of(example.model, Backend.TORCH)).predict([example.frame()])
assert state() == before
"""


def run_alone(script):
    """Run a script in a fresh interpreter, with the path of the example models."""
    folder = Path(sys.modules["example_models"].__file__).parent
    command = [sys.executable, "-c", script, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_global_state_is_left_alone(adapter):  # noqa: ARG001  # asks for PyTorch
    run_alone(SNAPSHOT)


# Precision


def test_float32_is_float32(adapter):
    """The forces are, before they are handed out as float64; energies are summed in float64."""
    assembly = assemble(FRAMES, EXAMPLE.model.selections, ExactSizes(), "float32")
    batch = to_backend(adapter, next(assembly.batches(100)))
    model = to_backend(adapter, cast_model(EXAMPLE.model, "float32"))
    out = predict(adapter, model, batch)
    dtypes = {name: dtype_name(value) for name, value in out.items()}
    assert dtypes["force"] == dtypes["atom_virial"] == "float32"
    assert dtypes["energy"] == dtypes["atom_energy"] == dtypes["virial"] == "float64"


# torch.compile


# PyTorch's compiler, when it is first loaded, defines a class in a way that PyTorch warns about.
@pytest.mark.filterwarnings("ignore:`torch.jit.script_method` is deprecated:DeprecationWarning")
@pytest.mark.xdist_group("compile")
def test_compiled_once_for_every_size(adapter, torch):
    """Frames of other sizes, of a single atom, and of one type alone use what was compiled first."""
    engine = TreeEngine(EXAMPLE.model, adapter, compiled=True)
    engine.sizes = (
        ExportSizes()
    )  # so that every number of atoms and neighbours is a size of its own
    compiled = Evaluator(EXAMPLE.model, engine)
    frames = [*FRAMES, EXAMPLE.frame(seed=5)]
    frames += [with_atoms(FRAMES[1], places) for places in ([1], [0, 3], [0, 1, 2], range(7))]
    wanted = evaluator(Backend.NUMPY).predict(frames)
    first = compiled.predict(frames[:1])
    with torch._dynamo.config.patch(error_on_recompile=True):
        results = [*first, *(compiled.predict([frame])[0] for frame in frames[1:])]
        together = compiled.predict(frames)
    for result, again, right in zip(results, together, wanted, strict=True):
        assert_same(result, right, TOLERANCE)
        assert_same(again, right, TOLERANCE)


def with_atoms(frame, places):
    """Return the frame with some of its atoms."""
    chosen = list(places)
    return type(frame)(
        frame.coord[chosen],
        frame.types[chosen],
        None,
        fparam=frame.fparam,
        aparam=frame.aparam[chosen],
    )
