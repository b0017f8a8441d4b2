"""The kernels for series as PyTorch operators, which are differentiated by the series, too."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.library import custom_op

from dpcore.batch import Batch, blocks
from dpcore.fused.moments import (
    FusedMoments,
    MomentSettings,
    layout,
    library,
    problem,
    series_moments,
)

# Whether only derivatives by places are asked for: PyTorch does not tell an operator.
_BY_PLACES = ContextVar("_BY_PLACES", default=False)


@contextmanager
def by_places_alone() -> Iterator[None]:
    """Leave out the derivatives by series of what is differentiated inside."""
    token = _BY_PLACES.set(True)
    try:
        yield
    finally:
        _BY_PLACES.reset(token)


def _problem(
    displacement: Tensor, data: Tensor, count: Sequence[Tensor], arrays: Sequence[Tensor],
    sizes: Sequence[int], radii: Sequence[float],
) -> Any:  # fmt: skip
    width, *rows = sizes
    pairs, empty = (x.numpy() for x in arrays)
    return problem(
        MomentSettings("series", width, 0, *radii),
        (pairs, _numpy(data), empty),
        np.array(rows, np.int64).reshape(-1, 4),
        [x.numpy() for x in count],
        _numpy(displacement),
    )


def _numpy(x: Tensor) -> np.ndarray:
    found: np.ndarray = x.detach().contiguous().numpy()
    return found


@custom_op("dpcore::series_moments", mutates_args=())  # type: ignore[untyped-decorator, unused-ignore]
def moments_op(
    displacement: Tensor, data: Tensor, count: Sequence[Tensor], arrays: Sequence[Tensor],
    sizes: Sequence[int], radii: Sequence[float],
) -> Tensor:  # fmt: skip
    """Return the moments, ``(centre, 4, feature)``."""
    given = _problem(displacement, data, count, arrays, sizes, radii)
    return torch.from_numpy(library().moments.moments(given))


@custom_op("dpcore::series_first", mutates_args=())  # type: ignore[untyped-decorator, unused-ignore]
def first_op(
    displacement: Tensor, data: Tensor, weight: Tensor, count: Sequence[Tensor],
    arrays: Sequence[Tensor], sizes: Sequence[int], radii: Sequence[float],
) -> Tensor:  # fmt: skip
    """Return the derivative of ``sum(moments * weight)`` by the displacements."""
    given = _problem(displacement, data, count, arrays, sizes, radii)
    return torch.from_numpy(library().moments.first(given, _numpy(weight)))


@custom_op("dpcore::series_learn", mutates_args=())  # type: ignore[untyped-decorator, unused-ignore]
def learn_op(
    displacement: Tensor, data: Tensor, weight: Tensor, count: Sequence[Tensor],
    arrays: Sequence[Tensor], sizes: Sequence[int], radii: Sequence[float],
) -> Tensor:  # fmt: skip
    """Return the derivative of ``sum(moments * weight)`` by the data."""
    given = _problem(displacement, data, count, arrays, sizes, radii)
    return torch.from_numpy(library().moments.learn(given, _numpy(weight)))


@custom_op("dpcore::series_learn_first", mutates_args=())  # type: ignore[untyped-decorator, unused-ignore]
def learn_first_op(
    displacement: Tensor, data: Tensor, weight: Tensor, direction: Tensor, count: Sequence[Tensor],
    arrays: Sequence[Tensor], sizes: Sequence[int], radii: Sequence[float],
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Return the derivatives of ``sum(first * direction)`` by weight and data."""
    given = _problem(displacement, data, count, arrays, sizes, radii)
    slopes = library().moments.learn_first(given, _numpy(weight), _numpy(direction))
    return torch.from_numpy(slopes[0]), torch.from_numpy(slopes[1])


@moments_op.register_fake  # type: ignore[untyped-decorator, unused-ignore]
def _(displacement: Tensor, _data: Any, _count: Any, _arrays: Any, sizes: Any, *_: Any) -> Tensor:
    return displacement.new_empty((sizes[-4] + sizes[-1], 4, sizes[0]))


@first_op.register_fake  # type: ignore[untyped-decorator, unused-ignore]
def _(displacement: Tensor, *_: Any) -> Tensor:
    return torch.empty_like(displacement)


@learn_op.register_fake  # type: ignore[untyped-decorator, unused-ignore]
def _(_displacement: Any, data: Tensor, *_: Any) -> Tensor:
    return torch.empty_like(data)


@learn_first_op.register_fake  # type: ignore[untyped-decorator, unused-ignore]
def _(_displacement: Any, data: Tensor, weight: Tensor, *_: Any) -> tuple[Tensor, Tensor]:
    return torch.empty_like(weight), torch.empty_like(data)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:  # noqa: ARG001
    *tensors, count, arrays, sizes, radii = inputs
    ctx.save_for_backward(*tensors, *count, *arrays)
    ctx.lengths, ctx.rest = (len(tensors), len(tensors) + len(count)), (sizes, radii)


def _kept(ctx: Any) -> tuple[list[Tensor], tuple[Any, ...]]:
    """Return the tensors that may be differentiated by, and everything else."""
    saved, (first, second) = ctx.saved_tensors, ctx.lengths
    return list(saved[:first]), (list(saved[first:second]), list(saved[second:]), *ctx.rest)


def _no_slopes(rest: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return what stands for the derivatives by everything that is constant."""
    return [None] * len(rest[0]), [None] * len(rest[1]), None, None


def _moments_backward(ctx: Any, weight: Tensor) -> tuple[Any, ...]:
    given, rest = _kept(ctx)
    places, data = ctx.needs_input_grad[:2]
    if data and not _BY_PLACES.get():
        slopes = torch.full_like(given[0], torch.nan), learn_op(*given, weight, *rest)
    else:
        slopes = first_op(*given, weight, *rest) if places else None, None
    return *slopes, *_no_slopes(rest)


def _first_backward(ctx: Any, direction: Tensor) -> tuple[Any, ...]:
    given, rest = _kept(ctx)
    by_weight, by_data = learn_first_op(*given, direction, *rest)
    return torch.full_like(given[0], torch.nan), by_data, by_weight, *_no_slopes(rest)


moments_op.register_autograd(_moments_backward, setup_context=_keep)
first_op.register_autograd(_first_backward, setup_context=_keep)


@series_moments.register(Tensor)
def _(displacement: Tensor, data: Tensor, moments: FusedMoments, batch: Batch) -> Any:
    rows = [number for row in layout(batch, moments.ntypes) for number in row]
    return moments_op(
        displacement,
        data,
        [block.count for block in blocks(batch)],
        [moments.pairs, moments.empty],
        [moments.width, *rows],
        [moments.rcut_smth, moments.rcut, moments.protection],
    )
