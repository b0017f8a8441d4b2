"""The fused kernels as PyTorch operators with two derivatives."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.library import custom_op

from dpcore.backend.reference_kernels import adam_step_of_arrays
from dpcore.batch import Batch, blocks, places
from dpcore.fused.moments import (
    FusedMoments,
    MomentSettings,
    fused_moments,
    layout,
    library,
    problem,
)
from dpcore.models.forces import forces, fused_forces
from dpcore.train.optimizers.moments import Moments, adam_step
from dpcore.tree import map_arrays


def _problem(
    displacement: Tensor, count: Sequence[Tensor], arrays: Sequence[Tensor], sizes: Sequence[int],
    radii: Sequence[float], embedding: str,
) -> Any:  # fmt: skip
    width, widest, *rows = sizes
    return problem(
        MomentSettings(embedding, width, widest, *radii),
        [x.numpy() for x in arrays],
        np.array(rows, np.int64).reshape(-1, 4),
        [x.numpy() for x in count],
        displacement.detach().contiguous().numpy(),
    )


def _rows(sizes: Sequence[int]) -> int:
    """Return the number of centres from the width, the widest layer and the rows of the layout."""
    centres, _, _, first = sizes[-4:]
    return first + centres


@custom_op("dpcore::moments", mutates_args=())  # type: ignore[untyped-decorator, unused-ignore]
def moments_op(
    displacement: Tensor, count: Sequence[Tensor], arrays: Sequence[Tensor], sizes: Sequence[int],
    radii: Sequence[float], embedding: str,
) -> Tensor:  # fmt: skip
    """Return the moments, ``(centre, 4, feature)``."""
    given = _problem(displacement, count, arrays, sizes, radii, embedding)
    return torch.from_numpy(library().moments.moments(given))


@custom_op("dpcore::moments_first", mutates_args=())  # type: ignore[untyped-decorator, unused-ignore]
def first_op(
    displacement: Tensor, weight: Tensor, count: Sequence[Tensor], arrays: Sequence[Tensor],
    sizes: Sequence[int], radii: Sequence[float], embedding: str,
) -> Tensor:  # fmt: skip
    """Return the derivative of ``sum(moments * weight)`` by the displacements."""
    given = _problem(displacement, count, arrays, sizes, radii, embedding)
    return torch.from_numpy(library().moments.first(given, weight.detach().contiguous().numpy()))


@custom_op("dpcore::moments_second", mutates_args=())  # type: ignore[untyped-decorator, unused-ignore]
def second_op(
    displacement: Tensor, weight: Tensor, direction: Tensor, count: Sequence[Tensor],
    arrays: Sequence[Tensor], sizes: Sequence[int], radii: Sequence[float], embedding: str,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Return the derivatives of ``sum(first * direction)`` by displacements and weight."""
    given = _problem(displacement, count, arrays, sizes, radii, embedding)
    parts = (x.detach().contiguous().numpy() for x in (weight, direction))
    slopes = library().moments.second(given, *parts)
    return torch.from_numpy(slopes[0]), torch.from_numpy(slopes[1])


@moments_op.register_fake  # type: ignore[untyped-decorator, unused-ignore]
def _(displacement: Tensor, _count: Any, _arrays: Any, sizes: Any, *_: Any) -> Tensor:
    return displacement.new_empty((_rows(sizes), 4, sizes[0]))


@first_op.register_fake  # type: ignore[untyped-decorator, unused-ignore]
def _(displacement: Tensor, *_: Any) -> Tensor:
    return torch.empty_like(displacement)


@second_op.register_fake  # type: ignore[untyped-decorator, unused-ignore]
def _(displacement: Tensor, weight: Tensor, *_: Any) -> tuple[Tensor, Tensor]:
    return torch.empty_like(displacement), torch.empty_like(weight)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:  # noqa: ARG001
    tensors = 1 + (len(inputs) == 7)
    ctx.save_for_backward(*inputs[:tensors], *inputs[tensors], *inputs[tensors + 1])
    ctx.counts, ctx.rest = len(inputs[tensors]), inputs[tensors + 2 :]


def _kept(ctx: Any, tensors: int) -> tuple[Any, ...]:
    saved, n = ctx.saved_tensors, tensors + ctx.counts
    return (*saved[:tensors], list(saved[tensors:n]), list(saved[n:]), *ctx.rest)


def _moments_backward(ctx: Any, weight: Tensor) -> tuple[Any, ...]:
    displacement, *rest = _kept(ctx, 1)
    return (first_op(displacement, weight, *rest), *_no_slopes(ctx))


def _first_backward(ctx: Any, direction: Tensor) -> tuple[Any, ...]:
    displacement, weight, *rest = _kept(ctx, 2)
    slopes = second_op(displacement, weight, direction, *rest)
    return (*slopes, *_no_slopes(ctx))


def _no_slopes(ctx: Any) -> tuple[Any, ...]:
    """Return what stands for the derivatives by everything that is constant."""
    return [None] * ctx.counts, [None] * 3, None, None, None


moments_op.register_autograd(_moments_backward, setup_context=_keep)
first_op.register_autograd(_first_backward, setup_context=_keep)


@custom_op("dpcore::forces", mutates_args=())  # type: ignore[untyped-decorator, unused-ignore]
def forces_op(
    slope: Tensor, displacement: Tensor, count: Sequence[Tensor], index: Sequence[Tensor],
    place: Tensor, sizes: Sequence[int], atoms: int,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Return forces and atomic virials."""
    arrays = (x.detach().contiguous().numpy() for x in (displacement, slope))
    found = library().forces.forces(
        np.array(sizes, np.int64).reshape(-1, 4),
        [x.numpy() for x in count],
        [x.numpy() for x in index],
        place.numpy(),
        atoms,
        *arrays,
    )
    return torch.from_numpy(found[0]), torch.from_numpy(found[1])


@forces_op.register_fake  # type: ignore[untyped-decorator, unused-ignore]
def _(
    slope: Tensor,
    _displacement: Any,
    _count: Any,
    _index: Any,
    _place: Any,
    _sizes: Any,
    atoms: Any,
) -> tuple[Tensor, Tensor]:
    return slope.new_empty((atoms, 3)), slope.new_empty((atoms, 9))


@fused_forces.register(Tensor)
def _(slope: Tensor, displacement: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
    if slope.device.type != "cpu":
        return forces(slope, displacement, batch)
    found: tuple[Tensor, Tensor] = forces_op(
        slope.to(displacement.dtype),
        displacement,
        [block.count for block in blocks(batch)],
        [block.index for block in blocks(batch)],
        places(batch),
        [number for row in layout(batch) for number in row],
        batch.frame.shape[0],
    )
    return found


@adam_step.register(Tensor)
def _(
    vector: Tensor,
    gradient: Tensor,
    state: Moments,
    rate: Tensor,
    betas: tuple[float, float],
    eps: float,
) -> tuple[Any, Moments]:
    if vector.device.type != "cpu":
        in_array_code: tuple[Any, Moments] = adam_step.dispatch(object)(
            vector, gradient, state, rate, betas, eps
        )
        return in_array_code
    known = map_arrays(lambda x: x.detach().numpy(), state)
    before, slope = (x.detach().contiguous().numpy() for x in (vector, gradient))
    found, known = adam_step_of_arrays(before, slope, known, rate.numpy(), betas, eps)
    return torch.from_numpy(found), map_arrays(torch.as_tensor, known)


@fused_moments.register(Tensor)
def _(displacement: Tensor, moments: FusedMoments, batch: Batch) -> Any:
    rows = [number for row in layout(batch, moments.ntypes) for number in row]
    return moments_op(
        displacement,
        [block.count for block in blocks(batch)],
        moments.constants,
        [moments.width, moments.widest, *rows],
        [moments.rcut_smth, moments.rcut, moments.protection],
        moments.embedding,
    )
