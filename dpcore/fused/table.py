"""Networks of one number as tables."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpcore.errors import DPError
from dpcore.tree import Module, buffer, setting
from dpcore.xp import as_type_of, namespace, shape

_DTYPES = ("float32", "float64")
_LARGEST = 1e100


class Table(Module, name="table"):
    """A function of one number on equal intervals, by quintic Hermite polynomials.

    On each interval of length h the polynomial has the function's value f, slope f' and curvature f'' at
    both ends. Beyond the table it goes on as a straight line.
    """

    lower: float = setting(doc="lower end")
    stride: float = setting(doc="length h of an interval")
    knots: Any = buffer()
    """``f, h f', h² f''/2`` at the ends of the intervals, ``(knot, 3, feature)``."""

    def __post_init__(self) -> None:
        found = shape(self.knots)
        if len(found) != 3 or found[0] < 2 or found[1] != 3:
            raise DPError(
                f"table.knots: shape {found}; (knots, 3, features) with two knots is needed"
            )
        # Where the ends and the inverse of the stride are sure to be finite.
        if not 1 / _LARGEST < self.stride < _LARGEST:
            raise DPError(f"table.stride: {str(self.stride)[:20]} must be positive and finite")
        if not -_LARGEST < self.lower < _LARGEST:
            raise DPError(f"table.lower: {str(self.lower)[:20]} must be finite")
        if isinstance(self.knots, np.ndarray):
            _check_knots(self.knots)

    @property
    def intervals(self) -> int:
        """Number of intervals."""
        return int(shape(self.knots)[0]) - 1

    @property
    def upper(self) -> float:
        """Upper end."""
        return self.lower + self.intervals * self.stride

    def __call__(self, x: Any) -> Any:
        """Return the features, ``(..., feature)``, of ``x (..., 1)``."""
        xp = namespace(x)
        sizes = shape(x)
        flat = xp.reshape(x, (-1, 1))
        position = (flat - self.lower) * (1.0 / self.stride)
        place = xp.stop_gradient(position[:, 0])
        place = xp.minimum(place, (self.intervals - 1) * xp.ones_like(place))
        interval = xp.astype(xp.maximum(place, xp.zeros_like(place)), "int64")
        u = position - as_type_of(interval, x)[:, None]
        left = xp.take(self.knots, interval, axis=0)
        right = xp.take(self.knots, interval + 1, axis=0)
        weights = _hermite(u)
        rows = [part[:, i, :] for part in (left, right) for i in range(3)]
        total: Any = sum((w * row for w, row in zip(weights, rows, strict=True)), start=0.0)
        return xp.reshape(total, (*sizes[:-1], shape(self.knots)[2]))


def _check_knots(knots: NDArray[Any]) -> None:
    if knots.dtype.name not in _DTYPES:
        raise DPError(f"table.knots: dtype {knots.dtype}; allowed: {', '.join(_DTYPES)}")
    if not np.isfinite(knots).all():
        knot = int(np.argwhere(~np.isfinite(knots))[0][0])
        raise DPError(f"table.knots: knot {knot} has a value that is not finite")


def _hermite(u: Any) -> Sequence[Any]:
    """Return the weights of both ends' rows at the place ``u`` of an interval, each ``(n, 1)``."""
    xp = namespace(u)
    zero, one = xp.zeros_like(u), xp.ones_like(u)
    # Chosen, not clipped: clipping has no derivative at the knots.
    inside = xp.where(u < 0.0, zero, xp.where(u > 1.0, one, u))
    v = 1.0 - inside
    u3, v3 = inside * inside * inside, v * v * v
    # Beyond the table the slope of the end takes over.
    below, above = xp.where(u < 0.0, u, zero), xp.where(u > 1.0, u - one, zero)
    return (
        v3 * (1.0 + 3.0 * inside + 6.0 * inside * inside),
        inside * v3 * (1.0 + 3.0 * inside) + below,
        inside * inside * v3,
        u3 * (1.0 + 3.0 * v + 6.0 * v * v),
        above - v * u3 * (1.0 + 3.0 * v),
        v * v * u3,
    )


class TabulatedNet(Module, name="tabulated_net"):
    """A network of one number as tables of growing stride, one beginning where the other ends."""

    segments: tuple[Table, ...]

    def __post_init__(self) -> None:
        if len(self.segments) not in {1, 2}:
            raise DPError(f"tabulated_net.segments: {len(self.segments)} tables; 1 or 2 are needed")
        for before, after in pairwise(self.segments):
            if shape(before.knots)[2] != shape(after.knots)[2]:
                raise DPError(
                    f"tabulated_net.segments: {shape(before.knots)[2]} features in the first table, "
                    f"{shape(after.knots)[2]} in the second; both must have as many"
                )
            if not abs(after.lower - before.upper) <= 1e-9 * before.stride:
                raise DPError(
                    f"tabulated_net.segments: the first table ends at {before.upper}, the second "
                    f"begins at {after.lower}; it must begin there"
                )

    @property
    def widths(self) -> tuple[int, int]:
        """Widths of the input and the output."""
        return 1, shape(self.segments[0].knots)[2]

    @property
    def upper(self) -> float:
        """Where the tables end."""
        return self.segments[-1].upper

    def __call__(self, x: Any) -> Any:
        """Return the features, ``(..., feature)``, of ``x (..., 1)``."""
        near = self.segments[0](x)
        if len(self.segments) == 1:
            return near
        second = self.segments[1]
        return namespace(x).where(x < second.lower, near, second(x))
