"""Networks of one number as tables."""

from collections.abc import Callable, Sequence
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
    both ends. Beyond the table it goes on as a straight line. There may be a function for each of some
    kinds, such as pairs of types, on the same intervals.
    """

    lower: float = setting(doc="lower end")
    stride: float = setting(doc="length h of an interval")
    kinds: int = setting(1, doc="number of functions")
    knots: Any = buffer()
    """``f, h f', h² f''/2`` at the ends of the intervals, kind by kind, ``(kind * knot, 3, feature)``."""

    def __post_init__(self) -> None:
        found = shape(self.knots)
        if len(found) != 3 or found[0] < 2 or found[1] != 3:
            raise DPError(
                f"table.knots: shape {found}; (knots, 3, features) with two knots is needed"
            )
        if self.kinds < 1 or found[0] % self.kinds or found[0] < 2 * self.kinds:
            raise DPError(
                f"table.kinds: {self.kinds}, which {found[0]} knots cannot be shared out to"
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
        """Number of intervals of each function."""
        return int(shape(self.knots)[0]) // self.kinds - 1

    @property
    def upper(self) -> float:
        """Upper end."""
        return self.lower + self.intervals * self.stride

    def __call__(self, x: Any, kind: Any = None) -> Any:
        """Return the features, ``(..., feature)``.

        Args:
            x: ``(..., 1)``.
            kind: number of the function, ``(...)``; None where there is one.
        """
        xp = namespace(x)
        sizes = shape(x)
        flat = xp.reshape(x, (-1, 1))
        place = xp.stop_gradient((flat[:, 0] - self.lower) * (1.0 / self.stride))
        place = xp.minimum(place, (self.intervals - 1) * xp.ones_like(place))
        interval = xp.astype(xp.maximum(place, xp.zeros_like(place)), "int64")
        # From the knot: near it no digits are lost, where knots have few.
        knot = self.lower + self.stride * as_type_of(interval, x)[:, None]
        u = (flat - knot) * (1.0 / self.stride)
        if kind is not None:
            interval = interval + xp.reshape(kind, (-1,)) * (self.intervals + 1)
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
    """A network of one number as tables, one beginning where the other ends.

    Two tables are those of the usual range and of what lies above it; three have one below it as well.
    """

    segments: tuple[Table, ...]

    def __post_init__(self) -> None:
        if len(self.segments) not in {1, 2, 3}:
            raise DPError(f"tabulated_net.segments: {len(self.segments)} tables; 1 to 3 are needed")
        for before, after in pairwise(self.segments):
            _check_joint(before, after)

    @property
    def widths(self) -> tuple[int, int]:
        """Widths of the input and the output."""
        return 1, shape(self.segments[0].knots)[2]

    @property
    def usual(self) -> Table:
        """The table of the usual range."""
        return self.segments[len(self.segments) // 3]

    @property
    def lower(self) -> float:
        """Where the tables begin."""
        return self.segments[0].lower

    @property
    def upper(self) -> float:
        """Where the tables end."""
        return self.segments[-1].upper

    def of_kind(self, kind: int) -> "TabulatedNet":
        """Return the tables of one of several functions."""
        return self._each(lambda t: t.knots.reshape(t.kinds, -1, *t.knots.shape[1:])[kind], 1)

    def scaled(self, factor: NDArray[Any]) -> "TabulatedNet":
        """Return the tables with each feature multiplied by a number, ``(feature,)``."""
        return self._each(lambda t: (t.knots * factor).astype(t.knots.dtype), None)

    def _each(self, knots: Callable[[Table], Any], kinds: int | None) -> "TabulatedNet":
        return TabulatedNet(
            segments=tuple(t.with_(knots=knots(t), kinds=kinds or t.kinds) for t in self.segments)
        )

    def __call__(self, x: Any, kind: Any = None) -> Any:
        """Return the features, ``(..., feature)``.

        Args:
            x: ``(..., 1)``.
            kind: number of the function, ``(...)``; None where there is one.
        """
        first, *others = self.segments
        found = first(x, kind)
        for table in others:
            found = namespace(x).where(x < table.lower, found, table(x, kind))
        return found


def _check_joint(before: Table, after: Table) -> None:
    """Raise a one-line error for tables that do not continue each other."""
    features = [shape(table.knots)[2] for table in (before, after)]
    if features[0] != features[1]:
        raise DPError(
            f"tabulated_net.segments: {features[0]} features in one table, {features[1]} in the next; "
            "both must have as many"
        )
    if before.kinds != after.kinds:
        raise DPError(
            f"tabulated_net.segments: {before.kinds} functions in one table, {after.kinds} in the "
            "next; both must have as many"
        )
    if not abs(after.lower - before.upper) <= 1e-9 * before.stride:
        raise DPError(
            f"tabulated_net.segments: a table ends at {before.upper}, the next begins at "
            f"{after.lower}; it must begin there"
        )
