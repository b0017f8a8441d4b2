"""Frames with their labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from dpcore.data.records import Labelled
from dpcore.frames import Frame

# What belongs to a frame rather than to what is known of it.
OF_FRAMES = ("fparam", "aparam", "spin", "charge_spin")


@dataclass(frozen=True, eq=False)
class Sample:
    """A frame to train on.

    Attributes:
        frame: the atoms; all are there.
        labels: what is known of it by file name, ``(n,)`` of a frame, or of some of its atoms, ``(atom, n)``
            of atoms and ``(3 atom, 3 atom)`` of pairs of coordinates.
    """

    frame: Frame
    labels: Mapping[str, NDArray[np.float64]]

    @classmethod
    def of(cls, stored: Labelled) -> "Sample":
        """Return the sample of a stored frame, without the atoms that are not there."""
        found = stored.without_padding()
        labels = dict(found.arrays)
        coord, box = labels.pop("coord"), labels.pop("box", None)
        given = {name: labels.pop(name, None) for name in OF_FRAMES}
        return cls(Frame(coord, found.types, box, found.pbc, **given), labels)


class Source(Protocol):
    """Frames that are stored together: a system, or an LMDB data set.

    Attributes:
        path: where, for messages and seeds.
        nframes: how many.
    """

    path: str
    nframes: int

    @property
    def atoms(self) -> NDArray[np.integer]:
        """Number of atoms of each frame, ``(frame,)``."""
        ...

    def natoms(self, number: int) -> int:
        """Return how many atoms a frame has, without those that are not there."""
        ...

    def lacks(self, name: str) -> str | None:
        """Return where an array is missing, or None if all frames have it as far as is known.

        Args:
            name: of the array, under either spelling.
        """
        ...

    def samples(self, numbers: Sequence[int]) -> list[Sample]:
        """Read some frames; nothing else stays in memory.

        Raises:
            DPError: a label of a wrong shape or with values that are not finite (file and frame named).
        """
        ...
