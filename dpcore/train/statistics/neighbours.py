"""How close atoms are and how many neighbours they have."""

import logging
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dpcore.frames import Frame
from dpcore.infer.edges import edges_of
from dpcore.neighbours.pairs import coincidence
from dpcore.neighbours.selection import ALL, Selection
from dpcore.train.data.sample import Source
from dpcore.train.statistics.frames import named, samples

log = logging.getLogger(__name__)

Counts = NDArray[np.int64]

# Atoms closer than this, Å, are at the same place but for rounding.
_SAME = 1e-3


@dataclass(frozen=True)
class Crowd:
    """The most neighbours that an atom has within a cutoff.

    Attributes:
        by_type: of each type, ``(type,)``.
        total: of all types.
    """

    by_type: Counts
    total: int


@dataclass(frozen=True)
class NeighbourStatistics:
    """What data tells of neighbours.

    Attributes:
        shortest: distance of the closest two atoms, Å; infinite if none are within the largest cutoff.
        crowds: the most neighbours, by cutoff in Å.
        alone: the first frame with an atom that has no neighbour at all, if there is one.
    """

    shortest: float
    crowds: dict[float, Crowd]
    alone: str | None = None


def neighbour_statistics(
    sources: Iterable[Source], cutoffs: Sequence[float], ntypes: int
) -> NeighbourStatistics:
    """Return the distance of the closest atoms and the most neighbours of an atom in all frames.

    Args:
        sources: the data, a generator if it is not to be open at the same time.
        cutoffs: within which neighbours are counted, Å; one at least.
        ntypes: number of types.

    Raises:
        DPError: two atoms at the same place, or coordinates or cells that are not usable; with the data and
            the number of the frame.
    """
    counter = _Counter(sorted(set(cutoffs)), ntypes)
    for source in sources:
        for some in samples(source):
            for where, sample in some:
                with named(where):
                    counter.add(sample.frame, where)
    return counter.found()


class _Counter:
    """Neighbours counted frame by frame."""

    def __init__(self, cutoffs: list[float], ntypes: int) -> None:
        self._cutoffs, self._ntypes = cutoffs, ntypes
        self._by_type = np.zeros((len(cutoffs), ntypes), np.int64)
        self._total = np.zeros(len(cutoffs), np.int64)
        self._square = math.inf
        self._alone: str | None = None

    def add(self, frame: Frame, where: str) -> None:
        """Count the neighbours in a frame."""
        farthest, ntypes = self._cutoffs[-1], self._ntypes
        edges = edges_of([frame], Selection(farthest, (ALL,) * ntypes, by_type=True), 0)
        count, step = edges.count, edges.displacement
        square = np.einsum("ij,ij->i", step, step)
        shortest = float(square.min(initial=math.inf))
        if shortest < _SAME * _SAME:
            row = int(np.argmin(square))
            centre = (int(np.searchsorted(edges.start, row, side="right")) - 1) // ntypes
            raise coincidence(centre, int(edges.neighbour[row]), 0)
        self._square = min(self._square, shortest)
        if self._alone is None and not count.sum(axis=1).all():
            self._alone = f"{where}, atom {int(np.argmin(count.sum(axis=1)))}"
        run = np.repeat(np.arange(count.size), count.reshape(-1))
        for i, cutoff in enumerate(self._cutoffs):
            if cutoff < farthest:
                near = run[square < cutoff * cutoff]
                count = np.bincount(near, minlength=edges.count.size).reshape(-1, ntypes)
            else:
                count = edges.count
            self._by_type[i] = np.maximum(self._by_type[i], count.max(axis=0, initial=0))
            self._total[i] = max(self._total[i], count.sum(axis=1).max(initial=0))

    def found(self) -> NeighbourStatistics:
        """Return what was counted."""
        crowds = {
            cutoff: Crowd(by_type, int(total))
            for cutoff, by_type, total in zip(
                self._cutoffs, self._by_type, self._total, strict=True
            )
        }
        return NeighbourStatistics(math.sqrt(self._square), crowds, self._alone)
