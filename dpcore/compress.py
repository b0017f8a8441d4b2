"""Compression: the embedding networks of a model replaced by tables for good."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dpcore.descriptors.local import SHORTEST
from dpcore.errors import DPError
from dpcore.fused.table import Table, TabulatedNet
from dpcore.fused.tabulate import (
    ALL_BYTES,
    MOST_BYTES,
    TOLERANCE,
    cast_table,
    derivatives,
    is_tabulable,
    table_error,
    table_of,
    tabulate,
)
from dpcore.models import StandardModel
from dpcore.nn import MLP
from dpcore.tree import map_arrays

# The stride of second tables, in strides of the first ones.
COARSER = 10
# How far second tables may differ from the networks where no step is given, relative to the largest value.
FAR_TOLERANCE = 1e-10
# Where in each interval errors are measured: of a smooth network those of the value are largest in the
# middle, those of the slope 0.28 from the ends.
_PLACES = (0.0, 0.1, 0.2, 0.28, 0.4, 0.5, 0.6, 0.72, 0.8, 0.9, 1.0)


@dataclass(frozen=True)
class Tables:
    """How the first, or the second, tables of all networks differ from these.

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


@dataclass(frozen=True)
class Compression:
    """A compressed model, and how it was made.

    Attributes:
        model: the model, with tables in place of its networks.
        shortest: distance down to which the first tables reach, Å.
        reach: distance down to which the second ones do, Å; closer neighbours are extrapolated in a
            straight line.
        first: the tables up to the scalar of the shortest distance.
        second: those beyond; None where there are none.
    """

    model: StandardModel
    shortest: float
    reach: float
    first: Tables
    second: Tables | None


def is_compressed(model: StandardModel) -> bool:
    """Return whether a model has tables in place of embedding networks."""
    return any(isinstance(net, TabulatedNet) for net in model.descriptor.nets)


def compress(
    model: StandardModel,
    *,
    shortest: float = SHORTEST,
    step: float | None = None,
    extrapolate: float = 5.0,
    tolerance: float = TOLERANCE,
) -> Compression:
    """Replace the embedding networks of a model by tables.

    The first table of a network ends at the scalar of the shortest distance, the second at
    ``extrapolate`` times that.

    Args:
        model: a model with NumPy arrays.
        shortest: distance of the closest neighbours, Å.
        step: stride of the first tables, in units of the normalised scalar; the second have 10 times
            that. By default strides are as small as it takes: first tables are accurate to
            ``tolerance``, second ones to 1e-10.
        extrapolate: where second tables end, in upper ends of the first; 1 for none.
        tolerance: largest error of the first tables, relative to the largest value.

    Raises:
        DPError: settings without a meaning, a model that is compressed already, a network that no table
            of an allowed size comes near.
    """
    _check(shortest=shortest, extrapolate=extrapolate, tolerance=tolerance)
    if step is not None:
        _check(step=step)
    descriptor = model.descriptor
    nets = [net for net in descriptor.nets if isinstance(net, MLP)]
    if len(nets) < len(descriptor.nets):
        raise DPError("the model is compressed already; compress the one that it was made from")
    maker = _Maker(step, extrapolate, tolerance, min(MOST_BYTES, ALL_BYTES // len(nets)))
    ranges = descriptor.ranges(shortest)
    tabulated = tuple(
        maker.tabulated(net, number, *ends)
        for number, (net, ends) in enumerate(zip(nets, ranges, strict=True))
    )
    compressed = descriptor.with_(nets=tabulated)
    first = _measured(nets, tabulated, 0)
    assert first is not None
    return Compression(
        model=model.with_(descriptor=compressed),
        shortest=shortest,
        reach=compressed.reach,
        first=first,
        second=_measured(nets, tabulated, 1),
    )


def _check(**settings: float) -> None:
    for name, value in settings.items():
        least = 1.0 if name == "extrapolate" else 0.0
        if not (math.isfinite(value) and value >= least and value > 0):
            allowed = "1 or more" if least else "positive"
            raise DPError(f"{name}: {value} must be a finite number, {allowed}")


@dataclass(frozen=True)
class _Maker:
    """Make the tables of one network after another.

    ``most_bytes`` is what one table may take; the rest is explained at :func:`compress`.
    """

    step: float | None
    extrapolate: float
    tolerance: float
    most_bytes: int

    def tabulated(self, net: MLP, number: int, lower: float, upper: float) -> TabulatedNet:
        """Return the tables of a network that is given scalars from ``lower`` to ``upper``."""
        if not is_tabulable(net):
            raise DPError(
                f"descriptor.nets.{number}: there are no tables of {net.layers[0].weight.dtype}; the "
                "precision must be float32 or float64"
            )
        if not -math.inf < lower < upper < math.inf:
            raise DPError(
                f"descriptor.nets.{number}: its scalar goes from {lower} to {upper}; davg and dstd must "
                "be finite, and dstd positive"
            )
        wide = map_arrays(lambda x: np.asarray(x, np.float64), net)
        first = self._first(wide, number, lower, upper)
        second = self._second(wide, first, self.extrapolate * upper)
        found = (first,) if second is None else (first, second)
        return TabulatedNet(segments=tuple(cast_table(table, net) for table in found))

    def _first(self, net: MLP, number: int, lower: float, upper: float) -> Table:
        if self.step is not None:
            return self._table(net, lower, upper, self.step)
        table = tabulate(net, lower, upper, most_bytes=self.most_bytes, tolerance=self.tolerance)
        if table is None:
            kinds = sorted({layer.activation_function for layer in net.layers})
            raise DPError(
                f"descriptor.nets.{number}: no table of at most {self.most_bytes >> 20} MiB is within "
                f"{self.tolerance:g} of this network ({', '.join(kinds)}); choose --step, such as "
                "--step 0.01, or a larger --tolerance, and look at the errors, or keep the network"
            )
        return table

    def _second(self, net: MLP, first: Table, upper: float) -> Table | None:
        # Rounding must not add a table.
        if upper <= first.upper + 1e-9 * first.stride:
            return None
        stride = COARSER * first.stride
        table = self._table(net, first.upper, upper, stride)
        goal = max(FAR_TOLERANCE, self.tolerance)
        while self.step is None and table_error(net, table) > goal:
            stride /= 2
            if self._nbytes(net, first.upper, upper, stride) > self.most_bytes:
                break
            table = self._table(net, first.upper, upper, stride)
        return table

    def _table(self, net: MLP, lower: float, upper: float, stride: float) -> Table:
        nbytes = self._nbytes(net, lower, upper, stride)
        if nbytes > self.most_bytes:
            raise DPError(
                f"a table from {lower:g} to {upper:g} in steps of {stride:g} takes {nbytes / 1e6:.3g} MB; "
                f"at most {self.most_bytes / 1e6:.3g} MB are allowed: choose a larger step, or a smaller "
                "extrapolate"
            )
        return table_of(net, lower, stride, _intervals(lower, upper, stride))

    @staticmethod
    def _nbytes(net: MLP, lower: float, upper: float, stride: float) -> float:
        return 3 * 8 * ((upper - lower) / stride + 2) * net.widths[1]


def _intervals(lower: float, upper: float, stride: float) -> int:
    # Rounding must not add an interval.
    return max(1, math.ceil((upper - lower) / stride - 1e-9))


def _measured(
    nets: Sequence[MLP], tabulated: Sequence[TabulatedNet], segment: int
) -> Tables | None:
    pairs = [
        (net, found.segments[segment])
        for net, found in zip(nets, tabulated, strict=True)
        if segment < len(found.segments)
    ]
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


def _errors(net: MLP, table: Table) -> _Errors:
    """Measure a table as it is stored, in float64."""
    net = map_arrays(lambda x: np.asarray(x, np.float64), net)
    table = map_arrays(lambda x: np.asarray(x, np.float64), table)
    start = table.lower + table.stride * np.arange(table.intervals, dtype=np.float64)
    worst, largest = np.zeros(2), np.full(2, np.finfo(np.float64).tiny)
    for place in _PLACES:
        x = start + place * table.stride
        exact = derivatives(net, x)[:2]
        found = (table(x[:, None]), _slope(table, place))
        off = [np.max(np.abs(a - b)) for a, b in zip(found, exact, strict=True)]
        worst = np.maximum(worst, off)
        largest = np.maximum(largest, [np.max(np.abs(values)) for values in exact])
    # The slope of a constant is nothing to compare with.
    largest[1] = max(largest[1], largest[0] / (table.upper - table.lower))
    return _Errors(*(float(error) for error in worst / largest))


def _slope(table: Table, u: float) -> NDArray[np.float64]:
    """Return the slope at the place ``u`` of every interval, ``(interval, feature)``."""
    v = 1.0 - u
    bump = 30.0 * u * u * v * v
    left = (-bump, v * v * (1.0 - 3.0 * u) * (1.0 + 5.0 * u), u * v * v * (2.0 - 5.0 * u))
    right = (bump, u * u * (1.0 - 3.0 * v) * (1.0 + 5.0 * v), -v * u * u * (2.0 - 5.0 * v))
    by_end = zip((left, right), (table.knots[:-1], table.knots[1:]), strict=True)
    parts = [np.einsum("r,krf->kf", np.array(weights), rows) for weights, rows in by_end]
    slope: NDArray[np.float64] = (parts[0] + parts[1]) / table.stride
    return slope
