"""The fused kernels for CUDA tensors, by Triton.

They are for embeddings in tables. For the moments and their derivative in a direction one kernel writes down
what each edge contributes and another sums it, so that a program holds the sums of some features in registers.
The other derivatives are sums over features for each edge, by one kernel.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
import triton
from torch import Tensor

from dpcore_torch import triton_kernels
from dpcore_torch.kernels import first_op, moments_op, second_op

# Compiled functions are launched by an index, of which type checkers know nothing.
device: Any = triton_kernels

# Rows of features are padded to a multiple of this in tables.
_ROW = 8
# Versions of Triton differ in whether they fuse products and sums unless told.
_COMPILED = {"num_warps": 2, "enable_fp_fusion": True}
# Edges and features of the tiles that the kernels work on.
_PREPARED = {"tile": 64, **_COMPILED}
_SUMMED = {"tile": 8, "features": 32, **_COMPILED}
_EDGES = {"tile": 16, **_COMPILED}
# Bytes of features that such a tile of edges is wide.
_EDGE_BYTES = 64


@dataclass(frozen=True)
class _Layout:
    """Where a program finds its neighbours, and the radii, on the device.

    Attributes:
        groups: first row, first block and the block after the last, ``(group, 3)``.
        blocks: width, first edge, pair and first place in the counts, ``(block, 4)``.
        radii: where the switch function begins to fall, 1 / its range and the protection, ``(3,)``.
        rows: number of centres.
    """

    groups: Tensor
    blocks: Tensor
    radii: Tensor
    rows: int


@dataclass(frozen=True)
class _Problem:
    """What all kernels take, on the device."""

    displacement: Tensor
    count: Tensor
    pairs: Tensor
    data: Tensor
    empty: Tensor
    width: int
    layout: _Layout

    @property
    def edges(self) -> int:
        """Number of edges."""
        return int(self.displacement.shape[0])

    @property
    def row(self) -> int:
        """Width of the rows of the tables."""
        return -(-self.width // _ROW) * _ROW

    @property
    def nothing(self) -> bool:
        """Whether there is no neighbour."""
        return self.edges == 0 or self.layout.rows == 0

    def like(self, *sizes: int, dtype: torch.dtype | None = None) -> Tensor:
        """Return room for numbers."""
        return self.displacement.new_empty(sizes, dtype=dtype)


def moments(
    displacement: Tensor, count: Sequence[Tensor], arrays: Sequence[Tensor], sizes: Sequence[int],
    radii: Sequence[float], embedding: str,
) -> Tensor:  # fmt: skip
    """Return the moments of all centres.

    Args:
        displacement: vectors of all blocks one after another, ``(edge, 3)``, Å.
        count: neighbours of the centres of each block, ``(centre,)`` int64 each.
        arrays: pairs, data and empty of :class:`dpcore.fused.moments.FusedMoments`.
        sizes: width, widest layer, and the layout's rows one after another.
        radii: ``rcut_smth``, ``rcut`` and protection, Å.
        embedding: ``table``.

    Returns:
        ``(centre, 4, feature)``.
    """
    problem = _problem(displacement, count, arrays, sizes, radii, embedding)
    return _sums(problem, problem.displacement, 0)


def first(
    displacement: Tensor, weight: Tensor, count: Sequence[Tensor], arrays: Sequence[Tensor],
    sizes: Sequence[int], radii: Sequence[float], embedding: str,
) -> Tensor:  # fmt: skip
    """Return the derivative of ``sum(moments * weight)`` by the displacements, ``(edge, 3)``; 0 in padding.

    The weight is ``(centre, 4, feature)``; all else is as for :func:`moments`.
    """
    problem = _problem(displacement, count, arrays, sizes, radii, embedding)
    return _slopes(device.first, problem, weight.contiguous())


def second(
    displacement: Tensor, weight: Tensor, direction: Tensor, count: Sequence[Tensor],
    arrays: Sequence[Tensor], sizes: Sequence[int], radii: Sequence[float], embedding: str,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Return the derivatives of ``sum(first * direction)`` by displacements and weight.

    The direction is ``(edge, 3)``, with anything in padding; all else is as for :func:`first`.
    """
    problem = _problem(displacement, count, arrays, sizes, radii, embedding)
    direction = direction.contiguous()
    slopes = _slopes(device.second, problem, weight.contiguous(), direction)
    return slopes, _sums(problem, direction, 1)


def _sums(problem: _Problem, direction: Tensor, order: int) -> Tensor:
    """Return the moments, or for order 1 their derivative in a direction."""
    layout = problem.layout
    out = problem.like(layout.rows, 4, problem.width)
    if not layout.rows:
        return out
    knots = problem.like(problem.edges, dtype=torch.int64)
    factors = problem.like((10, 20)[order], problem.edges)
    tables = (layout.groups, layout.blocks, len(layout.groups), problem.edges)
    device.prepare[layout.rows,](
        problem.displacement, direction, knots, factors, problem.count, problem.pairs, layout.radii,
        *tables, order=order, row=problem.row, **_PREPARED,
    )  # fmt: skip
    device.sums[layout.rows, triton.cdiv(problem.width, _SUMMED["features"])](
        out, knots, factors, problem.data, problem.empty, problem.count, problem.pairs, *tables,
        order=order, width=problem.width, row=problem.row, **_SUMMED,
    )  # fmt: skip
    return out


def _slopes(kernel: Any, problem: _Problem, *tensors: Tensor) -> Tensor:
    """Return what a kernel gives for each edge, ``(edge, 3)``."""
    layout = problem.layout
    out = torch.zeros_like(problem.displacement)
    if not problem.nothing:
        kernel[layout.rows,](
            out, problem.displacement, *tensors, problem.data, problem.count, problem.pairs,
            layout.radii, layout.groups, layout.blocks, len(layout.groups),
            width=problem.width, row=problem.row, features=_EDGE_BYTES // out.element_size(), **_EDGES,
        )  # fmt: skip
    return out


def _problem(
    displacement: Tensor, count: Sequence[Tensor], arrays: Sequence[Tensor], sizes: Sequence[int],
    radii: Sequence[float], embedding: str,
) -> _Problem:  # fmt: skip
    if embedding != "table":
        raise NotImplementedError(
            f"the kernels of this device are for tables, not for {embedding!r}"
        )
    width, _, *rows = sizes
    pairs, data, empty = (x.contiguous() for x in arrays)
    return _Problem(
        displacement=displacement.contiguous(),
        count=torch.cat(tuple(count)) if count else displacement.new_empty(0, dtype=torch.int64),
        pairs=pairs,
        data=data,
        empty=empty,
        width=width,
        layout=_layout(tuple(rows), tuple(radii), displacement.device),
    )


@lru_cache(maxsize=16)
def _layout(rows: tuple[int, ...], radii: tuple[float, ...], on: torch.device) -> _Layout:
    """Return the tables of a layout; the orders that follow one another find them here."""
    blocks: list[tuple[int, int, int, int]] = []
    groups: list[tuple[int, int, int]] = []
    edge = place = end = 0
    for centres, width, pair, first_row in zip(*[iter(rows)] * 4, strict=True):
        if centres and first_row == end:  # a block of a new group
            groups.append((first_row, len(blocks), 0))
            end += centres
        blocks.append((width, edge, pair, place))
        if centres:
            groups[-1] = (*groups[-1][:2], len(blocks))
        edge += centres * width
        place += centres
    numbers = torch.tensor([n for row in (*blocks, *groups) for n in row], dtype=torch.int64)
    blocks_on, groups_on = numbers.to(on).split([4 * len(blocks), 3 * len(groups)])
    smooth, cutoff, protection = radii
    settings = torch.tensor([smooth, 1.0 / (cutoff - smooth), protection], dtype=torch.float64)
    return _Layout(
        blocks=blocks_on.view(-1, 4), groups=groups_on.view(-1, 3), radii=settings.to(on), rows=end
    )


@moments_op.register_kernel("cuda")  # type: ignore[untyped-decorator, unused-ignore]
def _(displacement: Tensor, *rest: Any) -> Tensor:
    with torch.cuda.device(displacement.device):
        return moments(displacement, *rest)


@first_op.register_kernel("cuda")  # type: ignore[untyped-decorator, unused-ignore]
def _(displacement: Tensor, *rest: Any) -> Tensor:
    with torch.cuda.device(displacement.device):
        return first(displacement, *rest)


@second_op.register_kernel("cuda")  # type: ignore[untyped-decorator, unused-ignore]
def _(displacement: Tensor, *rest: Any) -> tuple[Tensor, Tensor]:
    with torch.cuda.device(displacement.device):
        return second(displacement, *rest)
