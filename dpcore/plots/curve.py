"""The learning curve."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dpcore.plots.figure import BLUE, GREY, ORANGE, figure

_NAMES = {
    "e": "energy per atom (eV)",
    "f": "force (eV/Å)",
    "fr": "force on atoms (eV/Å)",
    "fm": "force on spins (eV/μB)",
    "v": "virial per atom (eV)",
    "ae": "atomic energy (eV)",
    "pf": "weighted force (eV/Å)",
    "gf": "generalized force",
    "h": "Hessian (eV/Å²)",
}
_KINDS = {"rmse": "RMSE", "mae": "MAE"}
_KINDS_OF_DATA = {"trn": ("training", BLUE, "-"), "val": ("validation", ORANGE, "--")}
# The error, whether it is of training or validation, and the branch of a multi-task model.
_COLUMN = re.compile(r"(.+?)_(trn|val)(?:_(.+))?")
_PANEL = (3.6, 2.5)  # inches


def plot_curve(curve: Mapping[str, np.ndarray], path: Path) -> None:
    """Draw a panel for each error and one for the learning rate.

    Args:
        curve: the columns of the learning curve by name (see :func:`dpcore.train.curve.read_curve`).
        path: the picture.
    """
    parts = {column: match for column in curve if (match := _COLUMN.fullmatch(column))}
    known = {match[1] for column, match in parts.items() if np.isfinite(curve[column]).any()}
    names = list(dict.fromkeys(match[1] for match in parts.values() if match[1] in known))
    branches = list(dict.fromkeys(match[3] or "" for match in parts.values()))
    wide = min(3, len(names) + 1)
    tall = -(-(len(names) + 1) // wide)
    with figure(path, _PANEL[0] * wide, _PANEL[1] * tall) as drawn:
        panels = drawn.subplots(tall, wide, squeeze=False, sharex=True).ravel()
        for panel, name in zip(panels, names, strict=False):
            _draw_error(panel, curve, name, branches)
        rate = panels[len(names)]
        rate.plot(curve["step"], curve["lr"], color=GREY)
        rate.set(title="learning rate", xlabel="step")
        _logarithmic(rate)
        for panel in panels[len(names) + 1 :]:
            panel.set_axis_off()
        for panel in panels[: len(names) + 1][-wide:]:
            panel.set_xlabel("step")
            panel.tick_params(labelbottom=True)
        panels[0].legend()


def _draw_error(
    panel: Any, curve: Mapping[str, np.ndarray], name: str, branches: Sequence[str]
) -> None:
    """Draw the lines of an error, those of branches in colours of their own."""
    for number, branch in enumerate(branches):
        for kind, (label, colour, line) in _KINDS_OF_DATA.items():
            values = curve.get(f"{name}_{kind}_{branch}" if branch else f"{name}_{kind}")
            if values is None or not np.isfinite(values).any():
                continue
            style = {"color": f"C{number}", "linestyle": line} if branch else {"color": colour}
            said = f"{branch}, {label}" if branch else label
            known = np.isfinite(values)
            panel.plot(curve["step"][known], values[known], label=said, linewidth=1.2, **style)
    measure, _, what = name.partition("_")
    said = (
        f"{_KINDS.get(measure, measure)}, {_NAMES.get(what, what)}" if what else "root of the loss"
    )
    panel.set(title=said)
    _logarithmic(panel)


def _logarithmic(panel: Any) -> None:
    """Make an axis logarithmic, with numbers in between too: errors often span less than a decade."""
    from matplotlib.ticker import LogLocator, NullFormatter

    panel.set_yscale("log")
    panel.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    panel.yaxis.set_major_formatter("{x:g}")
    panel.yaxis.set_minor_formatter(NullFormatter())
