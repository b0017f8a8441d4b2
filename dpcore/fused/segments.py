"""Tables of a network for the usual range, and coarser ones beyond."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dpcore.errors import DPError
from dpcore.fused.table import Table, TabulatedNet
from dpcore.fused.tabulate import (
    Net,
    ScalarNet,
    cast_table,
    dtype_of,
    is_tabulable,
    kinds_of,
    layers_of,
    most_bytes_of,
    table_error,
    table_of,
    tabulate,
)
from dpcore.tree import map_arrays

# The stride of second tables, in strides of the first ones.
COARSER = 10
# How far second tables may differ from the networks where no step is given, relative to the largest value.
FAR_TOLERANCE = 1e-10


@dataclass(frozen=True)
class TableMaker:
    """Make the tables of one network after another.

    Attributes:
        step: stride of the first tables; None for as small as it takes.
        extrapolate: where second tables end, in ends of the first.
        tolerance: largest error of the first tables where there is no step, relative to the largest value.
        number: number of networks that share the memory.
    """

    step: float | None
    extrapolate: float
    tolerance: float
    number: int

    def of_nets(
        self,
        nets: Sequence[ScalarNet],
        ranges: Sequence[tuple[float, float]],
        *,
        two_sided: bool,
        where: str,
    ) -> list[tuple[Net, TabulatedNet]]:
        """Return networks with their tables.

        Args:
            nets: networks of one number, no tables.
            ranges: lower and upper end of what each is given.
            two_sided: whether there are second tables below the first, too.
            where: path of the networks, for messages.

        Raises:
            DPError: a network that no table of an allowed size comes near, or of another precision.
        """
        pairs = []
        for i, (net, ends) in enumerate(zip(nets, ranges, strict=True)):
            assert not isinstance(net, TabulatedNet)
            pairs.append((net, self._tabulated(net, f"{where}.{i}", ends, two_sided=two_sided)))
        return pairs

    def _tabulated(
        self, net: Net, where: str, ends: tuple[float, float], *, two_sided: bool
    ) -> TabulatedNet:
        lower, upper = ends
        if not is_tabulable(net):
            raise DPError(
                f"{where}: there are no tables of {dtype_of(net)}; the precision must be float32 or float64"
            )
        if not -math.inf < lower < upper < math.inf:
            raise DPError(
                f"{where}: its scalar goes from {lower} to {upper}; davg and dstd must be finite, and dstd "
                "positive"
            )
        wide = map_arrays(lambda x: np.asarray(x, np.float64), net)
        first = self._first(wide, where, lower, upper)
        below = self._second(wide, first, self.extrapolate * lower) if two_sided else None
        above = self._second(wide, first, self.extrapolate * upper)
        found = [table for table in (below, first, above) if table is not None]
        return TabulatedNet(segments=tuple(cast_table(table, net) for table in found))

    def _first(self, net: Net, where: str, lower: float, upper: float) -> Table:
        most_bytes = most_bytes_of(net, self.number)
        if self.step is not None:
            return self._table(net, lower, upper, self.step)
        table = tabulate(net, lower, upper, most_bytes=most_bytes, tolerance=self.tolerance)
        if table is None:
            kinds = sorted({layer.activation_function for layer in layers_of(net)})
            raise DPError(
                f"{where}: no table of at most {most_bytes >> 20} MiB is within {self.tolerance:g} of this "
                f"network ({', '.join(kinds)}); choose --step, such as --step 0.01, or a larger "
                "--tolerance, and look at the errors, or keep the network"
            )
        return table

    def _second(self, net: Net, first: Table, end: float) -> Table | None:
        """Return the table from an end of the first one on, or None if that is far enough."""
        # Rounding must not add a table.
        slack = 1e-9 * first.stride
        if first.lower - slack <= end <= first.upper + slack:
            return None
        stride = COARSER * first.stride
        table = self._beyond(net, first, end, stride)
        goal = max(FAR_TOLERANCE, self.tolerance)
        while self.step is None and table_error(net, table) > goal:
            stride /= 2
            length = abs(end - (first.upper if end > first.upper else first.lower))
            if _nbytes(net, length, stride) > most_bytes_of(net, self.number):
                break
            table = self._beyond(net, first, end, stride)
        return table

    def _beyond(self, net: Net, first: Table, end: float, stride: float) -> Table:
        if end > first.upper:
            return self._table(net, first.upper, end, stride)
        lower = first.lower - stride * _intervals(end, first.lower, stride)
        return self._table(net, lower, first.lower, stride)

    def _table(self, net: Net, lower: float, upper: float, stride: float) -> Table:
        nbytes, most = _nbytes(net, upper - lower, stride), most_bytes_of(net, self.number)
        if nbytes > most:
            raise DPError(
                f"a table from {lower:g} to {upper:g} in steps of {stride:g} takes {nbytes / 1e6:.3g} MB; "
                f"at most {most / 1e6:.3g} MB are allowed: choose a larger step, or a smaller extrapolate"
            )
        return table_of(net, lower, stride, _intervals(lower, upper, stride))


def _nbytes(net: Net, length: float, stride: float) -> float:
    return 3 * 8 * kinds_of(net) * (length / stride + 2) * net.widths[1]


def _intervals(lower: float, upper: float, stride: float) -> int:
    # Rounding must not add an interval.
    return max(1, math.ceil((upper - lower) / stride - 1e-9))
