"""Periodic images and the bins they are compared in."""

import dataclasses as dc
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dpcore.neighbours.cell import Box

_ROWS = 50_000
"""Candidate pairs compared at once: memory stays bounded and the processor's cache warm."""
_CENTRES = 2_000
"""Atoms whose bins are looked up at once."""
_PER_CUTOFF = np.array([3.0, 3.0, 8.0])
"""Bins per cutoff along each axis: thin layers, so that a run of them fits a chord closely."""
_MOST_BINS = 2**20
"""Bins along an axis at most: the number of a bin fits an integer however far atoms lie apart."""
_TABLE = 32
"""Bins per image up to which there is a table of bins; where space is emptier, runs are searched for."""

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Images:
    """Hold copies of atoms.

    Attributes:
        atom: (image,) index of the atom.
        shift: (3, image) what it is moved by, whole numbers of lattice vectors.
        position: (3, image) Å.
    """

    atom: Indices
    shift: Indices
    position: Floats

    def take(self, rows: Indices) -> "Images":
        """Return some of the images."""
        return Images(self.atom[rows], self.shift[:, rows], self.position[:, rows])


@dataclass(frozen=True)
class Near:
    """Hold pairs of the centres from start to stop with images: indices (pair,), centres ascending."""

    start: int
    stop: int
    centre: Indices
    image: Indices


def images_of(coord: Floats, box: Box, cutoff: float) -> Images:
    """List every image that may lie within the cutoff of an atom.

    Args:
        coord: (atom, 3) positions inside the cell, Å.
        box: The cell.
        cutoff: Å.

    Returns:
        The images; those that are the atoms themselves have no shift.
    """
    inverse = np.linalg.inv(box.cell)
    fraction = coord @ inverse
    reach = cutoff * np.linalg.norm(inverse, axis=0)
    low, high = fraction.min(axis=0) - reach, fraction.max(axis=0) + reach
    atom, shift = np.arange(len(coord)), np.zeros((3, len(coord)), np.int64)
    for axis in np.flatnonzero(box.pbc):
        # A shift along one axis leaves the other fractions, so each axis prunes on its own.
        place = fraction[atom, axis]
        first = np.ceil(low[axis] - place).astype(np.int64)
        row, step = _expand(np.floor(high[axis] - place).astype(np.int64) - first + 1)
        atom, shift = atom[row], shift[:, row]
        shift[axis] = first[row] + step
    return Images(atom, shift, np.ascontiguousarray((coord[atom] + shift.T @ box.cell).T))


@dataclass(frozen=True)
class Bins:
    """Hold images sorted by bin; the bins form columns along z.

    Attributes:
        images: The images, sorted.
        key: (image,) the number of the bin of each, consecutive along z.
        cutoff: Å.
        origin: (3,) Å.
        width: (3,) Å.
        size: (3,) number of bins along each axis.
        pad: (3,) how many of these on either side are empty.
    """

    images: Images
    key: Indices
    cutoff: float
    origin: Floats
    width: Floats
    size: Indices
    pad: Indices

    @classmethod
    def of(cls, images: Images, cutoff: float) -> "Bins":
        """Sort images into bins that suit a cutoff."""
        extent = np.ptp(images.position, axis=1)
        width = np.maximum(cutoff / _PER_CUTOFF, extent / _MOST_BINS)
        # Empty bins around the occupied ones keep a reach over the edge out of the next column.
        pad = np.ceil(cutoff / width).astype(np.int64)
        size = np.floor(extent / width).astype(np.int64) + 1 + 2 * pad
        origin = images.position.min(axis=1)
        bins = cls(images, np.zeros(0, np.int64), cutoff, origin, width, size, pad)
        key = bins.keys(images.position)
        order = np.argsort(key, kind="stable")
        return dc.replace(bins, images=images.take(order), key=key[order])

    def keys(self, position: Floats) -> Indices:
        """Return the number (row,) of the bin of each position (3, row)."""
        away = (position - self.origin[:, None]) / self.width[:, None]
        x, y, z = np.floor(away).astype(np.int64) + self.pad[:, None]
        return np.asarray((x * self.size[1] + y) * self.size[2] + z, dtype=np.int64)

    def near(self, coord: Floats) -> Iterator[Near]:
        """Give all pairs of atoms (atom, 3) with images within the cutoff, a run of centres at a time."""
        begin, (offset, reach) = self._begin(), self._columns()
        place = np.ascontiguousarray(coord.T)
        for start in range(0, len(coord), _CENTRES):
            bins = self.keys(place[:, start : start + _CENTRES])[:, None] + offset
            first = begin(bins - reach)
            count = begin(bins + (reach + 1)) - first
            for part in _blocks(count.sum(axis=1)):
                centre = np.arange(start + part.start, start + part.stop)
                yield self._compare(place, centre, first[part], count[part])

    def _compare(self, place: Floats, rows: Indices, first: Indices, count: Indices) -> Near:
        """Compare centres (row,) with runs (row, column) of images."""
        runs = count.ravel()
        image = np.arange(runs.sum())
        image += np.repeat(first.ravel() - (np.cumsum(runs) - runs), runs)
        centre = np.repeat(rows, count.sum(axis=1))
        square = np.zeros(len(image))
        for here, there in zip(place, self.images.position, strict=True):
            step = there.take(image)
            step -= here.take(centre)
            step *= step
            square += step
        near = np.flatnonzero(square <= self.cutoff * self.cutoff)
        return Near(int(rows[0]), int(rows[-1]) + 1, centre[near], image[near])

    def _begin(self) -> Callable[[Indices], Indices]:
        """Return a function from the numbers of bins to the first image there or behind."""
        total = float(np.prod(self.size, dtype=np.float64))
        if total > _TABLE * len(self.key):
            return lambda key: np.searchsorted(self.key, key)
        table = np.zeros(int(total) + 1, np.int64)
        np.cumsum(np.bincount(self.key, minlength=int(total)), out=table[1:])
        return table.take

    def _columns(self) -> tuple[Indices, Indices]:
        """Return, for each column near a bin, the distance in numbers and the reach in layers."""
        a, b = (np.arange(-n, n + 1) for n in self.pad[:2])
        gap = [np.maximum(np.abs(k) - 1, 0) * w for k, w in zip((a, b), self.width, strict=False)]
        square = self.cutoff**2 - gap[0][:, None] ** 2 - gap[1] ** 2
        offset = (a[:, None] * self.size[1] + b) * self.size[2]
        reach = np.ceil(np.sqrt(np.maximum(square, 0.0)) / self.width[2]).astype(np.int64)
        return offset[square >= 0.0], reach[square >= 0.0]


def _expand(count: Indices) -> tuple[Indices, Indices]:
    """Repeat row k count[k] times; return the row and the running number within it."""
    row = np.repeat(np.arange(len(count)), count)
    return row, np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)


def _blocks(count: Indices) -> Iterator[slice]:
    """Cut rows into runs of about as many candidates as may be held at once."""
    total = np.cumsum(count)
    cuts = np.searchsorted(total, np.arange(_ROWS, total[-1], _ROWS), "right")
    yield from itertools.starmap(slice, itertools.pairwise(np.unique([0, *cuts, len(count)])))
