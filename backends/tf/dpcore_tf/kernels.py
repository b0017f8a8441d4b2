"""The fused kernels as Python calls in TensorFlow's graphs, with two derivatives.

Operators of TensorFlow's own kind would be bound to one of its versions; a call costs some 0.1 ms.
"""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf

from dpcore.batch import Batch, blocks, places
from dpcore.fused.moments import (
    FusedMoments,
    MomentSettings,
    fused_moments,
    layout,
    library,
    problem,
    series_moments,
)
from dpcore.models.forces import fused_forces
from dpcore.train.optimizers.moments import Moments, adam_step
from dpcore.tree import arrays
from dpcore.tree import replace as replace_arrays
from dpcore.xp import shape


@dataclass(frozen=True)
class _Constants:
    """Hold what a call is given and not differentiated by."""

    settings: MomentSettings
    rows: Any
    arrays: tuple[Any, ...]


def _given(settings: MomentSettings, arrays: tuple[np.ndarray, ...]) -> Any:
    """Return what the kernels take: displacement, layout, pairs, data, empty and all counts."""
    displacement, rows, pairs, data, empty, *count = arrays
    return problem(settings, (pairs, data, empty), rows, count, displacement)


def _run_moments(settings: MomentSettings, *arrays: np.ndarray) -> np.ndarray:
    found: np.ndarray = library().moments.moments(_given(settings, arrays))
    return found


def _run_first(settings: MomentSettings, weight: np.ndarray, *arrays: np.ndarray) -> np.ndarray:
    found: np.ndarray = library().moments.first(_given(settings, arrays), weight)
    return found


def _run_second(
    settings: MomentSettings, weight: np.ndarray, direction: np.ndarray, *arrays: np.ndarray
) -> list[np.ndarray]:
    return list(library().moments.second(_given(settings, arrays), weight, direction))


def _call(function: Any, given: _Constants, leading: list[Any], displacement: Any, out: Any) -> Any:
    inputs = [*leading, displacement, given.rows, *given.arrays]
    return tf.numpy_function(partial(function, given.settings), inputs, out, stateful=False)


def _moments(given: _Constants, displacement: Any) -> Any:
    @tf.custom_gradient  # type: ignore[untyped-decorator, unused-ignore]
    def moments(x: Any) -> Any:
        out = _call(_run_moments, given, [], x, x.dtype)
        out = tf.ensure_shape(out, [None, 4, given.settings.width])
        return out, lambda weight: _first(given, x, weight)

    return moments(displacement)


def _first(given: _Constants, displacement: Any, weight: Any) -> Any:
    @tf.custom_gradient  # type: ignore[untyped-decorator, unused-ignore]
    def first(x: Any, y: Any) -> Any:
        out = tf.ensure_shape(_call(_run_first, given, [y], x, x.dtype), [None, 3])

        def backward(direction: Any) -> Any:
            return _second(given, x, y, direction)

        return out, backward

    return first(displacement, weight)


def _second(given: _Constants, displacement: Any, weight: Any, direction: Any) -> Any:
    @tf.custom_gradient  # type: ignore[untyped-decorator, unused-ignore]
    def second(x: Any, y: Any, v: Any) -> Any:
        slopes = _call(_run_second, given, [y, v], x, [x.dtype, x.dtype])
        out = [tf.ensure_shape(s, like.shape) for s, like in zip(slopes, (x, y), strict=True)]

        def backward(*_: Any) -> Any:
            raise NotImplementedError("the kernels have two derivatives, not three")

        return out, backward

    return second(displacement, weight, direction)


def _run_learn(settings: MomentSettings, weight: np.ndarray, *arrays: np.ndarray) -> np.ndarray:
    found: np.ndarray = library().moments.learn(_given(settings, arrays), weight)
    return found


def _run_learn_first(
    settings: MomentSettings, weight: np.ndarray, direction: np.ndarray, *arrays: np.ndarray
) -> list[np.ndarray]:
    return list(library().moments.learn_first(_given(settings, arrays), weight, direction))


def _with_data(given: _Constants, data: Any) -> _Constants:
    """Return what a call is given with other series."""
    pairs, _, *rest = given.arrays
    return replace(given, arrays=(pairs, data, *rest))


# Of series: everything is linear in the data and in the weight.
def _of_series(given: _Constants, displacement: Any, data: Any) -> Any:
    @tf.custom_gradient  # type: ignore[untyped-decorator, unused-ignore]
    def moments(x: Any, z: Any) -> Any:
        out = _call(_run_moments, _with_data(given, z), [], x, x.dtype)
        out = tf.ensure_shape(out, [None, 4, given.settings.width])
        # What is not asked for is left out of the graph.
        return out, lambda weight: (
            _series_first(given, x, z, weight),
            _learn(given, x, z, weight),
        )

    return moments(displacement, data)


def _series_first(given: _Constants, displacement: Any, data: Any, weight: Any) -> Any:
    @tf.custom_gradient  # type: ignore[untyped-decorator, unused-ignore]
    def first(x: Any, z: Any, y: Any) -> Any:
        out = _call(_run_first, _with_data(given, z), [y], x, x.dtype)

        def backward(direction: Any) -> Any:
            leading, dtypes = [y, direction], [x.dtype, x.dtype]
            slopes = _call(_run_learn_first, _with_data(given, z), leading, x, dtypes)
            by_weight, by_data = (
                tf.ensure_shape(s, like.shape) for s, like in zip(slopes, (y, z), strict=True)
            )
            return tf.fill(tf.shape(x), tf.constant(np.nan, x.dtype)), by_data, by_weight

        return tf.ensure_shape(out, [None, 3]), backward

    return first(displacement, data, weight)


def _learn(given: _Constants, displacement: Any, data: Any, weight: Any) -> Any:
    @tf.custom_gradient  # type: ignore[untyped-decorator, unused-ignore]
    def learn(x: Any, z: Any, y: Any) -> Any:
        out = tf.ensure_shape(_call(_run_learn, _with_data(given, z), [y], x, x.dtype), z.shape)

        def backward(other: Any) -> Any:
            by_places, by_weight = _series_first(given, x, other, y), _of_series(given, x, other)
            return by_places, tf.zeros_like(z), by_weight

        return out, backward

    return learn(displacement, data, weight)


def _run_forces(
    displacement: np.ndarray, slope: np.ndarray, rows: np.ndarray, place: np.ndarray,
    atoms: np.ndarray, *blocks_of: np.ndarray,
) -> list[np.ndarray]:  # fmt: skip
    half = len(blocks_of) // 2
    count, index = blocks_of[:half], blocks_of[half:]
    return list(library().forces.forces(rows, count, index, place, int(atoms), displacement, slope))


@fused_forces.register(tf.Tensor)
def _(slope: Any, displacement: Any, batch: Batch) -> tuple[Any, Any]:
    count, index = ([getattr(b, name) for b in blocks(batch)] for name in ("count", "index"))
    atoms = tf.cast(shape(batch.frame)[0], tf.int64)
    given = [displacement, slope, _rows(batch), places(batch), atoms, *count, *index]
    dtypes = [displacement.dtype] * 2
    force, virial = tf.numpy_function(_run_forces, given, dtypes, stateful=False)
    return tf.ensure_shape(force, [None, 3]), tf.ensure_shape(virial, [None, 9])


def _rows(batch: Batch, ntypes: int = 0) -> Any:
    return tf.stack([[tf.cast(n, tf.int64) for n in row] for row in layout(batch, ntypes)])


@adam_step.register(tf.Tensor)
def _(
    vector: Any, gradient: Any, state: Moments, rate: Any, betas: tuple[float, float], eps: float
) -> tuple[Any, Moments]:
    """Take the step by one program of XLA, which goes through the memory once."""

    @tf.function(autograph=False, jit_compile=True)  # type: ignore[untyped-decorator, unused-ignore]
    def step(x: Any, g: Any, speed: Any, known: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        found, after = adam_step.dispatch(object)(
            x, g, replace_arrays(state, known), speed, betas, eps
        )
        return found, arrays(after)

    found, after = step(vector, gradient, rate, arrays(state))
    return found, replace_arrays(state, after)


@fused_moments.register(tf.Tensor)
def _(displacement: Any, moments: FusedMoments, batch: Batch) -> Any:
    arrays = (*moments.constants, *(b.count for b in blocks(batch)))
    return _moments(
        _Constants(moments.settings, _rows(batch, moments.ntypes), arrays), displacement
    )


@series_moments.register(tf.Tensor)
def _(displacement: Any, data: Any, moments: FusedMoments, batch: Batch) -> Any:
    arrays = (moments.pairs, None, moments.empty, *(b.count for b in blocks(batch)))
    given = _Constants(moments.settings, _rows(batch, moments.ntypes), arrays)
    return _of_series(given, displacement, data)
