"""The fused kernels for NumPy arrays, differentiated by HIPS autograd."""

from typing import Any

import numpy as np
from autograd.extend import defvjp, defvjp_argnums, primitive
from autograd.numpy.numpy_boxes import ArrayBox

from dpcore import registry
from dpcore.batch import Batch, blocks, places
from dpcore.fused.moments import (
    FusedMoments,
    fused_moments,
    layout,
    library,
    problem,
    series_moments,
)
from dpcore.models.forces import fused_forces
from dpcore.train.optimizers.moments import Moments, adam_step


def _problem(displacement: Any, moments: FusedMoments, batch: Batch) -> Any:
    rows = np.array(layout(batch, moments.ntypes), np.int64)
    count = [block.count for block in blocks(batch)]
    return problem(
        moments.settings, moments.constants, rows, count, np.ascontiguousarray(displacement)
    )


def _like(x: Any, displacement: Any) -> Any:
    # Derivatives come back through a change of precision as wide as they were.
    return np.ascontiguousarray(x, displacement.dtype)


@primitive  # type: ignore[untyped-decorator, unused-ignore]
def _moments(displacement: Any, moments: FusedMoments, batch: Batch) -> Any:
    return library().moments.moments(_problem(displacement, moments, batch))


@primitive  # type: ignore[untyped-decorator, unused-ignore]
def _first(displacement: Any, weight: Any, moments: FusedMoments, batch: Batch) -> Any:
    given = _problem(displacement, moments, batch)
    return library().moments.first(given, _like(weight, displacement))


@primitive  # type: ignore[untyped-decorator, unused-ignore]
def _second(
    displacement: Any, weight: Any, direction: Any, moments: FusedMoments, batch: Batch
) -> Any:
    given = _problem(displacement, moments, batch)
    parts = (_like(x, displacement) for x in (weight, direction))
    slopes = library().moments.second(given, *parts)
    return np.concatenate([part.ravel() for part in slopes])


def _second_of(part: int) -> Any:
    def vjp(_out: Any, displacement: Any, weight: Any, *rest: Any) -> Any:
        def pull(direction: Any) -> Any:
            flat = _second(displacement, weight, direction, *rest)
            n = displacement.size
            return (flat[:n], flat[n:])[part].reshape((displacement, weight)[part].shape)

        return pull

    return vjp


defvjp(
    _moments,
    lambda _out, displacement, *rest: lambda weight: _first(displacement, weight, *rest),
    argnums=(0,),
)
defvjp(_first, _second_of(0), _second_of(1), argnums=(0, 1))


# Of series: everything is linear in the data and in the weight.
@primitive  # type: ignore[untyped-decorator, unused-ignore]
def _of_series(displacement: Any, data: Any, moments: FusedMoments, batch: Batch) -> Any:
    return library().moments.moments(_series(displacement, data, moments, batch))


@primitive  # type: ignore[untyped-decorator, unused-ignore]
def _series_first(
    displacement: Any, data: Any, weight: Any, moments: FusedMoments, batch: Batch
) -> Any:
    given = _series(displacement, data, moments, batch)
    return library().moments.first(given, _like(weight, displacement))


@primitive  # type: ignore[untyped-decorator, unused-ignore]
def _learn(displacement: Any, data: Any, weight: Any, moments: FusedMoments, batch: Batch) -> Any:
    given = _series(displacement, data, moments, batch)
    return library().moments.learn(given, _like(weight, displacement))


@primitive  # type: ignore[untyped-decorator, unused-ignore]
def _learn_first(
    displacement: Any, data: Any, weight: Any, direction: Any, moments: FusedMoments, batch: Batch
) -> Any:
    given = _series(displacement, data, moments, batch)
    parts = (_like(x, displacement) for x in (weight, direction))
    slopes = library().moments.learn_first(given, *parts)
    return np.concatenate([part.ravel() for part in slopes])


def _series(displacement: Any, data: Any, moments: FusedMoments, batch: Batch) -> Any:
    return _problem(displacement, moments.with_(data=_like(data, displacement)), batch)


def _both(_out: Any, displacement: Any, data: Any, weight: Any, *rest: Any) -> Any:
    """Return a function giving the derivatives of a first derivative by all it depends on."""

    def pull(direction: Any) -> Any:
        flat = _learn_first(displacement, data, weight, direction, *rest)
        by_weight, by_data = flat[: weight.size].reshape(weight.shape), flat[weight.size :]
        return np.full(displacement.shape, np.nan), by_data, by_weight

    return pull


defvjp(
    _of_series,
    lambda _out, d, data, *rest: lambda weight: _series_first(d, data, weight, *rest),
    lambda _out, d, data, *rest: lambda weight: _learn(d, data, weight, *rest),
    argnums=(0, 1),
)
defvjp_argnums(
    _series_first,
    lambda argnums, out, given, _: (
        lambda direction: [_both(out, *given)(direction)[n] for n in argnums]
    ),
)


@fused_forces.register(np.ndarray)
def _(slope: Any, displacement: Any, batch: Batch) -> tuple[Any, Any]:
    found: tuple[Any, Any] = library().forces.forces(
        np.array(layout(batch), np.int64),
        [block.count for block in blocks(batch)],
        [block.index for block in blocks(batch)],
        places(batch),
        len(batch.frame),
        displacement,
        _like(slope, displacement),
    )
    return found


@adam_step.register(np.ndarray)
def adam_step_of_arrays(
    vector: Any, gradient: Any, state: Moments, rate: Any, betas: tuple[float, float], eps: float
) -> tuple[Any, Moments]:
    """Return parameters and moments after a step."""
    kernels = registry.kernels()
    if kernels is None:  # switched off since
        plain: tuple[Any, Moments] = adam_step.dispatch(object)(
            vector, gradient, state, rate, betas, eps
        )
        return plain
    arrays = [np.ascontiguousarray(x) for x in (vector, gradient, state.mean, state.square)]
    kept = (betas[0] * float(state.kept_mean), betas[1] * float(state.kept_square))
    found, mean, square = kernels.adam.step(arrays, betas, kept, float(rate), eps)
    return found, state.grown(mean, square, betas)


def _series_moments(displacement: Any, data: Any, moments: FusedMoments, batch: Batch) -> Any:
    """Return the moments from series that may be boxed, which the rest is not."""
    return _of_series(displacement, data, moments.with_(data=None, blank=None), batch)


for kind in (np.ndarray, ArrayBox):
    fused_moments.register(kind, _moments)
    series_moments.register(kind, _series_moments)
