"""Some frames of a source: those that are neither too large nor too close, as often as they are to be taken."""

import logging
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from dpcore.neighbours import neighbour_pairs
from dpcore.train.data.sample import Sample, Source
from dpcore.train.data.system import SystemSource
from dpcore.train.data.virtual import VirtualSource

log = logging.getLogger(__name__)

Bare = Callable[[], Source]
"""Opens a source again without labels."""

# Frames that are read at once to be looked at.
_CHUNK = 64


class Chosen:
    """Some frames of a source.

    Args:
        source: the source.
        numbers: numbers of the frames, ``(frame,)``; a frame may be there several times.
    """

    def __init__(self, source: Source, numbers: NDArray[np.integer]) -> None:
        self.path, self.nframes = source.path, len(numbers)
        self._source, self._numbers = source, numbers.astype(np.int32)
        self.atoms = source.atoms[numbers]

    def natoms(self, number: int) -> int:
        """Return how many atoms a frame has."""
        return int(self.atoms[number])

    def lacks(self, name: str) -> str | None:
        """Return where an array is missing."""
        return self._source.lacks(name)

    def samples(self, numbers: Sequence[int]) -> list[Sample]:
        """Read some frames."""
        return self._source.samples([int(self._numbers[number]) for number in numbers])

    def place(self, number: int) -> str:
        """Return where a frame is stored, for messages."""
        return place(self._source, int(self._numbers[number]))


def place(source: Source, number: int) -> str:
    """Return where a frame of a source is stored, for messages."""
    return source.place(number) if isinstance(source, Chosen) else f"{source.path}: frame {number}"


def kept(source: Source, bare: Bare, largest: int | None, least: float) -> Source:
    """Return the source with the frames alone that are to be taken, as often as they are.

    Args:
        source: all frames.
        bare: opens them without labels, to be looked through.
        largest: atoms of the largest frames that are taken; None for all.
        least: frames are taken whose atoms are at least so far apart, Å; 0 for all.
    """
    # One number for all where it is the same, for there may be very many frames.
    copies: NDArray[np.int64] = np.broadcast_to(np.int64(1), (source.nframes,))
    if isinstance(source, SystemSource | VirtualSource):
        copies = source.copies()
    out = {
        "they have no atoms": _each(source.atoms, lambda atoms: atoms == 0),
        "their numb_copy is 0": _each(copies, lambda number: number == 0),
    }
    if largest is not None:
        why = f"they have more than {largest} atoms (batch_size)"
        out[why] = _each(source.atoms, lambda atoms: atoms > largest)
    if least > 0:
        out[f"atoms are closer than {least:g} Å (min_pair_dist)"] = ~_are_apart(bare(), least)
    for why, which in out.items():
        if which.any():
            count = int(np.count_nonzero(which))
            log.warning(
                "%s: %d of %d frames are left out: %s", source.path, count, len(copies), why
            )
            copies = np.where(which, 0, copies)
    if _each(copies, lambda number: number == 1).all():
        return source
    return Chosen(source, np.repeat(np.arange(source.nframes), copies))


def _each(
    values: NDArray[np.integer], test: Callable[[NDArray[np.integer]], NDArray[np.bool_]]
) -> NDArray[np.bool_]:
    """Return what a test says of the number of each frame, found once where it is one number for all."""
    if values.strides == (0,):
        return np.broadcast_to(test(values[:1]), values.shape)
    return test(values)


def _are_apart(source: Source, least: float) -> NDArray[np.bool_]:
    """Return whether all atoms of each frame are at least so far apart."""
    out = np.ones(source.nframes, np.bool_)
    for start in range(0, source.nframes, _CHUNK):
        numbers = range(start, min(start + _CHUNK, source.nframes))
        for number, sample in zip(numbers, source.samples(numbers), strict=True):
            frame = sample.frame
            pairs = neighbour_pairs(frame.coord, frame.cell, least, pbc=frame.pbc, frame=number)
            out[number] = not len(pairs.distance)
    return out
