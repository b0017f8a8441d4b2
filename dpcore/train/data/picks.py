"""Frames that are drawn, and how far the data have been gone through."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Pick:
    """A frame of a batch.

    Attributes:
        system: number of its system.
        frame: number of the frame in it.
    """

    system: int
    frame: int


@dataclass(frozen=True)
class Drawn:
    """A batch that was drawn.

    Attributes:
        picks: the frames of this process.
        draws: how many systems were drawn for it.
        taken: how many frames of each system were taken by all processes.
    """

    picks: tuple[Pick, ...]
    draws: int
    taken: Mapping[int, int]


@dataclass
class Position:
    """How far the data have been gone through.

    Attributes:
        draws: how many systems were drawn so far.
        taken: how many frames of each system were taken so far.
    """

    draws: int
    taken: list[int]

    def add(self, drawn: Drawn) -> None:
        """Go on by a batch."""
        self.draws += drawn.draws
        for system, count in drawn.taken.items():
            self.taken[system] += count
