"""The closed function set: each name on each backend against NumPy's own arithmetic, and its derivatives."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from dpcore.tree import Tree, buffer
from dpcore.xp import FUNCTIONS, dtype_name, namespace, shape
from harness import COMPILED, FRAMEWORKS, Backend

RNG = np.random.default_rng(7)


@dataclass(frozen=True)
class Case:
    """A call of one function.

    Attributes:
        name: the function.
        call: the call as core code writes it, of the namespace and the arrays.
        truth: the same in plain NumPy.
        arrays: the arguments.
        smooth: whether derivatives are tested with respect to the arguments of floating type.
        constant: the result counts as a constant when derivatives are taken.
    """

    name: str
    call: Callable[..., Any]
    truth: Callable[..., Any]
    arrays: tuple[np.ndarray, ...]
    smooth: bool = True
    constant: bool = False


def floats(*sizes, low=-2.0, high=2.0):
    return RNG.uniform(low, high, sizes)


def elementwise(name, truth, x):
    return Case(name, lambda xp, a: getattr(xp, name)(a), truth, (x,))


def pairwise(name):
    truth = getattr(np, name)
    return [
        Case(name, lambda xp, a, b: getattr(xp, name)(a, b), truth, arrays)
        for arrays in ((floats(3, 4), floats(3, 4)), (floats(3, 1), floats(4)))
    ]


def reductions(name, x, *, smooth, axes=(None, 0, -1, (0, 2), (1,))):
    truth = getattr(np, name)
    cases = []
    for axis in axes:
        for keepdims in (False, True):

            def call(xp, a, axis=axis, keepdims=keepdims):
                return getattr(xp, name)(a, axis=axis, keepdims=keepdims)

            def expected(a, axis=axis, keepdims=keepdims):
                return truth(a, axis=axis, keepdims=keepdims)

            cases.append(Case(name, call, expected, (x,), smooth))
    return [*cases, Case(name, lambda xp, a: getattr(xp, name)(a), truth, (x,), smooth)]


def segment_sums(x, segment, n):
    out = np.zeros((n, *x.shape[1:]), x.dtype)
    for row, place in zip(x, segment, strict=True):
        out[place] += row
    return out


POSITIVE = floats(3, 4, low=0.1, high=4.0)
AWAY_FROM_0 = np.array([-3.0, -0.7, -1e-3, 1e-3, 0.4, 5.0])
LARGE = np.array([-800.0, -40.0, -3.0, -0.5, 0.0, 0.5, 3.0, 40.0, 800.0])
BOOLS = floats(2, 3, 4) > 0.0
INDEX = np.array([2, 0, 2, 3, 2])
WHOLE = np.arange(24).reshape(2, 3, 4) - 7


CASES = [
    elementwise("abs", np.abs, AWAY_FROM_0),
    elementwise("cos", np.cos, floats(3, 4)),
    elementwise("exp", np.exp, floats(3, 4)),
    elementwise("log", np.log, POSITIVE),
    elementwise("log1p", np.log1p, np.array([-0.5, -1e-12, 1e-12, 0.3, 7.0])),
    *pairwise("maximum"),
    *pairwise("minimum"),
    elementwise("sin", np.sin, floats(3, 4)),
    elementwise("sqrt", np.sqrt, POSITIVE),
    elementwise("tanh", np.tanh, floats(3, 4)),
    Case("where", lambda xp, a, b: xp.where(a > 0.3, a, b), lambda a, b: np.where(a > 0.3, a, b),
         (floats(3, 4), floats(3, 4))),
    Case("where", lambda xp, c, a, b: xp.where(c, a, b), np.where,
         (BOOLS, floats(2, 3, 4), floats(3, 1))),
    Case("where", lambda xp, a: xp.where(a > 0.3, a, 7.0), lambda a: np.where(a > 0.3, a, 7.0),
         (floats(3, 4),)),
    Case("where", lambda xp, a: xp.where(a > 0.3, 7.0, a), lambda a: np.where(a > 0.3, 7.0, a),
         (floats(3, 4),)),
    *reductions("all", BOOLS, smooth=False),
    *reductions("any", BOOLS, smooth=False),
    *[Case("cumulative_sum", lambda xp, a, axis=axis: xp.cumulative_sum(a, axis=axis),
           lambda a, axis=axis: np.cumsum(a, axis=axis), (floats(3, 4, 2),)) for axis in (0, 1)],
    Case("cumulative_sum", lambda xp, a: xp.cumulative_sum(a, axis=0),
         lambda a: np.zeros((0, 4)), (np.zeros((0, 4)),)),
    *reductions("max", floats(2, 3, 4), smooth=True),
    *reductions("mean", floats(2, 3, 4), smooth=True),
    *reductions("min", floats(2, 3, 4), smooth=True),
    *reductions("sum", floats(2, 3, 4), smooth=True),
    *reductions("sum", WHOLE, smooth=False),
    *reductions("sum", np.zeros((2, 0, 4)), smooth=True, axes=(None, 1)),
    Case("broadcast_to", lambda xp, a: xp.broadcast_to(a, (2, 3, 4)),
         lambda a: a + np.zeros((2, 3, 4)), (floats(3, 1),)),
    Case("broadcast_to", lambda xp, a: xp.broadcast_to(a, (2, 3)),
         lambda a: a + np.zeros((2, 3)), (floats(2, 3),)),
    *[Case("concat", lambda xp, a, b, c, axis=axis: xp.concat([a, b, c], axis=axis),
           lambda a, b, c, axis=axis: np.concatenate([a, b, c], axis=axis),
           (floats(2, 3), floats(2, 3), floats(2, 3))) for axis in (0, 1, -1)],
    Case("concat", lambda xp, a, b: xp.concat([a, b], axis=0),
         lambda a, b: np.concatenate([a, b]), (floats(0, 3), floats(2, 3))),
    Case("concat", lambda xp, a: xp.concat([a], axis=0), lambda a: a, (INDEX,)),
    *[Case("expand_dims", lambda xp, a, axis=axis: xp.expand_dims(a, axis=axis),
           lambda a, axis=axis: np.expand_dims(a, axis), (floats(2, 3),)) for axis in (0, 1, -1)],
    Case("permute_dims", lambda xp, a: xp.permute_dims(a, (0, 2, 1)),
         lambda a: a.swapaxes(1, 2), (floats(2, 3, 4),)),
    Case("permute_dims", lambda xp, a: xp.permute_dims(a, (2, 0, 1)),
         lambda a: np.einsum("ijk->kij", a), (floats(2, 3, 4),)),
    Case("reshape", lambda xp, a: xp.reshape(a, (4, 6)), lambda a: a.reshape(4, 6),
         (floats(2, 3, 4),)),
    Case("reshape", lambda xp, a: xp.reshape(a, (-1, 4)), lambda a: a.reshape(6, 4),
         (floats(2, 3, 4),)),
    Case("reshape", lambda xp, a: xp.reshape(a, (-1, 3)), lambda a: a.reshape(0, 3),
         (floats(2, 0, 3),)),
    Case("reshape", lambda xp, a: xp.reshape(a, (shape(a)[0], 12)), lambda a: a.reshape(2, 12),
         (floats(2, 3, 4),)),
    *[Case("stack", lambda xp, a, b, axis=axis: xp.stack([a, b], axis=axis),
           lambda a, b, axis=axis: np.stack([a, b], axis=axis), (floats(2, 3), floats(2, 3)))
      for axis in (0, 1, -1)],
    Case("matmul", lambda xp, a, b: xp.matmul(a, b), lambda a, b: a @ b,
         (floats(3, 4), floats(4, 2))),
    Case("matmul", lambda xp, a, b: xp.matmul(a, b), lambda a, b: np.einsum("bij,bjk->bik", a, b),
         (floats(5, 3, 4), floats(5, 4, 2))),
    Case("matmul", lambda xp, a, b: xp.matmul(a, b), lambda a, b: np.einsum("bij,jk->bik", a, b),
         (floats(5, 3, 4), floats(4, 2))),
    Case("matmul", lambda xp, a, b: xp.matmul(a, b), lambda a, b: np.zeros((5, 3, 2)),
         (floats(5, 3, 0), floats(5, 0, 2))),
    Case("take", lambda xp, a, i: xp.take(a, i, axis=0), lambda a, i: a[i], (floats(4, 3), INDEX)),
    Case("take", lambda xp, a, i: xp.take(a, i, axis=0), lambda a, i: a[i], (floats(4), INDEX)),
    Case("take", lambda xp, a, i: xp.take(a, i, axis=1), lambda a, i: a[:, i],
         (floats(2, 4), INDEX), smooth=False),
    Case("take", lambda xp, a, i: xp.take(a, i, axis=0), lambda a, i: a[i],
         (floats(4, 3), np.zeros(0, np.int64))),
    Case("zeros_like", lambda xp, a: xp.zeros_like(a), lambda a: 0.0 * a, (floats(2, 3),)),
    Case("ones_like", lambda xp, a: xp.ones_like(a), lambda a: 0.0 * a + 1.0, (floats(2, 3),)),
    Case("ones_like", lambda xp, a: xp.ones_like(a), lambda a: 0 * a + 1, (WHOLE,)),
    Case("arange", lambda xp, a: xp.arange(5, like=a), lambda _: np.array([0, 1, 2, 3, 4]),
         (INDEX,)),
    Case("arange", lambda xp, a: xp.arange(3, like=a), lambda _: np.array([0.0, 1.0, 2.0]),
         (floats(2),)),
    Case("arange", lambda xp, a: xp.arange(0, like=a), lambda _: np.zeros(0), (floats(2),)),
    *[Case("astype", lambda xp, a, dtype=dtype: xp.astype(a, dtype),
           lambda a, dtype=dtype: a.astype(dtype), (x,), smooth=False)
      for dtype in ("float32", "float64", "int64") for x in (floats(2, 3) * 5.0, BOOLS, WHOLE)],
    Case("astype", lambda xp, a: xp.astype(a, "float64"), lambda a: a.astype(np.float64),
         (floats(2, 3),)),
    Case("segment_sum", lambda xp, a, i: xp.segment_sum(a, i, 5), lambda a, i: segment_sums(a, i, 5),
         (floats(5, 3), INDEX)),
    Case("segment_sum", lambda xp, a, i: xp.segment_sum(a, i, 4), lambda a, i: segment_sums(a, i, 4),
         (floats(5), INDEX)),
    Case("segment_sum", lambda xp, a, i: xp.segment_sum(a, i, 4), lambda a, i: segment_sums(a, i, 4),
         (floats(5, 2, 3), INDEX)),
    Case("segment_sum", lambda xp, a, i: xp.segment_sum(a, i, 2), lambda a, i: np.zeros((2, 3)),
         (floats(0, 3), np.zeros(0, np.int64))),
    Case("sigmoid", lambda xp, a: xp.sigmoid(a), lambda a: np.exp(-np.logaddexp(0.0, -a)), (LARGE,)),
    Case("softplus", lambda xp, a: xp.softplus(a), lambda a: np.logaddexp(0.0, a), (AWAY_FROM_0,)),
    Case("softplus", lambda xp, a: xp.softplus(a), lambda a: np.logaddexp(0.0, a), (LARGE,),
         smooth=False),
    Case("split", lambda xp, a: xp.split(a, [2, 0, 3])[0], lambda a: a[:2], (floats(5, 3),)),
    Case("split", lambda xp, a: xp.split(a, [2, 0, 3])[1], lambda a: a[2:2], (floats(5, 3),)),
    Case("split", lambda xp, a: xp.split(a, [2, 0, 3])[2], lambda a: a[2:], (floats(5),)),
    Case("stop_gradient", lambda xp, a: xp.stop_gradient(a * a), lambda a: a * a, (floats(2, 3),),
         constant=True),
    Case("zeros", lambda xp, a: xp.zeros((2, 0, 3), like=a), lambda _: np.zeros((2, 0, 3)),
         (floats(2),)),
    Case("zeros", lambda xp, a: xp.zeros([shape(a)[0], 3], like=a), lambda _: np.zeros((4, 3)),
         (floats(4, 2),)),
    Case("zeros", lambda xp, a: xp.zeros((3,), like=a), lambda _: np.zeros(3, np.int64), (INDEX,)),
]  # fmt: skip


def label(case):
    sizes = "-".join(f"{a.dtype.kind}{'x'.join(map(str, a.shape))}" for a in case.arrays)
    return f"{case.name}-{sizes}"


def test_every_function_has_a_case():
    assert {case.name for case in CASES} == set(FUNCTIONS)


class Slot(Tree):
    value: Any = buffer()


class Arguments(Tree):
    slots: tuple[Slot, ...]


def arguments(adapter, arrays):
    device = adapter.device(None)
    return tuple(adapter.asarray(np.array(a), device) for a in arrays)


def check(result, truth, name):
    assert result.shape == truth.shape, name
    assert dtype_name(result) == truth.dtype.name, name
    eps = np.finfo(truth.dtype).eps if truth.dtype.kind == "f" else 0.0
    np.testing.assert_allclose(result, truth, rtol=8 * eps, atol=8 * eps, err_msg=name)


@pytest.mark.parametrize("case", CASES, ids=label)
def test_value(case, backend):
    adapter = backend.adapter()
    with adapter.scope():
        given = arguments(adapter, case.arrays)
        result = case.call(namespace(given[-1]), *given)
        check(adapter.to_numpy(result), np.asarray(case.truth(*case.arrays)), case.name)
        for before, after in zip(case.arrays, given, strict=True):
            np.testing.assert_array_equal(adapter.to_numpy(after), before)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize(
    "case", [c for c in CASES if c.name != "astype" and c.arrays[0].dtype.kind == "f"], ids=label
)
def test_low_precision_is_kept(case, dtype, backend):
    if backend is Backend.STRICT and dtype == "float16":
        return
    adapter = backend.adapter()
    arrays = tuple(a.astype(dtype) if a.dtype.kind == "f" else a for a in case.arrays)
    with adapter.scope(), np.errstate(over="ignore"):
        given = arguments(adapter, arrays)
        result = adapter.to_numpy(case.call(namespace(given[-1]), *given))
        wide = (a.astype(np.float64) if a.dtype.kind == "f" else a for a in arrays)
        truth = np.asarray(case.truth(*wide))
    assert dtype_name(result) == dtype
    np.testing.assert_allclose(
        result, truth, rtol=8 * np.finfo(dtype).eps, atol=8 * np.finfo(dtype).eps
    )


@pytest.mark.parametrize("framework", COMPILED, ids=str)
def test_value_when_compiled(framework):
    """Trace all calls as one program: arrays under construction have the same functions."""
    adapter = framework.required().adapter()
    trees = Arguments(slots=tuple(Slot(value=np.array(a)) for case in CASES for a in case.arrays))

    def function(_, batch):
        values = iter([slot.value for slot in batch.slots])
        out = {}
        for number, case in enumerate(CASES):
            given = [next(values) for _ in case.arrays]
            assert all(vars(namespace(a)) == vars(outside) for a in given)
            out[str(number)] = case.call(namespace(given[-1]), *given)
        return out

    with adapter.scope():
        outside = namespace(arguments(adapter, [INDEX])[0])
        device = adapter.device(None)
        inside = Arguments(
            slots=tuple(Slot(value=adapter.asarray(s.value, device)) for s in trees.slots)
        )
        results = adapter.compile(function, requested=None)(
            Slot(value=inside.slots[0].value), inside
        )
        for number, case in enumerate(CASES):
            check(
                adapter.to_numpy(results[str(number)]),
                np.asarray(case.truth(*case.arrays)),
                case.name,
            )


def difference_quotients(function, x, step=1e-6):
    slope = np.zeros_like(x)
    for place in np.ndindex(x.shape):
        low, high = x.copy(), x.copy()
        low[place] -= step
        high[place] += step
        slope[place] = (function(high) - function(low)) / (high[place] - low[place])
    return slope


@pytest.mark.parametrize("case", [c for c in CASES if c.smooth], ids=label)
def test_gradient(case, framework):
    adapter = framework.adapter()
    truth = np.asarray(case.truth(*case.arrays))
    weights = np.cos(np.arange(truth.size, dtype=np.float64)).reshape(truth.shape)
    for number, array in enumerate(case.arrays):
        if array.dtype.kind != "f" or truth.dtype.kind != "f":
            continue

        def expected(x, number=number):
            changed = [x if i == number else a for i, a in enumerate(case.arrays)]
            value = truth if case.constant else case.truth(*changed)
            return float(np.sum(weights * value) + np.sum(x * x))

        with adapter.scope():
            given, factors = arguments(adapter, case.arrays), arguments(adapter, [weights])[0]

            def function(x, number=number, given=given, factors=factors):
                changed = [x if i == number else a for i, a in enumerate(given)]
                xp = namespace(x)
                result = case.call(xp, *changed)
                return xp.sum(factors * result) + xp.sum(x * x), result

            (value, kept), gradient = adapter.value_and_grad(function)(given[number])
            slope, auxiliary = adapter.to_numpy(gradient), adapter.to_numpy(kept)
            assert float(adapter.to_numpy(value)) == pytest.approx(expected(array), rel=1e-12)
        np.testing.assert_allclose(auxiliary, truth, rtol=1e-14, atol=1e-14)
        with np.errstate(over="ignore"):
            quotients = difference_quotients(expected, array)
        scale = max(1.0, float(np.abs(array).max(initial=0.0)))
        np.testing.assert_allclose(slope, quotients, rtol=1e-6, atol=1e-7 * scale**2)


def test_gradient_is_zero_where_nothing_depends(framework):
    adapter = framework.adapter()
    with adapter.scope():
        x, other = arguments(adapter, [floats(2, 3), floats(4)])

        def function(_):
            return namespace(other).sum(other), other

        _, gradient = adapter.value_and_grad(function)(x)
        np.testing.assert_array_equal(adapter.to_numpy(gradient), np.zeros((2, 3)))


def test_gradient_of_repeated_rows_adds_up(framework):
    adapter = framework.adapter()
    with adapter.scope():
        x, index = arguments(adapter, [floats(4, 3), INDEX])
        xp = namespace(x)
        _, gradient = adapter.value_and_grad(
            lambda a: (xp.sum(xp.take(a, index, axis=0)), xp.sum(a))
        )(x)
        counts = np.bincount(INDEX, minlength=4)[:, None] * np.ones(3)
        np.testing.assert_array_equal(adapter.to_numpy(gradient), counts)


def test_frameworks_are_all_that_ship():
    from dpcore.registry import backend_names

    assert sorted(str(f) for f in FRAMEWORKS) == sorted(backend_names())


def test_read_only_arrays_refuse_to_be_written_to():
    """The strictness of the read-only backend is real, for what is given and for what is computed."""
    adapter = Backend.READ_ONLY.adapter()
    with adapter.scope():
        (x,) = arguments(adapter, [floats(3)])
        for array in (x, namespace(x).exp(x), namespace(x).split(x, [1, 2])[0]):
            with pytest.raises(ValueError, match="read-only"):
                array += 1.0
    with contextlib.suppress(AttributeError):
        assert namespace(np.zeros(1)).exp(np.zeros(1)).flags.writeable
