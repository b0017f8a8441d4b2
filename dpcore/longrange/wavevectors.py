"""The wave vectors of a cell, and sums over them."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# e² / (4π ε₀) in eV Å, with the digits that DeePMD-kit uses.
COULOMB = 14.39964535475696995031


@dataclass(frozen=True)
class WaveVectors:
    r"""The vectors :math:`m = i\,a^* + j\,b^* + k\,c^*` with ``|i|``, ``|j|``, ``|k|`` up to a number.

    They come in pairs ±m, of which those with ``k ≥ 0`` are kept, on axes ``(i, j, k)``; negative numbers
    come after the positive ones, as in Fourier transforms.

    Attributes:
        cell: lattice vectors as rows, ``(3, 3)``, Å.
        most: the largest number along each axis.
    """

    cell: Floats
    most: tuple[int, int, int]

    @classmethod
    def of_spacing(cls, cell: Floats, spacing: float) -> "WaveVectors":
        """Return the vectors that a mesh of at most a given spacing holds along each lattice vector.

        Args:
            cell: lattice vectors as rows, ``(3, 3)``, Å.
            spacing: the spacing, Å.
        """
        a, b, c = (half_count(float(np.linalg.norm(row)), spacing) for row in cell)
        return cls(cell, (a, b, c))

    @cached_property
    def inverse(self) -> Floats:
        """Inverse of the cell, 1/Å; its columns are the reciprocal lattice vectors."""
        return np.asarray(np.linalg.inv(self.cell), np.float64)

    @cached_property
    def volume(self) -> float:
        """Volume of the cell, Å³."""
        return abs(float(np.linalg.det(self.cell)))

    @cached_property
    def numbers(self) -> tuple[Floats, Floats, Floats]:
        """The numbers along each axis."""
        i, j, k = (np.arange(n + 1.0) for n in self.most)
        return np.concatenate([i, i[:0:-1] * -1]), np.concatenate([j, j[:0:-1] * -1]), k

    @cached_property
    def multiplicity(self) -> Floats:
        """How many vectors each one kept stands for, ``(k,)``."""
        return np.where(self.numbers[2] > 0, 2.0, 1.0)

    @property
    def size(self) -> int:
        """Number of vectors kept."""
        return math.prod(len(axis) for axis in self.numbers)

    @cached_property
    def squared(self) -> Floats:
        """Their squared lengths, ``(i, j, k)``, 1/Å²."""
        metric = self.inverse.T @ self.inverse
        i, j, k = np.ix_(*self.numbers)
        plane = metric[0, 0] * i * i + metric[1, 1] * j * j + 2.0 * metric[0, 1] * i * j
        slope = 2.0 * (metric[0, 2] * i + metric[1, 2] * j)
        total: Floats = plane + (slope + metric[2, 2] * k) * k
        return total

    def coulomb(self, beta: float) -> Floats:
        """Return the potential of Gaussian unit charges, ``(i, j, k)``, eV; 0 for the vector 0.

        Args:
            beta: inverse width of the Gaussians, 1/Å.
        """
        squared = self.squared.copy()
        squared[0, 0, 0] = np.inf
        scale: Floats = np.exp(-((math.pi / beta) ** 2) * squared) / squared
        return scale * (COULOMB / (math.pi * self.volume))

    def second_moment(self, weight: NDArray[Any]) -> Floats:
        """Return ``Σ w m ⊗ m`` over all vectors, ``(3, 3)``, for weights ``(i, j, k)`` equal for ±m."""
        whole = weight * self.multiplicity
        axes, moments = self.numbers, np.empty((3, 3))
        for p in range(3):
            for q in range(p + 1):
                others = tuple({0, 1, 2} - {p, q})
                marginal = whole.sum(axis=others)
                value = (
                    (marginal @ (axes[p] * axes[p])) if p == q else (axes[q] @ marginal @ axes[p])
                )
                moments[p, q] = moments[q, p] = value
        return self.inverse @ moments @ self.inverse.T


def half_count(length: float, spacing: float) -> int:
    """Return half the smallest even number of steps, none longer than ``spacing``, that make a length."""
    steps = int(length / spacing)
    steps += steps * spacing < length
    return (steps + steps % 2) // 2
