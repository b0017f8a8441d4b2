"""Sums from which means and deviations are made, whatever the number of frames."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# The deviation of what was never seen, and the least there is, as in DeePMD-kit.
UNSEEN, LEAST = 0.1, 0.01


@dataclass(frozen=True)
class Sums:
    """What was summed over; all arrays are of one shape.

    Attributes:
        number: how many numbers.
        total: their sum.
        square: the sum of their squares.
    """

    number: Floats
    total: Floats
    square: Floats

    @classmethod
    def none(cls, *sizes: int) -> Self:
        """Return the sums of nothing."""
        return cls(np.zeros(sizes), np.zeros(sizes), np.zeros(sizes))

    @classmethod
    def of_columns(cls, rows: Floats) -> Self:
        """Return the sums of each column of ``(row, column)``."""
        number = np.full(rows.shape[1], float(len(rows)))
        return cls(number, rows.sum(axis=0), np.square(rows).sum(axis=0))

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(
            self.number + other.number, self.total + other.total, self.square + other.square
        )

    def weighted(self, weight: float) -> "Sums":
        """Return the sums with each number counted ``weight`` times."""
        return Sums(weight * self.number, weight * self.total, weight * self.square)

    def mean(self) -> Floats:
        """Return the means; 0 of nothing."""
        return self.total / np.maximum(self.number, 1e-300)

    def deviation(self, least: float = LEAST) -> Floats:
        """Return the standard deviations.

        Args:
            least: what smaller ones become; those of nothing are 0.1.
        """
        square = self.square / np.maximum(self.number, 1e-300)
        found = np.sqrt(np.maximum(square - np.square(self.mean()), 0.0))
        return np.where(self.number > 0, np.where(found < least, least, found), UNSEEN)
