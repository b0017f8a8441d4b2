"""Plots of a backend's numbers against the reference's, as SVG that takes its colours from the page."""

import io
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpcore.frames import Floats
from dpcore.parity.quantities import Quantity
from dpcore.parity.result import BackendResult, ParityResult

MOST_POINTS = 20_000
"""Points in a plot; of more, the worst and a random choice of the others are drawn."""

WIDTH = 10.4
"""Width of a page's plots, inches."""

# Both are readable on a light and on a dark page.
GOOD, BAD = "#2f80ed", "#e5484d"

# Stand-ins that the page's own colours replace.
INK, GRID, LINE = "#010101", "#020202", "#030303"
VARIABLES = {INK: "var(--ink)", GRID: "var(--grid)", LINE: "var(--muted)"}

STYLE = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.edgecolor": GRID,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "xtick.color": GRID,
    "ytick.color": GRID,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "mathtext.default": "regular",
}

NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))


@dataclass(frozen=True, eq=False)
class _Points:
    """Finite pairs of values to draw, and which differ by more than is allowed."""

    truth: Floats
    found: Floats
    limit: float
    hidden: int

    @property
    def delta(self) -> Floats:
        return np.asarray(np.abs(self.found - self.truth))

    @property
    def bad(self) -> Any:
        return ~(self.delta <= self.limit)


def plots(result: ParityResult, backend: BackendResult) -> str:
    """Return the plots of one backend as an SVG element.

    Above, each quantity's prediction over the reference; below, the size of the difference over the
    size of the reference with the tolerance as a line.

    Args:
        result: the comparison.
        backend: one of its backends that has numbers.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    style: Any = {**STYLE, "svg.hashsalt": backend.name}
    with mpl.rc_context(style):
        columns = len(backend.differences)
        figure = Figure(figsize=(max(WIDTH, 0.3 * WIDTH * columns), 5.6), layout="constrained")
        axes = figure.subplots(2, columns, height_ratios=(1.35, 1), squeeze=False)
        for column, difference in enumerate(backend.differences):
            points = _points(result, backend, difference.quantity, difference.tolerance)
            _draw_parity(axes[0, column], points, difference.quantity)
            _draw_residual(axes[1, column], points, difference.quantity)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", dpi=180, transparent=True, metadata=NO_METADATA)
    return _inline(buffer.getvalue())


def _points(
    result: ParityResult, backend: BackendResult, quantity: Quantity, limit: float
) -> _Points:
    assert result.reference.values is not None
    assert backend.values is not None
    truth = np.ravel(result.reference.values[quantity.name])
    found = np.ravel(backend.values[quantity.name])
    finite = np.isfinite(truth) & np.isfinite(found)
    truth, found = truth[finite], found[finite]
    if len(truth) > MOST_POINTS:
        kept = _kept(truth, found)
        truth, found = truth[kept], found[kept]
    return _Points(truth, found, limit, int(np.count_nonzero(~finite)))


def _kept(truth: Floats, found: Floats) -> NDArray[np.int64]:
    """Return which points to draw of too many: those that differ most, others by chance."""
    chance = np.random.default_rng(0).random(len(truth))
    chance[np.argsort(-np.abs(found - truth))[: MOST_POINTS // 10]] = -1.0
    return np.argsort(chance)[:MOST_POINTS]


def _draw_parity(axes: Any, points: _Points, quantity: Quantity) -> None:
    axes.set_title(f"{quantity.label}, {quantity.unit}", loc="left")
    axes.set(xlabel="reference", ylabel="prediction")
    if not len(points.truth):
        _draw_nothing(axes)
        return
    both = np.concatenate([points.truth, points.found])
    margin = 0.05 * (np.ptp(both) or 1.0)
    ends = (both.min() - margin, both.max() + margin)
    axes.plot(ends, ends, color=LINE, linewidth=1, zorder=1)
    axes.set(xlim=ends, ylim=ends)
    axes.locator_params(nbins=5)
    _scatter(axes, points, points.truth, points.found)
    _note(axes, points)


def _draw_residual(axes: Any, points: _Points, quantity: Quantity) -> None:
    axes.set(xlabel="|reference|", ylabel=quantity.delta)
    if not len(points.truth):
        _draw_nothing(axes)
        return
    size, delta = np.abs(points.truth), points.delta
    bounded = 0 < points.limit < np.inf
    left, right = _decades(size)
    low, high = _decades(np.append(delta, points.limit / 3) if bounded else delta)
    axes.set(xscale="log", yscale="log", xlim=(left, right), ylim=(low, 10 * high))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_formatter("")
    # Zeros have no place on these scales: they are drawn on the edge.
    _scatter(axes, points, np.maximum(size, left), np.maximum(delta, low))
    if bounded:
        _draw_limit(axes, points.limit)


def _draw_limit(axes: Any, limit: float) -> None:
    axes.axhline(limit, color=LINE, linewidth=1.2, linestyle=(0, (4, 2)))
    axes.annotate(
        f"tolerance {limit:.0e}",
        (0.01, limit),
        (0, 3),
        xycoords=axes.get_yaxis_transform(),
        textcoords="offset points",
        fontsize=8,
    )


def _decades(values: Floats) -> tuple[float, float]:
    """Return the powers of ten around all values but zero, at least two apart."""
    exponents = np.log10(values[values > 0]) if (values > 0).any() else np.zeros(1)
    low, high = np.floor(exponents.min()), np.ceil(exponents.max())
    return float(10.0**low), float(10.0 ** max(high, low + 1))


def _scatter(axes: Any, points: _Points, x: Floats, y: Floats) -> None:
    shared: dict[str, Any] = {"rasterized": True, "linewidths": 0, "zorder": 2, "clip_on": False}
    alpha = float(np.clip(30.0 / np.sqrt(len(x)), 0.25, 0.8))
    good = ~points.bad
    axes.scatter(x[good], y[good], s=12, color=GOOD, alpha=alpha, **shared)
    shared |= {"linewidths": 1.2, "zorder": 3}
    axes.scatter(x[points.bad], y[points.bad], s=22, color=BAD, marker="x", **shared)


def _note(axes: Any, points: _Points) -> None:
    if points.hidden:
        text = f"{points.hidden} not finite"
        axes.text(0.04, 0.92, text, transform=axes.transAxes, color=BAD, fontweight="bold")


def _draw_nothing(axes: Any) -> None:
    axes.set(xticks=[], yticks=[])
    axes.minorticks_off()
    axes.text(0.5, 0.5, "no finite numbers", transform=axes.transAxes, ha="center", color=BAD)


def _inline(svg: str) -> str:
    """Return only the element, without what a page does not need, in the page's colours."""
    element = svg[svg.index("<svg") :]
    head, _, body = element.partition(">")
    box = re.search(r'viewBox="[^"]*"', head)
    assert box is not None
    for colour, variable in VARIABLES.items():
        body = body.replace(colour, variable)
    return f'<svg {box[0]} role="img" aria-hidden="true">{body}'
