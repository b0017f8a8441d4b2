"""The learning curve: errors along the way, in the columns of DeePMD-kit's ``lcurve.out``."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dpcore.errors import DPError
from dpcore.train.lines import Lines

_NOTE = "# If there is no available reference data, rmse_*_{val,trn} will print nan\n"


@dataclass(frozen=True)
class Errors:
    """Errors over some frames, kept as sums.

    Attributes:
        loss: sum of the losses of batches, and the number of these.
        each: by name, the sum over frames and the number of these.
    """

    loss: tuple[float, int]
    each: Mapping[str, tuple[float, float]]

    def __add__(self, other: "Errors") -> "Errors":
        names = {**self.each, **other.each}
        return Errors(
            (self.loss[0] + other.loss[0], self.loss[1] + other.loss[1]),
            {name: _sum(self.each.get(name), other.each.get(name)) for name in names},
        )

    def values(self) -> dict[str, float]:
        """Return the errors by the names of the columns; nan where no frame has the label."""
        total, batches = self.loss
        found = {"rmse": math.sqrt(total / batches) if batches else math.nan}
        for name, (value, number) in self.each.items():
            mean = value / number if number else math.nan
            found[name] = math.sqrt(mean) if name.startswith("rmse") else mean
        return found


def _sum(a: tuple[float, float] | None, b: tuple[float, float] | None) -> tuple[float, float]:
    (x, n), (y, m) = a or (0.0, 0.0), b or (0.0, 0.0)
    return x + y, n + m


@dataclass(frozen=True)
class Shown:
    """Errors of a task that a line shows.

    Attributes:
        training: errors of training data by name.
        validation: those of validation data, or None.
    """

    training: Mapping[str, float]
    validation: Mapping[str, float] | None = None


@dataclass(frozen=True)
class Columns:
    """The columns of a task.

    Attributes:
        names: the errors in their order.
        validation: whether there are errors of validation data too.
    """

    names: tuple[str, ...]
    validation: bool

    @property
    def all(self) -> tuple[str, ...]:
        """The errors with the root of the loss before them."""
        return ("rmse", *self.names)


class Curve:
    """The file.

    Args:
        path: where it is.
        columns: the columns of each task, by its name.
        first: the step that is to come; lines of it and later ones in a file that is there are dropped.
            0 begins a new file.
    """

    def __init__(self, path: Path, columns: Mapping[str, Columns], first: int = 0) -> None:
        self._columns = columns
        self._lines = Lines(path, "the learning curve", self._head(), first)

    def add(self, step: int, shown: Mapping[str, Shown], rate: float) -> None:
        """Add a line.

        Args:
            step: how many steps have been taken.
            shown: the errors of each task.
            rate: the learning rate.
        """
        line = f"{step:7d}"
        for task, columns in self._columns.items():
            errors = shown[task]
            for name in columns.all:
                values = [errors.training.get(name, math.nan)]
                if columns.validation:
                    values.insert(0, (errors.validation or {}).get(name, math.nan))
                line += "  " + "".join(f" {value:11.2e}" for value in values)
        self._lines.add(f"{line}   {rate:8.1e}\n")

    def _head(self) -> str:
        line = "#  step"
        for task, columns in self._columns.items():
            end = f"_{task}" if task else ""
            kinds = ("val", "trn") if columns.validation else ("trn",)
            for name in columns.all:
                line += "  " + "".join(f" {f'{name}_{kind}{end}':>11}" for kind in kinds)
        return f"{line}   {'lr':>8}\n{_NOTE}"


def read_curve(path: Path) -> dict[str, np.ndarray]:
    """Return the columns of a learning curve by name.

    Raises:
        DPError: the file is missing or no learning curve.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DPError(f"{path}: cannot be read: {error}") from error
    names = text.split("\n", 1)[0].lstrip("#").split()
    rows = [line.split() for line in text.splitlines() if line.strip() and line[0] != "#"]
    if "step" not in names or any(len(row) != len(names) for row in rows):
        raise DPError(
            f"{path}: is no learning curve: a head beginning with '# step' and its columns"
        )
    try:
        values = np.array(rows, dtype=np.float64).reshape(-1, len(names))
    except ValueError as error:
        raise DPError(f"{path}: {error}; a learning curve holds numbers") from error
    return {name: values[:, i] for i, name in enumerate(names)}
