"""Networks of one number as Chebyshev series, which kernels sum up and differentiate by the networks.

In training, the networks change with every step, and each is evaluated, and differentiated twice, for tens of
thousands of neighbours. But they are smooth functions of one number: their values at some hundred places tell
all others to rounding. So in each step the networks are evaluated at these places alone, in array code that
any framework differentiates, and kernels do the rest with the series through them. How fast their last terms
have fallen off tells in each step how accurate they are.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from dpcore.fused.moments import ROW, FusedMoments, PairSettings
from dpcore.fused.table import TabulatedNet
from dpcore.fused.tabulate import dtype_of, is_tabulable
from dpcore.nn import MLP
from dpcore.tree import Module, buffer, map_arrays, setting
from dpcore.xp import namespace, shape

Array = NDArray[Any]

TERMS = 12
"""Terms of a series on an interval, of src/kernels.h of the kernels."""

# How large the last terms may be at first and later on, over the largest one, in units of the last place.
_WANTED, _ALLOWED = 5.0, 100.0

INTERVALS = (8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
"""Numbers of intervals that a network may have."""


class Places(Module, name="places"):
    """Where a network is evaluated.

    Attributes:
        inside: places in the intervals of its series, interval by interval, ``(interval * TERMS, 1)``.
        empty: what it is given for the empty places of its pairs of types, ``(pair, 1)``.
    """

    inside: Any = buffer()
    empty: Any = buffer()


class SeriesMoments(Module, name="series_moments"):
    """Moments of an environment by kernels, from networks that are evaluated at some places alone.

    It is made for training and never stored.

    Attributes:
        fused: what kernels are given, but for the series.
        places: where each network is evaluated.
        transform: makes terms of a series of its values on an interval, ``(TERMS, TERMS)``.
        order: for each pair of types, where its empty places are among those of all networks, ``(pair,)``.
        empty: what the embedding of an empty place of each pair is multiplied by, ``(pair, 4)``.
    """

    fused: FusedMoments
    places: tuple[Places, ...]
    allowed: float = setting(doc="largest last term of accurate series, over the largest term")
    transform: Any = buffer()
    order: Any = buffer(exact=True)
    empty: Any = buffer()

    @classmethod
    def create(
        cls,
        nets: Sequence[MLP | TabulatedNet],
        ranges: Sequence[tuple[float, float]],
        pairs: Sequence[PairSettings],
        empty: Array,
        *,
        least: Sequence[int] = (),
        known: Sequence[int] = (),
        **settings: Any,
    ) -> Self | None:
        """Choose where networks are evaluated, or return None for those that no short series tells.

        Args:
            nets: the networks.
            ranges: lower and upper end of what each is given.
            pairs: settings of all pairs of types, those of the first centre type first.
            empty: what the embedding of an empty place of each pair is multiplied by, ``(pair, 4)``.
            least: intervals that each network is to have at least; nothing for any number.
            known: intervals that each network is to have; nothing to choose them.
            settings: ``rcut``, ``rcut_smth``, ``protection`` and ``ntypes``.
        """
        plain = [net for net in nets if isinstance(net, MLP) and is_tabulable(net)]
        if len(plain) < len(nets):
            return None
        dtype, width = dtype_of(plain[0]), plain[0].widths[1]
        unit = float(np.finfo(dtype).eps)
        intervals = known or _all_intervals(plain, ranges, _WANTED * unit, least)
        if intervals is None or len(intervals) != len(nets):
            return None
        by_net = sorted(range(len(pairs)), key=lambda number: pairs[number].net)
        rows = zip(_starts(intervals, width), ranges, intervals, strict=True)
        told = [[start, ends[0], n / (ends[1] - ends[0]), n] for start, ends, n in rows]
        fused = FusedMoments(
            embedding="series",
            width=width,
            widest=0,
            pairs=np.stack([pair.row(told[pair.net]) for pair in pairs]),
            data=np.zeros(0, dtype),
            empty=np.zeros((0, 4, width), dtype),
            **settings,
        )
        return cls(
            fused=fused,
            places=tuple(
                Places(
                    inside=_places(*ends, n).astype(dtype),
                    empty=np.array([p.of_empty for p in pairs if p.net == net], dtype)[:, None],
                )
                for net, (ends, n) in enumerate(zip(ranges, intervals, strict=True))
            ),
            allowed=_ALLOWED * unit,
            transform=transform().astype(dtype),
            order=np.argsort(by_net),
            empty=empty.astype(dtype),
        )

    @property
    def intervals(self) -> tuple[int, ...]:
        """Number of intervals of each network."""
        return tuple(int(shape(places.inside)[0]) // TERMS for places in self.places)

    def of(self, nets: Sequence[MLP | TabulatedNet]) -> tuple[FusedMoments, Any]:
        """Return what kernels are given for networks, and how accurate that is.

        Returns:
            the moments, and the largest last term of a series over what is allowed, a number.
        """
        each = [self._series(net, places) for net, places in zip(nets, self.places, strict=True)]
        series, empty, last = (list(parts) for parts in zip(*each, strict=True))
        xp = namespace(series[0])
        embedded = xp.take(xp.concat(empty, axis=0), self.order, axis=0)
        fused = self.fused.with_(
            data=xp.concat(series, axis=0), blank=self.empty[:, :, None] * embedded[:, None, :]
        )
        return fused, xp.max(xp.stack(last)) * (1.0 / self.allowed)

    def _series(self, net: MLP | TabulatedNet, places: Places) -> tuple[Any, Any, Any]:
        """Return a network's series as kernels take them, what it gives for empty places, and the last term."""
        xp, inside = namespace(places.inside), shape(places.inside)[0]
        found = net(xp.concat([places.inside, places.empty], axis=0))
        values, empty = xp.split(found, [inside, shape(places.empty)[0]])
        terms = xp.matmul(self.transform, xp.reshape(values, (-1, TERMS, self.fused.width)))
        size = xp.abs(xp.stop_gradient(terms))
        last = xp.max(size[:, TERMS - 2 :, :]) / xp.max(size)
        if extra := -self.fused.width % ROW:
            room = xp.zeros((*shape(terms)[:2], extra), like=terms)
            terms = xp.concat([terms, room], axis=2)
        return xp.reshape(terms, (-1,)), empty, last


@cache
def transform() -> Array:
    """Return what makes terms of a Chebyshev series of values at the zeros of the next polynomial."""
    n = np.arange(TERMS)
    found: Array = np.cos(np.pi * n[:, None] * (n + 0.5) / TERMS) * (2.0 / TERMS)
    found[0] *= 0.5
    return found


def _places(lower: float, upper: float, intervals: int) -> Array:
    """Return where a series on so many intervals needs the values of a function, ``(place, 1)``."""
    zeros = np.cos(np.pi * (np.arange(TERMS) + 0.5) / TERMS)
    each = np.arange(intervals)[:, None] + 0.5 * (zeros + 1.0)
    found: Array = lower + (upper - lower) / intervals * each.reshape(-1, 1)
    return found


def _starts(intervals: Sequence[int], width: int) -> list[int]:
    """Return where the series of each network begin among the numbers that kernels are given."""
    sizes = [n * TERMS * (width + -width % ROW) for n in intervals]
    return [sum(sizes[:n]) for n in range(len(sizes))]


def _all_intervals(
    nets: Sequence[MLP],
    ranges: Sequence[tuple[float, float]],
    wanted: float,
    least: Sequence[int],
) -> list[int] | None:
    """Return how many intervals each network needs; None if no number suffices for one."""
    found = []
    for net, ends, some in zip(nets, ranges, least or [0] * len(nets), strict=False):
        intervals = _intervals(net, *ends, wanted, some)
        if intervals is None:
            return None
        found.append(intervals)
    return found


def _intervals(net: MLP, lower: float, upper: float, wanted: float, least: int) -> int | None:
    """Return how many intervals a network needs; None if there is no number that suffices."""
    wide = map_arrays(lambda x: np.asarray(x, np.float64), net)
    if not np.isfinite([lower, upper]).all() or lower >= upper:
        return None
    for intervals in INTERVALS:
        if intervals < least:
            continue
        values = wide(_places(lower, upper, intervals)).reshape(intervals, TERMS, -1)
        if not np.isfinite(values).all():
            return None
        terms = np.abs(transform() @ values)
        if terms[:, TERMS - 2 :].max() <= wanted * terms.max():
            return intervals
    return None
