"""A call of every function of the closed set, with the same in plain NumPy beside it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from dpcore.xp import shape

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
         lambda _: np.zeros((0, 4)), (np.zeros((0, 4)),)),
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
    Case("matmul", lambda xp, a, b: xp.matmul(a, b), lambda *_: np.zeros((5, 3, 2)),
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
    Case("segment_sum", lambda xp, a, i: xp.segment_sum(a, i, 2), lambda *_: np.zeros((2, 3)),
         (floats(0, 3), np.zeros(0, np.int64))),
    Case("sigmoid", lambda xp, a: xp.sigmoid(a), lambda a: np.exp(-np.logaddexp(0.0, -a)), (LARGE,)),
    Case("silu", lambda xp, a: xp.silu(a), lambda a: a * np.exp(-np.logaddexp(0.0, -a)), (LARGE,)),
    *[Case("below", lambda xp, a: xp.below(a, 0.0, xp.exp, lambda b: 3.0 * b),
           lambda a: np.where(a < 0.0, np.exp(a), 3.0 * a), (x,))
      for x in (AWAY_FROM_0, -np.abs(AWAY_FROM_0), np.abs(AWAY_FROM_0), floats(0, 3))],
    Case("softplus", lambda xp, a: xp.softplus(a), lambda a: np.logaddexp(0.0, a), (AWAY_FROM_0,)),
    Case("softplus", lambda xp, a: xp.softplus(a), lambda a: np.logaddexp(0.0, a), (LARGE,),
         smooth=False),
    Case("split", lambda xp, a: xp.split(a, [2, 0, 3])[0], lambda a: a[:2], (floats(5, 3),)),
    Case("split", lambda xp, a: xp.split(a, [2, 0, 3])[1], lambda a: a[2:2], (floats(5, 3),)),
    Case("split", lambda xp, a: xp.split(a, [2, 0, 3])[2], lambda a: a[2:], (floats(5),)),
    Case("split", lambda xp, a: xp.concat([a, *xp.split(a[:0], [])], axis=0), lambda a: a, (floats(3),)),
    Case("split", lambda xp, a: xp.split(a, [3, 1], 2)[0], lambda a: a[..., :3], (floats(2, 3, 4),)),
    Case("split", lambda xp, a: xp.split(a, [1, 2], 1)[1], lambda a: a[:, 1:], (floats(2, 3, 4),)),
    Case("stop_gradient", lambda xp, a: xp.stop_gradient(a * a), lambda a: a * a, (floats(2, 3),),
         constant=True),
    Case("zeros", lambda xp, a: xp.zeros((2, 0, 3), like=a), lambda _: np.zeros((2, 0, 3)),
         (floats(2),)),
    Case("zeros", lambda xp, a: xp.zeros([shape(a)[0], 3], like=a), lambda _: np.zeros((4, 3)),
         (floats(4, 2),)),
    Case("zeros", lambda xp, a: xp.zeros((3,), like=a), lambda _: np.zeros(3, np.int64), (INDEX,)),
]  # fmt: skip
