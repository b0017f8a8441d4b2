"""Predictions over labels, and how the errors are distributed."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpcore.accuracy.quantities import QUANTITIES
from dpcore.errors import DPError
from dpcore.plots.figure import BLUE, GREY, figure

# Beyond so many points a map of their density says more.
_MANY = 3000
_BINS = 60
# Tails are only seen on a logarithmic axis, which distorts a few values.
_TAILED = 500
_ROW = (8.2, 3.3)  # inches


@dataclass(frozen=True)
class Compared:
    """Labels and predictions of a quantity.

    Attributes:
        title: what it is, with its unit.
        data: the labels, ``(value,)``.
        prediction: what the model gives for them.
    """

    title: str
    data: NDArray[np.float64]
    prediction: NDArray[np.float64]


def read_details(prefix: str) -> list[Compared]:
    """Read the detail files that ``dp test -d PREFIX`` has written.

    Raises:
        DPError: there are none, or one is damaged.
    """
    found = []
    for quantity in QUANTITIES.values():
        if quantity.file is None or quantity.one_file != "run":
            continue
        path = Path(f"{prefix}.{quantity.file}.out")
        if path.is_file():
            per = " per atom" if "peratom" in quantity.file else ""
            title = f"{quantity.title.strip()}{per} ({quantity.unit})"
            found.append(Compared(title, *_columns(path)))
    if not found:
        raise DPError(
            f"{prefix}: no detail files such as {prefix}.e.out; write them: dp test -d {prefix}"
        )
    return found


def _columns(path: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    try:
        rows = np.loadtxt(path, ndmin=2)
    except ValueError as error:
        raise DPError(f"{path}: is no detail file of dp test: {error}") from error
    half = rows.shape[1] // 2
    if not rows.size or rows.shape[1] != 2 * half:
        raise DPError(
            f"{path}: has {rows.shape[1]} columns; labels and predictions are even in number"
        )
    return rows[:, :half].ravel(), rows[:, half:].ravel()


def plot_parity(compared: Sequence[Compared], path: Path) -> None:
    """Draw a row for each quantity: predictions over labels, and the distribution of the errors."""
    with figure(path, _ROW[0], _ROW[1] * len(compared)) as drawn:
        panels = drawn.subplots(len(compared), 2, squeeze=False)
        for (left, right), each in zip(panels, compared, strict=True):
            _draw_parity(left, each)
            _draw_errors(right, each)


def _draw_parity(panel: Any, each: Compared) -> None:
    ends = [
        min(each.data.min(), each.prediction.min()),
        max(each.data.max(), each.prediction.max()),
    ]
    if len(each.data) > _MANY:
        panel.hexbin(each.data, each.prediction, gridsize=70, bins="log", mincnt=1, cmap="Blues")
    else:
        panel.plot(each.data, each.prediction, ".", color=BLUE, markersize=4, alpha=0.6)
    panel.plot(ends, ends, color=GREY, linewidth=0.8)
    panel.set(title=each.title, xlabel="label", ylabel="prediction")
    panel.set_aspect("equal", adjustable="datalim")
    panel.locator_params(nbins=5)  # energies have many digits


def _draw_errors(panel: Any, each: Compared) -> None:
    error = each.prediction - each.data
    rmse, mae = np.sqrt(np.mean(error**2)), np.mean(np.abs(error))
    bins = min(_BINS, int(np.ceil(2 * np.cbrt(len(error)))))  # Rice's rule
    panel.hist(error, bins=bins, color=BLUE, alpha=0.85)
    panel.axvline(0.0, color=GREY, linewidth=0.8)
    panel.set(title=f"RMSE {rmse:.3g}, MAE {mae:.3g}", xlabel="prediction - label", ylabel="number")
    if len(error) > _TAILED and np.count_nonzero(error):
        panel.set_yscale("log")
