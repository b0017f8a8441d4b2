"""The comparison as one HTML page that needs nothing else."""

import importlib.util
import math
from pathlib import Path
from typing import Any

from dpcore.errors import DPError
from dpcore.parity.result import BackendResult, ParityResult, Status
from dpcore.parity.table import VERDICTS, closing, facts, scientific
from dpcore.parity.text import one_line

PACKAGES = ("jinja2", "matplotlib")
FLOOR = 1e-18
"""Differences at and below which the bar of a table cell is empty."""

MARKS = {
    Status.REFERENCE: "●",
    Status.AGREES: "✓",
    Status.DISAGREES: "✗",
    Status.FAILED: "✗",
    Status.MISSING: "·",
}


def check_packages() -> None:
    """Raise unless everything that a report takes is installed.

    Raises:
        DPError: a package is missing.
    """
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise DPError(f"report: needs {' and '.join(missing)}: pip install 'dpcore[plot]'")


def as_html(result: ParityResult) -> str:
    """Return a page with the table, plots of every backend, and what it was made with.

    Args:
        result: the comparison.

    Raises:
        DPError: jinja2 or matplotlib is not installed.
    """
    check_packages()
    import jinja2
    from markupsafe import Markup

    from dpcore.parity.figures import plots

    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(
        loader=loader,
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"scientific": scientific, "line": one_line, "bar": _bar}
    # The plots hold no text but this module's own.
    drawn = {id(b): Markup(plots(result, b)) for b in result.compared}  # noqa: S704
    return environment.get_template("report.html.j2").render(
        result=result,
        facts=facts(result),
        closing=closing(result),
        quantities=result.quantities,
        marks=MARKS,
        verdicts=VERDICTS,
        details=[_detail(result, backend, drawn.get(id(backend))) for backend in result.backends],
    )


def _detail(result: ParityResult, backend: BackendResult, plot: Any) -> dict[str, Any]:
    """Return what the page says about one backend beside its row in the table."""
    places = [
        {"difference": difference, "place": result.place(difference)}
        for difference in backend.differences
    ]
    return {"backend": backend, "plot": plot, "places": places}


def _bar(largest: float, tolerance: float) -> int:
    """Return how much of the way to the tolerance a difference is, on a logarithmic scale, in %."""
    if not largest <= tolerance:
        return 100
    if largest <= FLOOR or tolerance <= FLOOR:
        return 0
    return round(100 * math.log10(largest / FLOOR) / math.log10(tolerance / FLOOR))
