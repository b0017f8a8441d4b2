"""How pictures look, and how they are written."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dpcore.errors import DPError

SUFFIXES = ("png", "svg", "pdf")

# Told apart by the colour-blind too (Okabe and Ito).
BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "#777777"

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "dpcore",
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.titlesize": 10,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.7,
    "legend.frameon": False,
}


@contextmanager
def figure(path: Path, width: float, height: float) -> Iterator[Any]:
    """Yield a Matplotlib figure, which is written in one piece when all is drawn on it.

    Args:
        path: the file; its suffix says what kind of picture it is.
        width: of the figure, inches.
        height: of the figure, inches.

    Raises:
        DPError: an unknown suffix, a folder that does not exist, or no Matplotlib.
    """
    if path.suffix.lstrip(".") not in SUFFIXES:
        raise DPError(f"{path}: unknown kind of picture; allowed: {', '.join(SUFFIXES)}")
    if not path.parent.is_dir():
        raise DPError(f"{path}: {path.parent} is no folder; create it first")
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError as error:
        raise DPError("pictures need Matplotlib: pip install dpcore[plot]") from error
    with mpl.rc_context(_STYLE):
        drawn = Figure(figsize=(width, height), layout="constrained", facecolor="white")
        yield drawn
        aside = path.with_name(f".{path.stem}.{secrets.token_hex(8)}{path.suffix}")
        try:
            drawn.savefig(aside, dpi=160)
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)
