"""How many frames a batch has: the setting ``batch_size``."""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from dpcore.errors import DPError
from dpcore.train.rules import check_batch_size

_AUTO = 32


@dataclass(frozen=True)
class Rule:
    """How many frames a batch has.

    Frames are of one system, which differs from batch to batch, unless they are mixed. Where atoms are
    counted, frames are added until there are enough.

    Attributes:
        frames: number of frames by system, or one number for all; None where atoms are counted.
        atoms: number of atoms that frames are added up to.
        least: whether there are at least so many atoms, rather than at most.
        mixed: whether each frame is of a system of its own.
        largest: atoms of the largest frames that are not left out; None to leave none out.
    """

    frames: tuple[int, ...] | int | None = None
    atoms: int = 0
    least: bool = False
    mixed: bool = False
    largest: int | None = None

    @classmethod
    def of(cls, given: int | tuple[int, ...] | str, where: str = "batch_size") -> Self:
        """Return the rule that a setting describes.

        Args:
            given: a number of frames, one for each system, or ``auto``, ``auto:N``, ``max:N``,
                ``filter:N``, ``mixed:N`` or ``mix:N``.
            where: the setting's name, for messages.

        Raises:
            DPError: it is none of these.
        """
        check_batch_size(given, where)
        if not isinstance(given, str):
            return cls(given)
        word, _, text = given.partition(":")
        number = int(text) if text else _AUTO
        if word == "mixed":
            return cls(number, mixed=True)
        largest = number if word == "filter" else None
        return cls(None, number, word == "auto", word == "mix", largest)

    def check(self, nsystems: int, where: str = "batch_size") -> None:
        """Refuse a list that has not one number for each system.

        Raises:
            DPError: it is longer or shorter.
        """
        if isinstance(self.frames, tuple) and len(self.frames) != nsystems:
            raise DPError(
                f"{where}: {len(self.frames)} numbers for {nsystems} systems; give one for each system "
                "that is found, or one for all"
            )

    def frames_of(self, system: int) -> int | None:
        """Return the number of frames of a batch of one system; None where atoms are counted."""
        return self.frames[system] if isinstance(self.frames, tuple) else self.frames

    def draws(self, atoms: NDArray[np.integer], system: int, ranks: int = 1) -> int:
        """Return how often a system is drawn until all of its frames have been taken.

        Args:
            atoms: number of atoms of each of its frames.
            system: its number.
            ranks: how many processes take a batch each at a draw.
        """
        if self.mixed:
            return len(atoms)
        frames = self.frames_of(system)
        if frames is not None:
            return math.ceil(len(atoms) / (frames * ranks))
        sizes, counts = _counted(atoms)
        each = -(-self.atoms // sizes) if self.least else self.atoms // sizes
        return math.ceil(float(np.sum(counts / np.maximum(each, 1))) / ranks)

    def draws_in_step(self, mean_atoms: float, ranks: int = 1) -> float:
        """Return how many draws a step has.

        Args:
            mean_atoms: of the frames as they are drawn.
            ranks: how many processes take a batch each.
        """
        if not self.mixed:
            return 1.0
        if isinstance(self.frames, int):
            return float(self.frames * ranks)
        return max(1.0, self.atoms / mean_atoms) * ranks


def _counted(atoms: NDArray[np.integer]) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
    """Return the numbers of atoms that frames have, and how many frames have each."""
    if len(atoms) and atoms.min() == atoms.max():
        # Nothing needs to be sorted, which takes memory for all frames.
        return atoms[:1], np.array([len(atoms)])
    return np.unique(atoms, return_counts=True)
