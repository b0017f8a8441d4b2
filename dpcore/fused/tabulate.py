"""Making tables of networks that differ from them by rounding alone."""

import importlib
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpcore.fused.table import Table, TabulatedNet
from dpcore.nn import MLP, Dense, NetByKind, activation
from dpcore.tree import map_arrays

Floats = NDArray[np.float64]

# Networks of one number, and what takes their place.
Net = MLP | NetByKind
ScalarNet = Net | TabulatedNet

# Tables are refined until they differ from their network by less, relative to its largest value.
TOLERANCE = 1e-14
# What one table, and all tables of a model, may take.
MOST_BYTES = 32 << 20
ALL_BYTES = 512 << 20
# What is made while a model is opened must not take long.
MOST_KINDS = 64
# Knots are first placed this far apart, relative to the range.
_FIRST = 1 / 16
# How often the error is measured, at least: in each interval, and on the whole range.
_PROBES, _ALL_PROBES = 3, 4096
# From this many intervals on, a network whose error does not fall has kinks.
_ENOUGH = 512


def is_tabulable(net: Net) -> bool:
    """Return whether a network's precision is one that tables and kernels have."""
    return str(dtype_of(net)) in {"float32", "float64"}


def layers_of(net: Net) -> tuple[Dense, ...]:
    """Return the layers of a network."""
    return net.net.layers if isinstance(net, NetByKind) else net.layers


def dtype_of(net: Net) -> np.dtype[Any]:
    """Return the dtype of a network."""
    dtype: np.dtype[Any] = layers_of(net)[0].weight.dtype
    return dtype


def kinds_of(net: Net) -> int:
    """Return the number of functions that a network is."""
    return net.kinds if isinstance(net, NetByKind) else 1


def most_bytes_of(net: Net, number: int) -> int:
    """Return what the table of one of that many networks may take."""
    return min(MOST_BYTES * kinds_of(net), ALL_BYTES // number)


def tabulate(
    net: Net, lower: float, upper: float, *, most_bytes: int, tolerance: float = TOLERANCE
) -> Table | None:
    """Return a table of a network on a range, or None if none of the allowed size is accurate enough.

    The number of intervals is doubled until the error, measured between the knots, is at most
    ``tolerance`` times the largest value; a network with kinks never gets there.
    """
    wide = map_arrays(lambda x: np.asarray(x, np.float64), net)
    stride, before = (upper - lower) * _FIRST, np.inf
    while True:
        intervals = round((upper - lower) / stride)
        if 3 * 8 * kinds_of(net) * (intervals + 1) * net.widths[1] > most_bytes:
            return None
        knots = _knots(wide, lower, stride, intervals)
        if not np.isfinite(knots).all():
            return None
        table = Table(lower=lower, stride=stride, kinds=kinds_of(net), knots=knots)
        error = table_error(wide, table)
        if error <= tolerance:
            return cast_table(table, net)
        if intervals >= _ENOUGH and error > before / 2:
            return None
        stride, before = stride / 2, error


def table_of(net: Net, lower: float, stride: float, intervals: int) -> Table:
    """Return the table of a network with float64 arrays."""
    knots = _knots(net, lower, stride, intervals)
    return Table(lower=lower, stride=stride, kinds=kinds_of(net), knots=knots)


def _knots(net: Net, lower: float, stride: float, intervals: int) -> Floats:
    places = np.asarray(lower + stride * np.arange(intervals + 1), np.float64)
    value, slope, curvature = derivatives(net, places)
    return np.stack([value, stride * slope, 0.5 * stride * stride * curvature], axis=1)


def cast_table(table: Table, net: Net) -> Table:
    """Return a table in the precision of its network."""
    return table.with_(knots=table.knots.astype(dtype_of(net)))


def table_error(net: Net, table: Table) -> float:
    """Return the largest error of a table between its knots, relative to the largest value."""
    probes = max(_PROBES, -(-_ALL_PROBES // table.intervals))
    places = (np.arange(table.intervals * probes) + 0.5) / probes
    places = table.lower + table.stride * places
    exact = values(net, places)
    error = float(np.max(np.abs(values(table, places) - exact)))
    return error / max(float(np.max(np.abs(exact))), np.finfo(np.float64).tiny)


def values(function: Net | Table, x: Floats) -> Floats:
    """Return the features of all kinds at ``x (n,)``, kind by kind, ``(kind * n, feature)``."""
    kinds = function.kinds if isinstance(function, Table) else kinds_of(function)
    if isinstance(function, MLP):
        found: Floats = function(x[:, None])
    else:
        found = function(np.tile(x, kinds)[:, None], np.repeat(np.arange(kinds), len(x)))
    return found


def derivatives(net: Net, x: Floats) -> tuple[Floats, Floats, Floats]:
    """Return value, first and second derivative of a network of one number at ``x (n,)``.

    Each is ``(kind * n, feature)``, kind by kind.
    """
    y = np.tile(x, kinds_of(net))[:, None]
    jet: tuple[Any, Any, Any] = (y, np.ones_like(y), np.zeros_like(y))
    if isinstance(net, NetByKind):
        constants = np.repeat(net.constants, len(x), axis=0)
        parts = (constants, np.zeros_like(constants), np.zeros_like(constants))
        value, slope, curvature = (
            np.concatenate(pair, axis=1) for pair in zip(jet, parts, strict=True)
        )
        jet = (value, slope, curvature)
    # A derivative may well be constant, which autograd warns of.
    with warnings.catch_warnings(action="ignore", category=UserWarning):
        for layer in layers_of(net):
            jet = _through(layer, jet)
    return jet


def _through(layer: Dense, jet: tuple[Any, Any, Any]) -> tuple[Any, Any, Any]:
    """Carry a value and its two derivatives through a layer."""
    z, z1, z2 = (part @ layer.weight for part in jet)
    z = z if layer.bias is None else z + layer.bias
    f, f1, f2 = _activation(layer.activation_function)
    slope = f1(z)
    parts = [f(z), slope * z1, f2(z) * z1 * z1 + slope * z2]
    if layer.timestep is not None:
        parts = [part * layer.timestep for part in parts]
    if layer.adds_input:
        parts = [part + layer.copies(x) for part, x in zip(parts, jet, strict=True)]
    return parts[0], parts[1], parts[2]


def _activation(name: str) -> tuple[Callable[..., Any], Callable[..., Any], Callable[..., Any]]:
    """Return an activation function and its first two derivatives."""
    from autograd import elementwise_grad

    # Its namespace has derivatives that do not overflow.
    importlib.import_module("dpcore.backend.reference")
    function = activation(name)
    derivative: Any = elementwise_grad
    slope = derivative(function)
    return function, slope, derivative(slope)


def tabulated(
    nets: Sequence[ScalarNet], ranges: Sequence[tuple[float, float]]
) -> tuple[ScalarNet, ...]:
    """Return tables in place of networks, or the networks where one of them has no accurate table.

    Args:
        nets: networks of one number; those that are tables already stay.
        ranges: lower and upper end of what each network is given.
    """
    given = [net for net in nets if not isinstance(net, TabulatedNet)]
    if not all(is_tabulable(net) and kinds_of(net) <= MOST_KINDS for net in given):
        return tuple(nets)
    found: list[ScalarNet] = []
    for net, (lower, upper) in zip(nets, ranges, strict=True):
        if not isinstance(net, TabulatedNet):
            # In single precision a finer table would have steeper differences of rounded numbers.
            tolerance = max(TOLERANCE, float(np.finfo(dtype_of(net)).eps) / 4)
            most_bytes = most_bytes_of(net, len(nets))
            table = tabulate(net, lower, upper, most_bytes=most_bytes, tolerance=tolerance)
            if table is None:
                return tuple(nets)
            net = TabulatedNet(segments=(table,))  # noqa: PLW2901  # the same function
        found.append(net)
    return tuple(found)
