"""How tables differ from the networks that they replace."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dpcore.fused.table import Table
from dpcore.fused.tabulate import Net, derivatives, values
from dpcore.tree import map_arrays

# Where in each interval errors are measured: of a smooth network those of the value are largest in the
# middle, those of the slope 0.28 from the ends.
_PLACES = (0.0, 0.1, 0.2, 0.28, 0.4, 0.5, 0.6, 0.72, 0.8, 0.9, 1.0)


@dataclass(frozen=True)
class Tables:
    """How the first, or the second, tables of all networks differ from them.

    Attributes:
        strides: of each table.
        knots: number of knots of all tables.
        nbytes: what all tables take.
        value_error: largest error of a value, relative to the largest value of its network.
        slope_error: the same of the first derivative.
    """

    strides: tuple[float, ...]
    knots: int
    nbytes: int
    value_error: float
    slope_error: float


def measured(pairs: Sequence[tuple[Net, Table]]) -> Tables | None:
    """Return how some tables differ from their networks, or None without any."""
    if not pairs:
        return None
    errors = [_errors(net, table) for net, table in pairs]
    return Tables(
        strides=tuple(table.stride for _, table in pairs),
        knots=sum(len(table.knots) for _, table in pairs),
        nbytes=sum(table.knots.nbytes for _, table in pairs),
        value_error=max(error.value for error in errors),
        slope_error=max(error.slope for error in errors),
    )


@dataclass(frozen=True)
class _Errors:
    """Hold the largest errors of a table, relative to the largest value and slope."""

    value: float
    slope: float


def _errors(net: Net, table: Table) -> _Errors:
    """Measure a table as it is stored, in float64."""
    net = map_arrays(lambda x: np.asarray(x, np.float64), net)
    table = map_arrays(lambda x: np.asarray(x, np.float64), table)
    start = table.lower + table.stride * np.arange(table.intervals, dtype=np.float64)
    worst, largest = np.zeros(2), np.full(2, np.finfo(np.float64).tiny)
    for place in _PLACES:
        x = start + place * table.stride
        exact = derivatives(net, x)[:2]
        found = (values(table, x), _slope(table, place))
        off = [np.max(np.abs(a - b)) for a, b in zip(found, exact, strict=True)]
        worst = np.maximum(worst, off)
        largest = np.maximum(largest, [np.max(np.abs(part)) for part in exact])
    # The slope of a constant is nothing to compare with.
    largest[1] = max(largest[1], largest[0] / (table.upper - table.lower))
    return _Errors(*(float(error) for error in worst / largest))


def _slope(table: Table, u: float) -> NDArray[np.float64]:
    """Return the slope at the place ``u`` of every interval, ``(kind * interval, feature)``."""
    v = 1.0 - u
    bump = 30.0 * u * u * v * v
    left = (-bump, v * v * (1.0 - 3.0 * u) * (1.0 + 5.0 * u), u * v * v * (2.0 - 5.0 * u))
    right = (bump, u * u * (1.0 - 3.0 * v) * (1.0 + 5.0 * v), -v * u * u * (2.0 - 5.0 * v))
    knots = table.knots.reshape(table.kinds, table.intervals + 1, *table.knots.shape[1:])
    by_end = zip((left, right), (knots[:, :-1], knots[:, 1:]), strict=True)
    parts = [np.einsum("r,tkrf->tkf", np.array(weights), rows) for weights, rows in by_end]
    slope: NDArray[np.float64] = (parts[0] + parts[1]) / table.stride
    return slope.reshape(-1, slope.shape[-1])
