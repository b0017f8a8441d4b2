"""Sums over plane waves by a particle mesh: charges are spread on a mesh and Fourier transformed.

The result holds the same wave vectors as the direct sum; the mesh is finer than they need, and the window's
transform is divided out, so that only rounding-like errors remain.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dpcore.longrange.separable import Basis, gather, scatter
from dpcore.longrange.wavevectors import Floats, WaveVectors
from dpcore.longrange.window import FINER, WIDTH, transform, window

Complexes = NDArray[np.complex128]

# Edge, in mesh points, of the bricks whose charges are spread together by matrix products.
BRICK = 16

# How many charges of a brick are held at a time.
CROWD = 1024

# How far the extended mesh is shifted, in mesh points, so that all windows of a brick begin in it.
SHIFT = WIDTH // 2 - 1


@dataclass(frozen=True)
class Brick:
    """Some points and the part of the mesh that their windows reach.

    Attributes:
        points: which points, ``(point,)``.
        part: their part of the extended mesh.
        basis: windows along each axis.
    """

    points: NDArray[np.int64]
    part: tuple[slice, slice, slice]
    basis: Basis


class ParticleMesh:
    """Plane waves at some points by way of a mesh.

    Args:
        waves: the wave vectors.
        points: fractional coordinates in ``[0, 1)``, ``(point, 3)``.
    """

    def __init__(self, waves: WaveVectors, points: Floats) -> None:
        self._sizes = tuple(smooth_size(FINER * (2 * n + 1)) for n in waves.most)
        self._counts = tuple(len(axis) for axis in waves.numbers)
        self._scaled = points * self._sizes
        self._extended = tuple(-(-n // BRICK) * BRICK + WIDTH for n in self._sizes)
        i, j, k = (
            _sharpening(axis / n) for axis, n in zip(waves.numbers, self._sizes, strict=True)
        )
        self._sharpen = i[:, None, None] * j[:, None] * k

    def structure(self, charge: Floats) -> Complexes:
        """Return the structure factors ``Σ q exp(-2πi m·r)``, ``(i, j, k)``."""
        mesh = np.zeros(self._extended)
        for brick in self._bricks(0):
            mesh[brick.part] += scatter(charge[brick.points], brick.basis)
        for axis, n in enumerate(self._sizes):
            mesh = folded(mesh, n, axis)
        return self._sharpen * self._analysed(mesh)

    def derivatives(
        self, coefficients: Complexes, wanted: Sequence[tuple[int, int, int]]
    ) -> Floats:
        """Return derivatives of ``Σ c exp(2πi m·r)`` by the fractional coordinates.

        They are derivatives of the interpolated function, so that forces are those of the mesh's energy.

        Args:
            coefficients: ``(i, j, k)``; those of -m are the complex conjugates.
            wanted: how often to differentiate along each axis.

        Returns:
            ``(point, derivative)``.
        """
        mesh = self._synthesised(self._sharpen.conj() * coefficients)
        beyond = [(0, e - n) for e, n in zip(self._extended, self._sizes, strict=True)]
        mesh = np.pad(mesh, beyond, mode="wrap")
        out = np.empty((len(self._scaled), len(wanted)))
        for brick in self._bricks(max(max(d) for d in wanted)):
            out[brick.points] = gather(mesh[brick.part], brick.basis, wanted)
        steps = np.array(self._sizes, np.float64) ** np.array(wanted)
        derivatives: Floats = out * np.prod(steps, axis=1)
        return derivatives

    def _analysed(self, mesh: Floats) -> Complexes:
        """Return the Fourier transform of a mesh at the wave vectors."""
        i, j, k = self._counts
        found = np.fft.rfft(mesh, axis=2)[:, :, :k]
        found = _low(np.fft.fft(found, axis=1), j, 1)
        return _low(np.fft.fft(found, axis=0), i, 0)

    def _synthesised(self, coefficients: Complexes) -> Floats:
        """Return the sum of plane waves on the mesh."""
        x, y, z = self._sizes
        found = np.fft.ifft(_padded(coefficients, x, 0), axis=0, norm="forward")
        found = np.fft.ifft(_padded(found, y, 1), axis=1, norm="forward")
        return np.fft.irfft(found, z, axis=2, norm="forward")

    def _bricks(self, order: int) -> Iterator[Brick]:
        """Return the points brick by brick."""
        first = np.floor(self._scaled).astype(np.int64)
        bricks = np.minimum(first, np.array(self._sizes) - 1) // BRICK
        shape = tuple(e // BRICK + 1 for e in self._extended)
        number = np.asarray(np.ravel_multi_index(tuple(bricks.T), shape))
        sequence = np.argsort(number, kind="stable")
        ends = np.flatnonzero(np.diff(number[sequence])) + 1
        crowds = np.arange(CROWD, len(sequence), CROWD)
        for members in np.split(sequence, np.union1d(ends, crowds)):
            corner = bricks[members[0]] * BRICK
            x, y, z = (
                self._windows(self._scaled[members, axis] - corner[axis], order)
                for axis in range(3)
            )
            a, b, c = (slice(start, start + BRICK + WIDTH) for start in corner.tolist())
            yield Brick(members, (a, b, c), (x, y, z))

    @staticmethod
    def _windows(place: Floats, order: int) -> list[Floats]:
        """Return the windows of points that are ``place`` mesh points from a brick's corner."""
        return window(place[:, None] - (np.arange(BRICK + WIDTH) - SHIFT), order)


def smooth_size(least: int) -> int:
    """Return the smallest even number of at least ``least`` whose prime factors are 2, 3 and 5."""

    def rest(size: int) -> int:
        for prime in (2, 3, 5):
            while size % prime == 0:
                size //= prime
        return size

    return next(size for size in itertools.count(least + least % 2, 2) if rest(size) == 1)


def folded(mesh: Floats, size: int, axis: int) -> Floats:
    """Return a mesh of period ``size`` along an axis, with what lies beyond added where it belongs."""
    rows = np.moveaxis(mesh, axis, 0)
    out = rows[:size].copy()
    for start in range(size, len(rows), size):
        beyond = rows[start : start + size]
        out[: len(beyond)] += beyond
    return np.moveaxis(out, 0, axis)


def _sharpening(frequency: Floats) -> Complexes:
    """Return what undoes the window and the shift of the extended mesh, by periods per mesh point."""
    shift: Complexes = np.exp(2j * np.pi * SHIFT * frequency)
    return shift / transform(frequency)


def _low(values: Complexes, count: int, axis: int) -> Complexes:
    """Return the ``count`` lowest frequencies of an axis."""
    half = count // 2
    positive = np.take(values, range(half + 1), axis)
    return np.concatenate([positive, np.take(values, range(-half, 0), axis)], axis)


def _padded(values: Complexes, size: int, axis: int) -> Complexes:
    """Return an axis of frequencies with zeros for those between the lowest and ``size``."""
    half = values.shape[axis] // 2
    gap = list(values.shape)
    gap[axis] = size - values.shape[axis]
    positive, negative = np.split(values, [half + 1], axis)
    return np.concatenate([positive, np.zeros(gap, values.dtype), negative], axis)
