"""The closed function set on torch tensors."""

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import torch
from array_api_compat import torch as standard

from dpcore.xp import STANDARD, closed, namespace


def _sum(x: torch.Tensor, axis: Any = None, keepdims: bool = False) -> torch.Tensor:
    axis = tuple(range(x.ndim)) if axis is None else axis
    return torch.sum(x, dim=axis, keepdim=keepdims)


def _take(x: torch.Tensor, index: torch.Tensor, axis: int = 0) -> torch.Tensor:
    return torch.index_select(x, axis, index)


def _zeros(sizes: Sequence[Any], like: torch.Tensor) -> torch.Tensor:
    return torch.zeros(tuple(sizes), dtype=like.dtype, device=like.device)


def _segment_sum(x: torch.Tensor, segment: torch.Tensor, n: Any) -> torch.Tensor:
    return _zeros((n, *x.shape[1:]), x).index_add(0, segment, x)


def _below(
    x: torch.Tensor,
    bound: float,
    inside: Callable[[torch.Tensor], torch.Tensor],
    outside: Callable[[torch.Tensor], torch.Tensor],
) -> torch.Tensor:
    if x.device.type == "cpu" and x.numel():
        top = x.detach().max()
        # While a program is traced there are no numbers to look at.
        if type(top) is torch.Tensor and bool(top < bound):
            return inside(x)
    return torch.where(x < bound, inside(x), outside(x))


XP = closed(
    **{name: getattr(standard, name) for name in STANDARD if name not in {"sum", "take"}},
    arange=lambda n, like: torch.arange(n, dtype=like.dtype, device=like.device),
    astype=lambda x, dtype: x.to(getattr(torch, dtype)),
    below=_below,
    segment_sum=_segment_sum,
    sigmoid=torch.sigmoid,
    silu=torch.nn.functional.silu,
    softplus=lambda x: torch.log1p(torch.exp(-torch.abs(x))) + torch.relu(x),
    split=lambda x, sizes, axis=0: torch.split(x, list(sizes), dim=axis),
    stop_gradient=lambda x: x.detach(),
    sum=_sum,
    take=_take,
    zeros=_zeros,
)


@namespace.register(torch.Tensor)
def _namespace(_: torch.Tensor) -> SimpleNamespace:
    return XP
