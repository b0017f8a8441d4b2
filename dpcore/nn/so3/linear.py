"""Linear maps of features that rotate."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from dpcore.nn.precision import numpy_dtype
from dpcore.nn.so3.focus import focus_weight
from dpcore.nn.so3.rows import Rows
from dpcore.tree import Module, param
from dpcore.xp import namespace, shape


def truncated(rng: np.random.Generator, sizes: tuple[int, ...], n_in: int, n_out: int) -> Any:
    """Draw weights of normal distribution of variance ``1 / (n_in + n_out)``, cut at three deviations."""
    scale = (n_in + n_out) ** -0.5
    drawn = rng.normal(0.0, scale, sizes)
    while np.any(beyond := np.abs(drawn) > 3.0 * scale):
        drawn[beyond] = rng.normal(0.0, scale, int(np.count_nonzero(beyond)))
    return drawn


class DegreeLinear(Module, name="so3_degree_linear"):
    """A linear map of the channels for each degree.

    Attributes:
        weight: ``(degree, n_in, focus · n_out)``.
        bias: added to degree 0, ``(focus · n_out,)``, or None.
    """

    weight: Any = param()
    bias: Any = param()

    @classmethod
    def create(
        cls,
        rng: np.random.Generator,
        lmax: int,
        sizes: tuple[int, int, int],
        *,
        precision: str,
        bias: bool = False,
        zero: bool = False,
    ) -> Self:
        """Draw a map.

        Args:
            rng: source of the random numbers.
            lmax: the highest degree.
            sizes: number of foci, widths of the input and the output.
            precision: precision of the parameters.
            bias: whether there is a bias, zero at first.
            zero: start from zero.
        """
        foci, n_in, n_out = sizes
        dtype, full = numpy_dtype(precision), (lmax + 1, n_in, foci * n_out)
        weight = np.zeros(full) if zero else truncated(rng, full, n_in, foci * n_out)
        zeros = np.zeros(foci * n_out, dtype) if bias else None
        return cls(weight=weight.astype(dtype), bias=zeros)

    def __call__(self, x: Any, rows: Rows) -> Any:
        """Return ``(focus, n, row, n_out)`` of ``(focus, n, row, n_in)``.

        Args:
            x: features.
            rows: their rows.
        """
        xp, sizes, found = namespace(x), shape(x), []
        foci = int(sizes[0])
        n_out = shape(self.weight)[-1] // foci
        pieces = rows.of_one_degree
        parts = xp.split(x, [piece.rows for piece in pieces], axis=2)
        for part, (first, n, degree, _) in zip(parts, pieces, strict=True):
            flat = xp.reshape(part, (sizes[0], sizes[1] * n, sizes[3]))
            y = xp.matmul(flat, focus_weight(self.weight[degree, ...], foci))
            if first == 0 and self.bias is not None:
                y = y + xp.reshape(self.bias, (foci, 1, n_out))
            found.append(xp.reshape(y, (sizes[0], sizes[1], n, n_out)))
        return found[0] if len(found) == 1 else xp.concat(found, axis=2)


class OrderLinear(Module, name="so3_order_linear"):
    """A linear map that mixes degrees and channels of one order, and the orders m and -m by rotations.

    Of an order m > 0 it is ``(y₋, y₊) = (x₋ U - x₊ V, x₋ V + x₊ U)``, which turns about the z axis as x does.

    Attributes:
        weight: ``(n_in, focus · n_out)``, for an order m > 0 of a focus U and V one after another; inputs
            and outputs are degrees and channels, these running faster.
    """

    weight: Any = param()

    def __call__(self, x: Any) -> Any:
        """Return the map of order 0, ``(focus, n, n_out)`` of ``(focus, n, n_in)``."""
        return namespace(x).matmul(x, focus_weight(self.weight, int(shape(x)[0])))

    def pair(self, x: Any) -> Any:
        """Return the maps of the orders -m and m, which are one after another, as in the input."""
        xp = namespace(x)
        weight = focus_weight(self.weight, int(shape(x)[0]))
        n = shape(weight)[-1] // 2
        turned = xp.concat([-weight[..., n:], weight[..., :n]], axis=-1)
        return xp.matmul(x, xp.concat([weight, turned], axis=1))


class EdgeLinear(Module, name="so3_edge_linear"):
    """A linear map of features in the frames of edges that is the same in all frames turned about the edge.

    Attributes:
        orders: the maps of the orders 0 to mmax.
        bias: added to degree 0, ``(focus · n_out,)``, or None.
    """

    orders: tuple[OrderLinear, ...]
    bias: Any = param()

    @classmethod
    def create(
        cls,
        rng: np.random.Generator,
        rows: Rows,
        sizes: tuple[int, int, int],
        *,
        precision: str,
        bias: bool = False,
    ) -> Self:
        """Draw a map.

        Args:
            rng: source of the random numbers.
            rows: the rows, by order.
            sizes: number of foci, widths of the input and the output.
            precision: precision of the parameters.
            bias: whether there is a bias, zero at first.
        """
        (foci, n_in, n_out), dtype, orders = sizes, numpy_dtype(precision), []
        for m in range(rows.mmax + 1):
            n = rows.lmax + 1 - m
            a, b = n * n_in, n * n_out * (2 if m else 1)
            drawn = truncated(rng, (a, foci * b), a, b) * (0.5**0.5 if m else 1.0)
            orders.append(OrderLinear(weight=drawn.astype(dtype)))
        zeros = np.zeros(foci * n_out, dtype) if bias else None
        return cls(orders=tuple(orders), bias=zeros)

    def __call__(self, orders: Sequence[Any], factor: Any = None) -> list[Any]:
        """Return ``(focus, n, row · n_out)`` for each order (see :meth:`dpcore.nn.so3.rows.Rows.apart`).

        Args:
            orders: ``(focus, n, row · n_in)`` for each order.
            factor: what the bias is multiplied by, ``(focus, n, n_out)``; by default 1.
        """
        first = self.orders[0](orders[0])
        if self.bias is not None:
            first = self._biased(first, factor)
        rest = zip(self.orders[1:], orders[1:], strict=True)
        return [first, *(order.pair(x) for order, x in rest)]

    def _biased(self, x: Any, factor: Any) -> Any:
        """Return features of order 0 with the bias added to degree 0."""
        xp, foci = namespace(x), int(shape(x)[0])
        n = int(shape(self.bias)[0]) // foci
        bias = xp.reshape(self.bias, (foci, 1, n))
        scalar, rest = xp.split(x, [n, shape(x)[2] - n], axis=2)
        return xp.concat([scalar + (bias if factor is None else bias * factor), rest], axis=2)
