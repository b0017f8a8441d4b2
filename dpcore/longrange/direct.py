"""Sums over plane waves without approximation."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpcore.longrange.separable import Basis, gather, scatter
from dpcore.longrange.wavevectors import Floats, WaveVectors

# How many products of two plane waves are held at a time.
BLOCK = 1 << 18


class DirectSum:
    """Plane waves at some points, evaluated one by one in blocks of points.

    Args:
        waves: the wave vectors.
        points: fractional coordinates, ``(point, 3)``.
    """

    def __init__(self, waves: WaveVectors, points: Floats) -> None:
        self._waves, self._points = waves, points

    def structure(self, charge: Floats) -> NDArray[np.complex128]:
        """Return the structure factors ``Σ q exp(-2πi m·r)``, ``(i, j, k)``."""
        total = np.zeros(tuple(map(len, self._waves.numbers)), np.complex128)
        for block in self._blocks():
            x, y, z = self._basis(self._points[block], 0)
            total += scatter(charge[block], (x, y, z))
        return total.conj()

    def derivatives(
        self, coefficients: NDArray[np.complex128], wanted: Sequence[tuple[int, int, int]]
    ) -> Floats:
        """Return derivatives of ``Σ c exp(2πi m·r)`` by the fractional coordinates.

        Args:
            coefficients: ``(i, j, k)``; those of -m are the complex conjugates.
            wanted: how often to differentiate along each axis.

        Returns:
            ``(point, derivative)``.
        """
        whole = coefficients * self._waves.multiplicity
        order = max(max(d) for d in wanted)
        rows = [
            gather(whole, self._basis(self._points[block], order), wanted)
            for block in self._blocks()
        ]
        return np.concatenate(rows, axis=0)

    def _blocks(self) -> Iterator[slice]:
        i, j, _ = self._waves.numbers
        step = max(1, BLOCK // (len(i) * len(j)))
        for start in range(0, max(1, len(self._points)), step):
            yield slice(start, start + step)

    def _basis(self, points: Floats, order: int) -> Basis:
        """Return the plane waves along each axis and their derivatives."""
        x, y, z = (
            self._along(points[:, axis], numbers, order)
            for axis, numbers in enumerate(self._waves.numbers)
        )
        return x, y, z

    @staticmethod
    def _along(u: Floats, numbers: Floats, order: int) -> list[NDArray[np.complex128]]:
        waves: Any = np.exp(2j * np.pi * np.outer(u, numbers))
        return [waves * (2j * np.pi * numbers) ** n for n in range(order + 1)]
