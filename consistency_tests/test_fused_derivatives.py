"""First and second derivatives of the fused descriptor kernels in every framework."""

import dataclasses as dc
from dataclasses import dataclass
from functools import cache
from typing import Any, Self

import autograd
import numpy as np
import pytest
from example_models import BY_NAME
from harness import FRAMEWORKS, Backend, assert_close

from dpcore.backend.adapter import to_backend, value_and_grad
from dpcore.batch import Batch, blocks, displacements
from dpcore.descriptors import SeE2A
from dpcore.infer.assemble import assemble
from dpcore.neighbours.sizes import ExactSizes
from dpcore.tree import map_arrays
from dpcore.xp import namespace

NAMES = ["plain", "one_side", "timesteps", "widths", "env_protection", "exclude_types_zero_mean"]
STEP = 1e-5


@dataclass(frozen=True)
class Case:
    """A descriptor, ready for the kernels, with what to evaluate it on.

    Attributes:
        descriptor: the descriptor, fused.
        plain: the same in array code.
        batch: atoms and neighbours.
        displacement: where to evaluate, ``(edge, 3)``.
        direction: of the second derivative, ``(edge, 3)``.
        weights: of the features in the sum that is differentiated, ``(centre, width)``.
    """

    descriptor: SeE2A
    plain: SeE2A
    batch: Batch
    displacement: np.ndarray
    direction: np.ndarray
    weights: np.ndarray

    def at(self, displacement: np.ndarray) -> Self:
        """Return the case with other displacements."""
        return dc.replace(self, displacement=displacement)


@cache
def case_of(name: str, tables: bool) -> Case:
    example = BY_NAME[name]
    frames = [example.frame(periodic=False), example.frame(periodic=False, seed=1)]
    descriptor = example.model.descriptor
    batch = next(assemble(frames, example.model.selections, ExactSizes()).batches(centres=100))
    rng = np.random.default_rng(1)
    displacement = displacements(batch)
    fused = descriptor.prepared(tables=tables, kernels=("table", "net"))
    assert fused.fused.embedding == ("table" if tables else "net")
    return Case(
        descriptor=fused,
        plain=descriptor.prepared(),
        batch=batch,
        displacement=displacement,
        direction=rng.normal(size=displacement.shape),
        weights=rng.normal(size=(sum(len(g.place) for g in batch.groups), descriptor.width)),
    )


def total(descriptor: Any, batch: Any, weights: Any, displacement: Any) -> Any:
    """Return a weighted sum of all features, which are quadratic in the moments."""
    return namespace(displacement).sum(descriptor(batch, displacement).features * weights)


def numpy_derivatives(function, displacement, direction):
    slope = autograd.grad(function)
    second = autograd.grad(lambda d: (slope(d) * direction).sum())
    return function(displacement), slope(displacement), second(displacement)


def torch_derivatives(function, displacement, direction):
    import torch

    x = displacement.clone().requires_grad_(True)
    value = function(x)
    (slope,) = torch.autograd.grad(value, x, create_graph=True)
    (second,) = torch.autograd.grad((slope * direction).sum(), x)
    return value.detach(), slope.detach(), second


def jax_derivatives(function, displacement, direction):
    import jax

    slope = jax.grad(function)
    second = jax.jit(jax.grad(lambda d: (slope(d) * direction).sum()))
    value, first = jax.jit(jax.value_and_grad(function))(displacement)
    return value, first, second(displacement)


def tensorflow_derivatives(function, displacement, direction):
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float64)])
    def evaluate(x):
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                value = function(x)
            slope = inner.gradient(value, x)
            projected = tf.reduce_sum(slope * direction)
        return value, slope, outer.gradient(projected, x)

    return evaluate(displacement)


DERIVATIVES = {
    Backend.NUMPY: numpy_derivatives,
    Backend.TORCH: torch_derivatives,
    Backend.JAX: jax_derivatives,
    Backend.TENSORFLOW: tensorflow_derivatives,
}


def on_backend(case: Case, backend: Backend, descriptor: Any) -> tuple[Any, Any, Any]:
    """Return ``function(displacement)``, the displacements and the direction in a framework."""
    adapter = backend.adapter()
    assert adapter.kernels(adapter.device(None)), "the kernels are not installed"
    tree, batch = (to_backend(adapter, part) for part in (descriptor, case.batch))
    weights = adapter.asarray(case.weights)

    def function(displacement: Any) -> Any:
        return total(tree, batch, weights, displacement)

    return function, adapter.asarray(case.displacement), adapter.asarray(case.direction)


def evaluate(case: Case, backend: Backend, descriptor: Any) -> list[np.ndarray]:
    """Return the sum, its slope and the slope's slope in the direction."""
    adapter = backend.adapter()
    with adapter.scope():
        found = DERIVATIVES[backend](*on_backend(case, backend, descriptor))
        return [adapter.to_numpy(x) for x in found]


@cache
def expected(name: str, tables: bool) -> list[np.ndarray]:
    """Return the same from array code and NumPy."""
    case = case_of(name, tables)
    return evaluate(case, Backend.NUMPY, case.plain)


CASES = [
    pytest.param(name, tables, b, id=f"{b}-{name}-{'table' if tables else 'net'}")
    for b in FRAMEWORKS
    for name in (NAMES if b in {Backend.NUMPY, Backend.TORCH} else NAMES[:1])
    for tables in (False, True)
]


@pytest.mark.parametrize(("name", "tables", "backend"), CASES)
def test_as_array_code(name, tables, backend):
    case = case_of(name, tables)
    value, slope, second = evaluate(case, backend.required(), case.descriptor)
    exact_value, exact_slope, exact_second = expected(name, tables)
    assert_close(value, exact_value, 1e-12)
    assert_close(slope, exact_slope, 1e-11)
    # A table is near the network's second derivative, too, if less so.
    assert_close(second, exact_second, 1e-8 if tables else 1e-11)


@pytest.mark.parametrize("tables", [False, True], ids=["net", "table"])
@pytest.mark.parametrize("name", NAMES)
def test_array_code_as_differences(name, tables):
    """What all are compared with is right."""
    case = case_of(name, tables)
    _, slope, second = expected(name, tables)

    def near(x):
        return case.displacement + x * STEP * case.direction

    values = [total(case.plain, case.batch, case.weights, near(x)) for x in (1, -1)]
    projected = (slope * case.direction).sum()
    assert projected == pytest.approx((values[0] - values[1]) / (2 * STEP), rel=1e-7)
    gradient = autograd.grad(lambda d: total(case.plain, case.batch, case.weights, d))
    assert_close(second, (gradient(near(1)) - gradient(near(-1))) / (2 * STEP), 1e-6)


@pytest.mark.parametrize("backend", FRAMEWORKS, ids=str)
@pytest.mark.parametrize("tables", [False, True], ids=["net", "table"])
def test_slopes_are_those_of_the_kernel(tables, backend):
    """Differences of the same kernel, whatever it is compared with."""
    case = case_of("plain", tables)
    _, slope, second = evaluate(case, backend.required(), case.descriptor)
    ends = [
        evaluate(case.at(case.displacement + x * case.direction), backend, case.descriptor)
        for x in (STEP, -STEP)
    ]
    rate, change, _ = ((high - low) / (2 * STEP) for high, low in zip(*ends, strict=True))
    assert (slope * case.direction).sum() == pytest.approx(float(rate), rel=1e-7)
    assert_close(second, change, 1e-6)


@pytest.mark.parametrize("backend", FRAMEWORKS, ids=str)
def test_padding_is_not_read(backend):
    """Whatever stands in padding rows, no number changes and their slopes are zero."""
    case = case_of("plain", tables=True)
    padding = np.concatenate([~np.asarray(b.mask()).reshape(-1) for b in blocks(case.batch)])
    assert padding.any()
    displacement = np.where(padding[:, None], np.nan, case.displacement)
    direction = np.where(padding[:, None], 1e300, case.direction)
    other = dc.replace(case, displacement=displacement, direction=direction)
    old = evaluate(case, backend.required(), case.descriptor)
    new = evaluate(other, backend, case.descriptor)
    for a, b in zip(new, old, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-14, atol=0.0)
    assert not old[1][padding].any()
    assert not old[2][padding].any()


@pytest.mark.parametrize("backend", FRAMEWORKS, ids=str)
def test_single_precision(backend):
    """A descriptor in float32 is evaluated, and differentiated, in float32."""
    case, adapter = case_of("plain", tables=True), backend.required().adapter()
    narrow = map_arrays(lambda x: x.astype(np.float32), case.descriptor)
    pairs = case.descriptor.fused.pairs
    narrow = narrow.with_(fused=narrow.fused.with_(pairs=pairs))
    with adapter.scope():
        tree, batch = (to_backend(adapter, part) for part in (narrow, case.batch))
        x = adapter.asarray(case.displacement.astype(np.float32))
        weights = adapter.asarray(case.weights.astype(np.float32))
        given = value_and_grad(adapter, lambda d: (total(tree, batch, weights, d), None))(x)
        slope = adapter.to_numpy(given[1])
    assert_close(slope, expected("plain", tables=True)[1], 1e-5)


def edges(case: Case, most: int) -> Case:
    """Return a case of the first centres alone."""
    first = case.batch.groups[0]
    parts = tuple(
        b.with_(**{k: getattr(b, k)[:most] for k in ("displacement", "index", "count")})
        for b in case.batch.view.blocks[0]
    )
    view = case.batch.view.with_(blocks=(parts,))
    batch = case.batch.with_(groups=(first.with_(place=first.place[:most]),), views=(view,))
    displacement = displacements(batch)
    return dc.replace(
        case,
        batch=batch,
        displacement=displacement,
        direction=case.direction[: len(displacement)],
        weights=case.weights[:most],
    )


@pytest.fixture
def torch():
    Backend.TORCH.required()
    import torch

    return torch


@pytest.mark.parametrize("tables", [False, True], ids=["net", "table"])
def test_torch_gradcheck(tables, torch):
    case = edges(case_of("plain", tables), 1)
    function, displacement, _ = on_backend(case, Backend.TORCH, case.descriptor)
    x = displacement.requires_grad_(True)
    assert torch.autograd.gradcheck(function, (x,))
    assert torch.autograd.gradgradcheck(function, (x,))


@pytest.fixture
def operators(monkeypatch, torch):  # noqa: ARG001  # asks for PyTorch
    """Return the arguments that the operator of the moments is called with."""
    from dpcore_torch import kernels

    calls = []
    actual = kernels.moments_op

    def record(*args):
        calls.append(args)
        return actual(*args)

    monkeypatch.setattr(kernels, "moments_op", record)
    case = edges(case_of("plain", tables=True), 2)
    function, displacement, _ = on_backend(case, Backend.TORCH, case.descriptor)
    function(displacement)
    return kernels, calls[0], actual


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_torch_operators(operators, torch):
    kernels, (displacement, *rest), moments_op = operators
    x = displacement.clone().requires_grad_(True)
    moments = moments_op(x, *rest)
    weight = torch.randn_like(moments).requires_grad_(True)
    direction = torch.randn_like(x)
    # The second derivative has none itself.
    torch.library.opcheck(moments_op, (x, *rest))
    torch.library.opcheck(kernels.first_op, (x, weight, *rest))
    torch.library.opcheck(kernels.second_op, (x.detach(), weight.detach(), direction, *rest))


def test_torch_layouts(operators, torch):
    """What is not contiguous is read right."""
    kernels, (displacement, *rest), moments_op = operators
    exact = moments_op(displacement, *rest)
    weight, direction = torch.randn_like(exact), torch.randn_like(displacement)

    def turned(x):
        out = x.transpose(0, -1).contiguous().transpose(0, -1)
        assert not out.is_contiguous()
        return out

    assert torch.equal(moments_op(turned(displacement), *rest), exact)
    found = kernels.first_op(turned(displacement), turned(weight), *rest)
    assert torch.equal(found, kernels.first_op(displacement, weight, *rest))
    found = kernels.second_op(turned(displacement), turned(weight), turned(direction), *rest)
    for new, old in zip(
        found, kernels.second_op(displacement, weight, direction, *rest), strict=True
    ):
        assert torch.equal(new, old)
    # The sum's derivative is one number seen from everywhere.
    spread = torch.ones((), dtype=torch.float64).expand(exact.shape)
    assert torch.equal(
        kernels.first_op(displacement, spread, *rest),
        kernels.first_op(displacement, torch.ones_like(exact), *rest),
    )


def test_torch_compiles_whole(torch):
    case = edges(case_of("plain", tables=True), 2)
    function, displacement, direction = on_backend(case, Backend.TORCH, case.descriptor)
    expected_value, expected_slope, _ = torch_derivatives(function, displacement, direction)
    torch.compiler.reset()
    compiled = torch.compile(function, fullgraph=True, backend="aot_eager")
    x = displacement.clone().requires_grad_(True)
    value = compiled(x)
    (slope,) = torch.autograd.grad(value, x)
    assert_close(value.detach(), expected_value, 1e-14)
    assert_close(slope, expected_slope, 1e-13)


@pytest.mark.parametrize("tables", [False, True], ids=["net", "table"])
def test_jax_check_grads(tables):
    adapter = Backend.JAX.required().adapter()
    import jax
    from jax.test_util import check_grads

    case = edges(case_of("plain", tables), 2)
    with adapter.scope():
        function, displacement, _ = on_backend(case, Backend.JAX, case.descriptor)
        check_grads(jax.jit(function), (displacement,), order=2, modes=["rev"], rtol=1e-5)
        # The differences are taken of NumPy arrays, which are for another backend.
        eager = lambda d: function(jax.numpy.asarray(d))  # noqa: E731
        check_grads(eager, (displacement,), order=2, modes=["rev"], rtol=1e-5)
