"""The fused kernels for NumPy arrays, differentiated by HIPS autograd."""

from typing import Any

import numpy as np
from autograd.extend import defvjp, primitive
from autograd.numpy.numpy_boxes import ArrayBox

from dpcore.batch import Batch, blocks, places
from dpcore.fused.moments import FusedMoments, fused_moments, layout, library, problem
from dpcore.models.forces import fused_forces


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


fused_moments.register(np.ndarray, _moments)
fused_moments.register(ArrayBox, _moments)
