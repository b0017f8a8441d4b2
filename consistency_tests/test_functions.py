"""The closed function set: each name on each backend against NumPy's own arithmetic, and its derivatives."""

from typing import Any

import numpy as np
import pytest
from function_cases import CASES, INDEX, floats
from harness import COMPILED, FRAMEWORKS, Backend

from dpcore.backend.adapter import value_and_grad
from dpcore.tree import Tree, buffer
from dpcore.xp import FUNCTIONS, dtype_name, namespace


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

            (value, kept), gradient = value_and_grad(adapter, function)(given[number])
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

        _, gradient = value_and_grad(adapter, function)(x)
        np.testing.assert_array_equal(adapter.to_numpy(gradient), np.zeros((2, 3)))


def test_gradient_of_repeated_rows_adds_up(framework):
    adapter = framework.adapter()
    with adapter.scope():
        x, index = arguments(adapter, [floats(4, 3), INDEX])
        xp = namespace(x)
        _, gradient = value_and_grad(
            adapter, lambda a: (xp.sum(xp.take(a, index, axis=0)), xp.sum(a))
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
                array[...] = 1.0
    assert namespace(x).exp(x).flags.writeable
