"""Errors of predictions, kept as sums so that parts of the data combine exactly."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Predictions = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Comparison:
    """Labels beside predictions.

    Attributes:
        data: the labels, ``(row, column)``.
        prediction: what the model gives for them, ``(row, column)``.
        weight: how much each row counts, ``(row, 1)``; None where all count one.
        counts: number of rows of each frame, ``(frame,)``; None where each has one.
    """

    data: Array
    prediction: Array
    weight: Array | None = None
    counts: NDArray[np.int64] | None = None

    def divided(self, by: NDArray[Any]) -> "Comparison":
        """Return labels and predictions divided by a number for each row, ``(row, 1)``."""
        return Comparison(self.data / by, self.prediction / by)

    def by_frame(self) -> Iterator[tuple[Array, Array]]:
        """Yield the labels and the predictions of each frame."""
        counts = np.ones(len(self.data), np.int64) if self.counts is None else self.counts
        ends = np.cumsum(counts)[:-1]
        yield from zip(np.split(self.data, ends), np.split(self.prediction, ends), strict=True)


Compared = dict[str, Comparison]


@dataclass(frozen=True)
class Error:
    """The error of one quantity over any number of values.

    Attributes:
        absolute: weighted sum of the absolute differences.
        squared: weighted sum of the squared differences.
        weight: sum of the weights, which is the number of values where each counts one.
    """

    absolute: float
    squared: float
    weight: float

    @classmethod
    def of(cls, comparison: Comparison) -> Self:
        """Return the error between labels and predictions."""
        difference = np.abs(comparison.prediction - comparison.data)
        weight = np.ones_like(difference)
        if comparison.weight is not None:
            weight *= comparison.weight
        absolute, squared = difference * weight, difference**2 * weight
        return cls(float(absolute.sum()), float(squared.sum()), float(weight.sum()))

    def __add__(self, other: Self) -> Self:
        return type(self)(
            self.absolute + other.absolute,
            self.squared + other.squared,
            self.weight + other.weight,
        )

    @property
    def mae(self) -> float:
        """Mean absolute error."""
        return self.absolute / self.weight

    @property
    def rmse(self) -> float:
        """Root mean square error."""
        return math.sqrt(self.squared / self.weight)


@dataclass(frozen=True)
class SystemErrors:
    """The errors over the frames of one data system.

    Attributes:
        path: where the system was read from.
        nframes: number of frames tested.
        errors: the error of each quantity that has labels, by the names of
            :data:`~dpcore.accuracy.quantities.QUANTITIES`.
        missing: labels that the model predicts and the system lacks.
    """

    path: str
    nframes: int
    errors: Mapping[str, Error]
    missing: tuple[str, ...] = ()


def merge(parts: Iterable[Mapping[str, Error]]) -> dict[str, Error]:
    """Return the errors over all parts of some data, as if they had been tested at once."""
    total: dict[str, Error] = {}
    for part in parts:
        for name, error in part.items():
            total[name] = total[name] + error if name in total else error
    return total


def weighted_average(systems: Iterable[SystemErrors]) -> dict[str, Error]:
    """Return the errors over all systems, each weighted by its number of values.

    As in DeePMD-kit: absolute errors are averaged, and of the squares the root of the average is taken.
    """
    return merge(system.errors for system in systems)
