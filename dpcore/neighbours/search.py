"""Candidates for pairs, found among explicit images, and their order."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dpcore.errors import DPError
from dpcore.neighbours.cell import Box, check_coordinates, check_density, usable_box
from dpcore.neighbours.images import Bins, Floats, Indices, Near, images_of

_MARGIN = 1e-12
"""What a search adds to the cutoff, relative to the largest length, so that no rounding loses pairs."""
_KEY_BITS = 63
_DISTANCE_BITS = 52


@dataclass(frozen=True)
class Candidates:
    """Hold a superset of the pairs of the centres from start to stop.

    Attributes:
        start: The first centre.
        stop: The centre behind the last.
        centre: (row,) index of the atom in the middle.
        neighbour: (row,) index of the atom around it.
        step: (3, row) from centre to neighbour, Å.
        distance: (row,) length of the step, Å.
        valid: (row,) whether a row is a pair.
    """

    start: int
    stop: int
    centre: Indices
    neighbour: Indices
    step: Floats
    distance: Floats
    valid: NDArray[np.bool_]

    def take(self, rows: Indices) -> "Candidates":
        """Return some of the rows."""
        return Candidates(
            self.start,
            self.stop,
            self.centre.take(rows),
            self.neighbour.take(rows),
            self.step.take(rows, axis=1),
            self.distance.take(rows),
            self.valid.take(rows),
        )

    def displacement(self, rows: Indices) -> Floats:
        """Return the steps of some rows as (row, 3), Å."""
        out = np.empty((len(rows), 3))
        for axis, values in enumerate(self.step):
            out[:, axis] = values.take(rows)
        return out


@dataclass(frozen=True)
class Wrapped:
    """Hold atoms moved into the cell, which keeps the numbers of a search small.

    Attributes:
        coord: (atom, 3) Å.
        turns: (3, atom) whole numbers of lattice vectors that were taken off.
        cutoff: What a search has to find, to lose no pair by rounding, Å.
    """

    coord: Floats
    turns: Indices
    cutoff: float

    @classmethod
    def of(cls, coord: Floats, box: Box, cutoff: float) -> "Wrapped":
        """Move atoms into the cell."""
        turns = np.floor(np.where(box.pbc, coord @ np.linalg.inv(box.cell), 0.0)).astype(np.int64)
        scale = cutoff + float(np.abs(coord).max() + np.abs(box.cell).max())
        margin = _MARGIN * scale
        return cls(coord - turns @ box.cell, np.ascontiguousarray(turns.T), cutoff + margin)


def usable_input(
    coord: ArrayLike, cell: ArrayLike | None, cutoff: float, pbc: Sequence[bool], frame: int
) -> tuple[Floats, Box]:
    """Check what is to be searched.

    Args:
        coord: (atom, 3) positions, Å; atoms may lie outside the cell.
        cell: (3, 3) lattice vectors in rows, Å, or None for open boundaries.
        cutoff: Å.
        pbc: Whether each lattice vector is periodic.
        frame: Number of the frame, for messages.

    Returns:
        The positions in one piece, and the box.

    Raises:
        DPError: A shape, a number that is not finite, or a cell that is flat or too small, is not usable.
    """
    places = np.ascontiguousarray(coord, dtype=np.float64)
    if places.ndim != 2 or places.shape[1] != 3:
        raise DPError(f"frame {frame}: coordinates have shape {places.shape}; give (atom, 3)")
    if not (np.isfinite(cutoff) and cutoff > 0):
        raise DPError(f"frame {frame}: the cutoff is {cutoff} Å; give a positive finite number")
    check_coordinates(places, frame)
    box = usable_box(cell, pbc, frame)
    check_density(len(places), box, frame)
    return places, box


def candidates(coord: Floats, box: Box, cutoff: float) -> Iterator[Candidates]:
    """Search among explicit images.

    Args:
        coord: (atom, 3) finite positions, Å.
        box: The cell.
        cutoff: Å.

    Returns:
        The candidates of a run of centres at a time; the runs ascend and leave no centre out.
    """
    if not len(coord):
        return
    wrapped = Wrapped.of(coord, box, cutoff)
    bins = Bins.of(images_of(wrapped.coord, box, wrapped.cutoff), wrapped.cutoff)
    measure = _Measure.of(coord, box, wrapped, bins)
    for near in bins.near(wrapped.coord):
        yield measure(near, cutoff)


def measured(place: Floats, centre: Indices, neighbour: Indices, moved: Floats | None) -> Floats:
    """Return the steps (3, row) from centres to neighbours.

    In this order of operations a pair and its reverse round alike: both stay or both go. Matrix products
    are avoided because they may round a row by its place in the array.

    Args:
        place: (3, atom) positions, Å.
        centre: (row,)
        neighbour: (row,)
        moved: (3, row) what the neighbours are moved by, Å, or None without a period.
    """
    step = np.empty((3, len(centre)))
    for axis, values in enumerate(place):
        np.subtract(values.take(neighbour), values.take(centre), out=step[axis])
    if moved is not None:
        step += moved
    return step


def lattice(cell: Floats, shift: Indices) -> Floats:
    """Return the vectors (3, row) of whole numbers of lattice vectors (3, row), Å."""
    return np.stack([shift[0] * a + shift[1] * b + shift[2] * c for a, b, c in cell.T])


def length(step: Floats) -> Floats:
    """Return the lengths of vectors (3, row)."""
    x, y, z = step
    return np.asarray(np.sqrt(x * x + y * y + z * z))


@dataclass(frozen=True)
class _Measure:
    """Compute exact displacements from the given positions, of which ``shift`` (3, image) leads to images.

    ``home`` (atom,) is the image that an atom is itself, and ``moved`` (3, image) what an image is moved by
    where no atom lies outside the cell.
    """

    place: Floats
    box: Box
    turns: Indices
    atom: Indices
    shift: Indices
    home: Indices
    moved: Floats | None

    @classmethod
    def of(cls, coord: Floats, box: Box, wrapped: Wrapped, bins: Bins) -> "_Measure":
        images = bins.images
        shift = images.shift - wrapped.turns.take(images.atom, axis=1)
        there = np.flatnonzero(~images.shift.any(axis=0))
        home = np.empty(len(coord), np.int64)
        home[images.atom[there]] = there
        moved = None if wrapped.turns.any() else lattice(box.cell, shift)
        place = np.ascontiguousarray(coord.T)
        return cls(place, box, wrapped.turns, images.atom, shift, home, moved)

    def __call__(self, near: Near, cutoff: float) -> Candidates:
        neighbour = self.atom.take(near.image)
        step = measured(self.place, near.centre, neighbour, self._moved(near))
        distance = length(step)
        valid = distance < cutoff
        valid &= near.image != self.home.take(near.centre)
        return Candidates(near.start, near.stop, near.centre, neighbour, step, distance, valid)

    def _moved(self, near: Near) -> Floats | None:
        if not self.box.pbc.any():
            return None
        if self.moved is not None:
            return self.moved.take(near.image, axis=1)
        turns = self.turns.take(near.centre, axis=1)
        return lattice(self.box.cell, self.shift.take(near.image, axis=1) + turns)


def order_of(run: Indices, found: Candidates) -> tuple[Indices, Indices]:
    """Sort the valid candidates by run, distance, neighbour and displacement.

    Args:
        run: (row,) small whole numbers.
        found: The candidates.

    Returns:
        The valid rows in order, and their runs.
    """
    count = int(np.count_nonzero(found.valid))
    if not count:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    # One integer holds run, rounded distance and row. Such numbers are sorted several times faster than
    # a permutation, and only rows that the numbers cannot tell apart need all keys.
    row_bits = len(run).bit_length()
    bits = min(_DISTANCE_BITS, _KEY_BITS - row_bits - int(run.max()).bit_length())
    key = _rounded(found.distance, bits)
    key |= run << bits
    key <<= row_bits
    key |= np.arange(len(run))
    key[~found.valid] = np.iinfo(np.int64).max
    key.sort()
    key = key[:count]
    order = key & ((1 << row_bits) - 1)
    key >>= row_bits
    same = key[1:] == key[:-1]
    if same.any():
        tied = np.flatnonzero(np.append(same, False) | np.insert(same, 0, False))
        rows = order[tied]
        exact = found.step[::-1, rows], (found.neighbour[rows], found.distance[rows], key[tied])
        order[tied] = rows[np.lexsort((*exact[0], *exact[1]))]
    key >>= bits
    return order, key


def _rounded(distance: Floats, bits: int) -> Indices:
    """Map distances to whole numbers of so many bits, preserving their order."""
    most, longest = 2.0**bits - 1.0, float(distance.max())
    levels = distance * (most / longest if longest else 0.0)
    return np.minimum(levels, most).astype(np.int64)
