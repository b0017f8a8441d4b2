"""A frame gives the same numbers in whatever company it is evaluated."""

import dataclasses as dc

import numpy as np
import pytest
from example_models import BY_NAME, EXAMPLES, PAIRWISE
from harness import COMPILED, Backend, assert_close, assert_same, engine_of, permuted

from dpcore.errors import DPError
from dpcore.formats import Document
from dpcore.frames import Frame
from dpcore.infer import DeepEval, DeepPot
from dpcore.infer.evaluator import Evaluator
from examples.example import GIVEN

TOLERANCE = 1e-12
# Compiling takes seconds, so that compiled backends are tried on what takes every kind of input.
CASES = [
    pytest.param(example, backend, id=f"{backend}-{example}")
    for backend, examples in (
        (Backend.NUMPY, [e for e in PAIRWISE if e.precision == "float64"]),
        (Backend.TORCH, [BY_NAME[n] for n in ("by_place", "atom_ener", "absent_type")]),
        (Backend.JAX, [BY_NAME["atom_ener"]]),
        (Backend.TENSORFLOW, [BY_NAME["atom_ener"]]),
    )
    for example in examples
]
EVERY = pytest.mark.parametrize(("example", "backend"), CASES)


def smaller(example):
    """Return a cluster of five atoms."""
    frame = example.frame(periodic=False, seed=4)
    return subset(frame, [0, 1, 3, 4, 6])


def subset(frame, places):
    return permuted(frame, places)


def padded(frame, places):
    """Return the frame with atoms that are not there put in before the given places."""

    def insert(values, value):
        return None if values is None else np.insert(values, places, value, axis=0)

    return dc.replace(
        frame,
        coord=insert(frame.coord, 1.0),
        types=insert(frame.types, -1),
        aparam=insert(frame.aparam, 5.0),
        spin=insert(frame.spin, 0.5),
    )


@EVERY
def test_alone_and_in_company(example, backend, predict):
    backend.required()
    frames = [example.frame(), smaller(example), example.frame(periodic=False, seed=2)]
    together = predict(example.model, frames, backend)
    for frame, expected in zip(frames, together, strict=True):
        (alone,) = predict(example.model, [frame], backend)
        assert_same(alone, expected, TOLERANCE)


@EVERY
def test_atoms_that_are_not_there(example, backend, predict):
    backend.required()
    frame, places = example.frame(), [0, 3, 3, 8]
    holes = padded(frame, places)
    result, expected = predict(example.model, [holes, frame], backend)
    there = holes.types >= 0
    assert np.count_nonzero(~there) == 4
    for key, value in expected.items():
        rows = result[key][there] if len(result[key]) == len(there) else result[key]
        assert_close(rows, value, TOLERANCE, key)
    for key in ("force", "atom_energy", "atom_virial", "mask"):
        assert not result[key][~there].any(), key


@EVERY
def test_isolated_atoms(example, backend, predict):
    backend.required()
    types = np.unique(example.types)
    places = np.linspace(0.0, 100.0, len(types))[:, None] * np.array([1.0, -2.0, 0.5])
    apart = example.with_parameters(Frame(places, types), seed=8)
    (result,) = predict(example.model, [apart], backend)
    for key in ("force", "virial", "atom_virial"):
        # A virtual atom and its atom pull at each other; the sum is zero up to rounding.
        assert_close(result[key], 0.0 * result[key], TOLERANCE if apart.spin is not None else 0.0)
    assert_close(result["atom_energy"].sum(axis=0), result["energy"], TOLERANCE)
    for atom in range(len(types)):
        (alone,) = predict(example.model, [subset(apart, [atom])], backend)
        assert_close(alone["atom_energy"], result["atom_energy"][[atom]], TOLERANCE)
    # Next to a cluster, too far to be seen.
    cluster = smaller(example)
    far = dc.replace(apart, coord=apart.coord + 500.0)
    both = dc.replace(
        cluster,
        fparam=apart.fparam,
        **{
            name: np.concatenate([getattr(cluster, name), getattr(far, name)])
            for name in ("coord", "types", "aparam", "spin")
            if getattr(far, name) is not None
        },
    )
    near = dc.replace(cluster, fparam=apart.fparam)
    whole, part = predict(example.model, [both, near], backend)
    assert_close(whole["energy"], part["energy"] + result["energy"], TOLERANCE)
    assert_close(whole["force"][: len(cluster.types)], part["force"], TOLERANCE)


def test_isolated_atoms_have_the_given_energies(framework, predict):
    example = BY_NAME["atom_ener"]
    model = example.model
    types = np.array([0, 1])
    frame = example.with_parameters(Frame(np.array([[0.0, 0.0, 0.0], [50.0, 0.0, 0.0]]), types))
    (result,) = predict(model, [frame], framework)
    bias = model.fitting.bias_atom_e[0] + model.out_bias[0, 0]
    assert model.fitting.atom_ener[0] is not None
    assert_close(result["atom_energy"][0], bias, TOLERANCE)
    assert (
        abs(result["atom_energy"][1] - model.fitting.bias_atom_e[1] - model.out_bias[0, 1]) > 0.01
    )


@pytest.mark.parametrize("name", ["plain", "atom_ener"])
def test_a_frame_without_atoms(name, framework, predict):
    example = BY_NAME[name]
    frame = example.frame(periodic=False)
    gone = dc.replace(frame, types=np.full_like(frame.types, -1))
    (alone,) = predict(example.model, [gone], framework)
    result, other = predict(example.model, [gone, frame], framework)
    (expected,) = predict(example.model, [frame], framework)
    assert_same(other, expected, TOLERANCE)
    for values in (*alone.values(), *result.values()):
        assert not values.any()


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_small_batches_give_the_same_numbers(example, monkeypatch):
    """The calls of DeePMD-kit, with frames cut into batches and with all of them at once."""
    frames = [example.frame(periodic=example.boundaries[0], seed=s) for s in range(3)]
    coords = np.stack([f.coord for f in frames])
    cells = None if frames[0].cell is None else np.stack([f.cell for f in frames])
    given = {
        key: np.stack([getattr(f, key) for f in frames])
        for key in GIVEN
        if getattr(frames[0], key) is not None
    }
    results = []
    for size in ("1", "10000"):
        monkeypatch.setenv("DP_INFER_BATCH_SIZE", size)
        document = Document(example.double())
        potential = DeepEval.from_document(document, Backend.NUMPY.adapter())
        results.append(potential.evaluate(coords, cells, example.types, **given))
    assert_same(*results, TOLERANCE)


def test_default_frame_parameters():
    model = BY_NAME["fparam"].model
    potential = DeepPot.from_document(Document(model), Backend.NUMPY.adapter())
    frame = BY_NAME["fparam"].frame()
    given = [frame.coord[None], frame.cell[None], frame.types]
    default = potential.evaluate(*given)
    assert_same(default, potential.evaluate(*given, fparam=[0.4, -0.7]), 0.0)
    assert abs(default["energy"] - potential.evaluate(*given, fparam=[0.4, -0.6])["energy"]) > 1e-4


def test_atomic_parameters_that_mark_atoms_do_not_enter_the_networks(predict):
    example = BY_NAME["aparam_mask"]
    frame = example.frame()
    other = dc.replace(frame, aparam=frame.aparam + 1.0)
    result, expected = predict(example.model, [other, frame])
    assert_same(result, expected, TOLERANCE)


def test_parameters_matter(predict):
    example = BY_NAME["atom_ener"]
    frame = example.frame()
    (expected,) = predict(example.model, [frame])
    for key in ("fparam", "aparam"):
        changed = dc.replace(frame, **{key: getattr(frame, key) + 0.1})
        (result,) = predict(example.model, [changed])
        assert abs(result["energy"] - expected["energy"]) > 1e-4, key


def test_missing_parameters_are_refused():
    potential = DeepPot.from_document(Document(BY_NAME["aparam"].model), Backend.NUMPY.adapter())
    frame = BY_NAME["aparam"].frame()
    with pytest.raises(DPError, match="aparam: the model needs 3"):
        potential.evaluate(frame.coord[None], None, frame.types)


def test_compiled_backends_are_covered():
    assert {backend for _, backend in (c.values for c in CASES)} >= set(COMPILED)


@pytest.mark.parametrize("name", ["fparam", "aparam"])
def test_a_frame_evaluated_in_parts_gives_the_same_numbers(name, framework):
    example = BY_NAME[name]
    model = example.model
    frames = [example.frame(), example.frame(periodic=False, seed=2)]
    whole = Evaluator(model, engine_of(model, framework), batch_atoms=1000)
    parts = Evaluator(model, engine_of(model, framework), batch_atoms=3)
    for got, expected in zip(parts.predict(frames), whole.predict(frames), strict=True):
        assert_same(got, expected, 1e-12)
    for got, expected in zip(parts.describe(frames), whole.describe(frames), strict=True):
        assert_same(got, expected, 1e-12)
