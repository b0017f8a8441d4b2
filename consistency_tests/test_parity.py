"""Every backend against the reference, on every example model."""

import dataclasses as dc

import harness
import numpy as np
import pytest
from example_models import EXAMPLES
from harness import Backend, assert_close, assert_same, engine_of

from dpcore.backend.adapter import to_backend
from dpcore.errors import DPError
from dpcore.infer.assemble import assemble
from dpcore.models.prediction import predict as predict_batch
from dpcore.neighbours.sizes import ExactSizes

# A result passes through some ten roundings on its way through the networks and back, and forces are
# differences of larger numbers: 32 units of the last place bound what precision can take away.
TOLERANCES = {
    "float64": 1e-10,
    "float32": 32 * 2.0**-23,
    "float16": 32 * 2.0**-10,
    "bfloat16": 32 * 2.0**-7,
}


def frames_of(example):
    """Return a frame for each of the boundaries, and one with places where no atom is."""
    small = example.frame(periodic=example.boundaries[-1], seed=1)
    there = np.arange(len(small.types)) % 4 != 1
    return [*example.frames(), dc.replace(small, types=np.where(there, small.types, -1))]


def applies(example, backend):
    return backend is not Backend.STRICT or example.precision in {"float64", "float32"}


CASES = [pytest.param(e, b, id=f"{b}-{e}") for b in Backend for e in EXAMPLES if applies(e, b)]


@pytest.mark.parametrize(("example", "backend"), CASES)
def test_backend_agrees_with_reference(example, backend, predict):
    backend.required()
    frames = frames_of(example)
    exact = predict(example.model if example.precision == "float64" else example.double(), frames)
    for result, expected in zip(predict(example.model, frames, backend), exact, strict=True):
        assert_same(result, expected, TOLERANCES[example.precision])


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_example_is_not_trivial(example, predict):
    output = example.model.output
    for result in predict(example.model, example.frames()):
        assert np.abs(result[output.total]).max() > 1e-3
        if output.differentiable:
            assert np.abs(result["force"]).max() > 3e-4
            assert np.abs(result["virial"]).max() > 1e-3


EAGER = [
    pytest.param(e, b, id=f"{b}-{e}")
    for b in (Backend.NUMPY, Backend.TORCH, Backend.STRICT)
    for e in EXAMPLES
    if e.precision == "float64" and e.model.parts == {"model": e.model}
]


@pytest.mark.parametrize(("example", "backend"), EAGER)
def test_preparing_a_model_changes_no_number(example, backend):
    adapter = backend.required().adapter()
    assembly = assemble(frames_of(example), example.model.selections, ExactSizes())
    batch = next(assembly.batches(centres=10_000))
    prepared = engine_of(example.model, backend).predict(batch)
    function = adapter.compile(lambda m, b: predict_batch(adapter, m, b), requested=None)
    with adapter.scope():
        raw = function(to_backend(adapter, example.model), to_backend(adapter, batch))
    for name, value in prepared.items():
        assert_close(adapter.to_numpy(raw[name]), value, 1e-13, name)


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_float32_evaluation_is_near(example, predict):
    frames = frames_of(example)
    tolerance = max(3e-5, TOLERANCES[example.precision])
    single = predict(example.model, frames, dtype="float32")
    for result, expected in zip(single, predict(example.double(), frames), strict=True):
        assert_same(result, expected, tolerance)


@pytest.mark.parametrize("ci", ["", "true"])
def test_a_missing_framework_skips_here_and_fails_in_continuous_integration(ci, monkeypatch):
    def missing(name):
        raise DPError(f"backend {name!r} needs a package")

    monkeypatch.setattr(harness, "adapter_of", missing)
    monkeypatch.setenv("CI", ci)
    outcome = pytest.fail.Exception if ci else pytest.skip.Exception
    with pytest.raises(outcome, match="needs a package"):
        Backend.JAX.required()
