"""Which frames make up a batch."""

import math
import mmap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpcore.errors import DPError
from dpcore.train.data.picks import Drawn, Pick, Position
from dpcore.train.data.rule import Rule

# Systems that are drawn with one generator.
_BLOCK = 1024

# Frames of a system whose order is kept: at least so many, and of large systems such a part of all, so that
# neither memory grows much with their number nor time is lost to finding the order again.
_KEPT = 1024
_PARTS = 64


@dataclass(frozen=True, eq=False)
class _Order:
    """Some of the order in which the frames of a system are taken.

    Attributes:
        turn: how often all of them were taken before.
        first: place of the first frame that is here.
        frames: numbers of the frames, ``(frame,)``.
    """

    turn: int
    first: int
    frames: NDArray[np.int32]

    def has(self, turn: int, place: int) -> bool:
        """Return whether the frame of a place is here."""
        return turn == self.turn and 0 <= place - self.first < len(self.frames)


@dataclass
class Sampler:
    """Draw the frames of batches.

    Systems are drawn by chance. The frames of a system are taken in random order, none again before all
    were taken. What is drawn depends on the seed and the position alone: a run that goes on from a stored
    position takes the same frames, and processes that share their batches agree without a word. Of ``ranks``
    processes each takes its part of the batch that a single one of so many times the size would take.

    Attributes:
        atoms: number of atoms of each frame of each system.
        rule: how many frames a batch has.
        chances: how often each system is drawn.
        seed: decides what is drawn.
        rank: number of this process.
        ranks: number of processes.
    """

    atoms: Sequence[NDArray[np.integer]]
    rule: Rule
    chances: NDArray[np.float64]
    seed: int
    rank: int = 0
    ranks: int = 1
    position: Position = field(init=False)

    def __post_init__(self) -> None:
        self.position = Position(0, [0] * len(self.atoms))
        self._total = sum(map(len, self.atoms))
        self._drawn: tuple[int, NDArray[np.int64]] = (-1, np.zeros(0, np.int64))
        self._orders: dict[int, _Order] = {}

    def draw(self) -> Drawn:
        """Return the next batch of this process."""
        taken: Counter[int] = Counter()
        start, own = self.position.draws, tuple[Pick, ...]()
        system = None if self.rule.mixed else self._system()
        for rank in range(self.ranks):
            # Others' frames are gone through as well, for what is left is this one's.
            part = tuple(self._part(system, taken))
            own = part if rank == self.rank else own
        return Drawn(own, self.position.draws - start, dict(taken))

    def state(self, position: Position | None = None) -> dict[str, Any]:
        """Return what a checkpoint keeps, to be written as JSON.

        Args:
            position: where to go on; by default behind what was drawn last.
        """
        position = self.position if position is None else position
        return {
            "seed": self.seed,
            "draws": position.draws,
            "taken": list(position.taken),
            "frames": [len(atoms) for atoms in self.atoms],
        }

    def restore(self, state: Mapping[str, Any]) -> bool:
        """Go on from where a checkpoint was written.

        Args:
            state: what :meth:`state` returned.

        Returns:
            whether the data have as many frames as then; if not, all frames are taken anew.

        Raises:
            DPError: it is no such state.
        """
        try:
            seed, draws = int(state["seed"]), int(state["draws"])
            taken = [int(n) for n in state["taken"]]
            same = [int(n) for n in state["frames"]] == [len(atoms) for atoms in self.atoms]
        except (KeyError, TypeError, ValueError) as error:
            raise DPError(
                f"the checkpoint's position in the data is not usable ({error!r}); start from the model alone"
            ) from error
        self.seed = seed
        self.position = Position(draws, taken if same else [0] * len(self.atoms))
        self._drawn, self._orders = (-1, self._drawn[1]), {}
        return same

    def steps(self, epochs: float) -> int:
        """Return how many steps take all frames so many times, by expectation, of the rarest system too."""
        likely = [s for s, chance in enumerate(self.chances) if chance > 0]
        draws = max(self.rule.draws(self.atoms[s], s, self.ranks) / self.chances[s] for s in likely)
        mean = float(sum(self.chances[s] * self.atoms[s].mean() for s in likely))
        # Rounding of the chances must not make a step more.
        whole = math.ceil(float(draws) / self.rule.draws_in_step(mean, self.ranks) - 1e-9)
        return math.ceil(epochs * whole)

    def frames_of(self, system: int) -> str:
        """Say how many frames of a system are in a batch of this process."""
        rule, atoms = self.rule, self.atoms[system]
        if rule.mixed:
            return (
                f"{rule.frames} of any systems"
                if rule.frames
                else f"up to {rule.atoms} atoms of any systems"
            )
        if rule.frames is None and atoms.min() < atoms.max():
            return f"{'at least' if rule.least else 'up to'} {rule.atoms} atoms"
        frames = rule.frames_of(system)
        if frames is None:
            size = int(atoms[0])
            frames = -(-rule.atoms // size) if rule.least else max(rule.atoms // size, 1)
        return str(min(frames, math.ceil(len(atoms) / self.ranks)))

    def _part(self, system: int | None, taken: Counter[int]) -> Iterator[Pick]:
        """Yield the frames of one process; ``system`` is None where each frame draws its own."""
        rule, held, number = self.rule, 0, 0
        frames = rule.frames_of(system or 0)
        for number in range(self._most(system)):
            s = self._system(peek=True) if system is None else system
            frame = self._frame(s)
            natoms = int(self.atoms[s][frame])
            if frames is None and number and not rule.least and held + natoms > rule.atoms:
                return
            self.position.draws += system is None
            self.position.taken[s] += 1
            taken[s] += 1
            held += natoms
            yield Pick(s, frame)
            if frames is None and rule.least and held >= rule.atoms:
                return

    def _most(self, system: int | None) -> int:
        """Return how many frames a process takes at most: no more than there are, shared alike."""
        total = self._total if system is None else len(self.atoms[system])
        share = math.ceil(total / self.ranks)
        frames = self.rule.frames_of(system or 0)
        return share if frames is None else min(frames, share)

    def _system(self, *, peek: bool = False) -> int:
        """Return the system that is drawn next, and go on unless it is only looked at."""
        block, place = divmod(self.position.draws, _BLOCK)
        if self._drawn[0] != block:
            random = np.random.default_rng([self.seed, 0, block])
            self._drawn = (block, random.choice(len(self.chances), _BLOCK, p=self.chances))
        self.position.draws += not peek
        return int(self._drawn[1][place])

    def _frame(self, system: int) -> int:
        """Return the frame of a system that is taken next."""
        turn, place = divmod(self.position.taken[system], len(self.atoms[system]))
        kept = self._orders.get(system)
        if kept is None or not kept.has(turn, place):
            kept = self._orders[system] = self._order(system, turn, place)
        return int(kept.frames[place - kept.first])

    def _order(self, system: int, turn: int, place: int) -> _Order:
        """Return the part of the order of a turn that a place is in."""
        number = len(self.atoms[system])
        # Memory that is surely given back: holes in that of small objects would stay with the process.
        order = np.frombuffer(mmap.mmap(-1, 4 * number), np.int32)
        order[1:] = 1
        np.cumsum(order, out=order)
        np.random.default_rng([self.seed, 1, system, turn]).shuffle(order)
        size = max(_KEPT, -(-number // _PARTS))
        first = place - place % size
        return _Order(turn, first, order[first : first + size].copy())
