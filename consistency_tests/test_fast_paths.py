"""Kernels and tables against plain array code and networks, on every backend."""

import logging

import numpy as np
import pytest
from example_models import EXAMPLES, FIRST, PAIRWISE, example
from harness import COMPILED, FRAMEWORKS, Backend, Way, assert_same, engine_of
from test_parity import TOLERANCES

from dpcore.frames import Frame
from dpcore.fused.moments import EMBEDDINGS
from dpcore.infer import DeepPot
from dpcore.infer.evaluator import Evaluator
from dpcore.registry import kernels

# What evaluation through tables may change: eV per atom and eV/Å.
ENERGY, FORCE = 1e-12, 1e-10


def has_kernels(model):
    """Return whether kernels evaluate a part of a model."""
    return any(part.prepared(kernels=EMBEDDINGS).is_fused for part in model.parts.values())


# Compilers take their time for every model, so that they see one of each component that kernels evaluate.
CASES = [
    pytest.param(e, b, id=f"{b}-{e}")
    for b in FRAMEWORKS
    for e in EXAMPLES
    if b not in COMPILED or (e in FIRST and has_kernels(e.model))
]
LOSSLESS = [case for case in CASES if case.values[0].precision == "float64"]


def frames_of(example):
    return [example.frame(periodic=p, seed=i) for i, p in enumerate(example.boundaries)]


def close_pair(distance, cell=None):
    """Return eight atoms of which two are that close to each other."""
    rng = np.random.default_rng(5)
    sites = np.stack(np.meshgrid([0.0, 1.6], [0.0, 1.7], [0.0, 1.8]), axis=-1).reshape(-1, 3)
    coord = sites + rng.normal(0.0, 0.05, (8, 3))
    coord[1] = coord[0] + distance * np.array([0.6, 0.64, 0.48])
    return Frame(coord, np.array([0, 1, 0, 1, 1, 0, 1, 0]), cell)


def assert_lossless(found, exact, natoms, total="energy"):
    assert np.abs(found[total] - exact[total]).max() / natoms <= ENERGY
    if "force" in exact:
        assert np.abs(found["force"] - exact["force"]).max() <= FORCE
        assert np.abs(found["virial"] - exact["virial"]).max() / natoms <= FORCE


def test_the_kernels_are_installed():
    assert kernels() is not None, "pip install ./kernels"


@pytest.mark.parametrize(("example", "backend"), CASES)
def test_kernels_change_no_number(example, backend, predict):
    frames = frames_of(example)
    plain = predict(example.model, frames, backend.required())
    tolerance = 1e-13 if example.precision == "float64" else TOLERANCES[example.precision]
    for found, exact in zip(
        predict(example.model, frames, backend, way=Way.NETS), plain, strict=True
    ):
        assert_same(found, exact, tolerance)


@pytest.mark.parametrize(("example", "backend"), LOSSLESS)
def test_tables_are_lossless(example, backend, predict):
    frames = frames_of(example)
    exact = predict(example.model, frames, backend.required())
    found = predict(example.model, frames, backend, way=Way.TABLES)
    for new, old, frame in zip(found, exact, frames, strict=True):
        assert_lossless(new, old, len(frame.types), example.model.output.total)


@pytest.mark.parametrize("example", PAIRWISE, ids=str)
def test_what_is_fused(example):
    descriptor = engine_of(example.model, Backend.NUMPY, way=Way.TABLES)._default.model.descriptor
    kinked = ("relu", "silut", "custom_silu")
    smooth = not example.model.descriptor.activation_function.startswith(kinked)
    single = example.model.descriptor.precision in {"default", "float64", "float32"}
    uniform = not np.ptp(example.model.descriptor.davg, axis=1).any()
    tabulated = descriptor.reach > 0
    assert tabulated == (smooth and single)
    if uniform and tabulated:
        assert descriptor.fused is not None


ROOMY = example("close", sel=(30, 40)).model


@pytest.mark.parametrize("backend", FRAMEWORKS, ids=str)
@pytest.mark.parametrize("distance", [0.3, 0.501])
def test_close_atoms_are_exact(distance, backend, predict):
    frame = close_pair(distance)
    (exact,) = predict(ROOMY, [frame], backend.required())
    (found,) = predict(ROOMY, [frame], backend, way=Way.TABLES)
    assert_lossless(found, exact, 8)


def test_neighbours_beyond_the_tables_are_counted(caplog):
    engine = engine_of(ROOMY, Backend.NUMPY, way=Way.TABLES)
    evaluator = Evaluator(ROOMY, engine)
    with caplog.at_level(logging.INFO):
        evaluator.predict([close_pair(0.7)])
        assert engine.beyond_tables == 0
        assert not caplog.records
        evaluator.predict([close_pair(0.3)])
        evaluator.predict([close_pair(0.4)])
    assert engine.beyond_tables == 4
    (record,) = caplog.records
    assert "2 neighbours are closer than 0.50 Å" in record.message


@pytest.mark.parametrize("backend", FRAMEWORKS, ids=str)
def test_float32_evaluation_by_tables_is_near(backend, predict):
    frame = close_pair(0.9)
    (exact,) = predict(ROOMY, [frame], backend.required())
    (found,) = predict(ROOMY, [frame], backend, dtype="float32", way=Way.TABLES)
    assert_same(found, exact, 3e-5)
    assert np.abs(found["force"] - exact["force"]).max() > 1e-13


def test_kernels_can_be_switched_off(monkeypatch):
    monkeypatch.setenv("DPCORE_KERNELS", "0")
    kernels.cache_clear()
    try:
        assert (
            engine_of(ROOMY, Backend.NUMPY, way=Way.TABLES)._default.model.descriptor.fused is None
        )
    finally:
        monkeypatch.undo()
        kernels.cache_clear()


def test_tables_without_kernels(predict):
    """Tables in array code, for those who ask for them."""
    from dpcore.infer.engine import TreeEngine

    frame = close_pair(0.8)
    engine = TreeEngine(ROOMY, Backend.NUMPY.adapter(), tables=True, kernels=False)
    (found,) = Evaluator(ROOMY, engine).predict([frame])
    (exact,) = predict(ROOMY, [frame])
    assert_lossless({k: found[k] for k in exact}, exact, 8)


def test_users_choose():
    from test_golden import DATA

    path = DATA / "se_e2_a" / "model.dp"
    assert DeepPot(path).engine._default.reach == pytest.approx(0.5)
    assert DeepPot(path, tables=False).engine._default.reach == 0
