"""The file of errors on all validation data, in the columns of DeePMD-kit's ``val.log``."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from dpcore.accuracy.errors import Error
from dpcore.train.lines import Lines
from dpcore.train.validation.quantities import SCALE, Metric

_GAP, _WIDTH, _DIGITS = "   ", 18, 5
_NOTE = "# energies and virials by atom, forces by component, S: stress\n"


class Table:
    """The file.

    Args:
        path: where it is.
        columns: the errors.
        steps: number of all steps, for the width of the first column.
        first: the step that is to come; lines of it and later ones in a file that is there are dropped.
            0 begins a new file.
    """

    def __init__(
        self, path: Path, columns: Sequence[Metric], steps: int, *, first: int = 0
    ) -> None:
        self._columns = tuple(columns)
        self._first_width = max(len("step"), len(str(steps)))
        self._lines = Lines(path, "the errors of validation data", self._head(), first)

    def add(self, step: int, errors: Mapping[str, Error], saved: str | None = None) -> None:
        """Add a line.

        Args:
            step: how many steps have been taken.
            errors: the errors by the names of ``dp test``.
            saved: what is said of a checkpoint that was written, or None.
        """
        values = [metric.value(errors) for metric in self._columns]
        texts = [number(math.nan if value is None else value * SCALE) for value in values]
        cells = [text.center(width) for text, width in zip(texts, self._widths, strict=True)]
        line = f"  {step:^{self._first_width}d}{_GAP}{_GAP.join(cells)}\n"
        self._lines.add(line + (f"# saved best checkpoint: {saved}\n" if saved else ""))

    @property
    def _titles(self) -> list[str]:
        return [f"{m.quantity.symbol}_{m.kind}({m.quantity.unit})" for m in self._columns]

    @property
    def _widths(self) -> list[int]:
        return [max(len(title), _WIDTH) for title in self._titles]

    def _head(self) -> str:
        cells = [t.center(width) for t, width in zip(self._titles, self._widths, strict=True)]
        return f"# {'step':^{self._first_width}}{_GAP}{_GAP.join(cells)}\n{_NOTE}"


def number(value: float) -> str:
    """Return a number with five digits that count, without an exponent unless it is tiny."""
    if not math.isfinite(value) or value == 0.0:
        return f"{value:g}"
    places = _DIGITS - 1 - math.floor(math.log10(abs(value)))
    if places > 16:  # more than a double holds
        return f"{value:.{_DIGITS - 1}e}"
    return f"{round(value, places):.{max(places, 0)}f}"
