"""What a comparison of training finds, kept as JSON."""

import dataclasses as dc
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.vs_deepmd.results import OURS, THEIRS, Machine, Remark, decode, paired_ratio


@dataclass(frozen=True)
class Learner:
    """A way to train.

    Attributes:
        name: by which it is selected.
        program: ``dpcore`` or ``deepmd``.
        backend: as its program calls it.
        batch: its ``batch_size``.
        layout: how its data are stored.
        frames: how many frames a step has, in the mean.
    """

    name: str
    program: str
    backend: str
    batch: str
    layout: str
    frames: float


@dataclass(frozen=True)
class Pace:
    """How fast it trains.

    Attributes:
        first: from the start of the process to the first steps, which compile, s.
        samples: seconds a step, in each round.
        work: likewise, seconds that the cores worked for it.
        peak: largest resident memory, MiB.
    """

    first: float
    samples: tuple[float, ...]
    work: tuple[float, ...]
    peak: float

    @property
    def typical(self) -> float:
        """The median over the rounds, s."""
        return median(self.samples)


@dataclass(frozen=True)
class Found:
    """What is found of a case.

    Attributes:
        case: its name.
        date: when, ISO 8601.
        machine: where.
        versions: of the packages, by program.
        model: in words.
        data: in words.
        command: what measures it again.
        steps: of a turn.
        aim: how many times as fast as the peer's fastest is aimed at, for each frame.
        learners: who was to be measured.
        paces: how fast they are, by name.
        remarks: who is missing, and why.
    """

    case: str
    date: str
    machine: Machine
    versions: Mapping[str, Mapping[str, str]]
    model: str
    data: str
    command: str
    steps: int
    aim: float
    learners: tuple[Learner, ...]
    paces: Mapping[str, Pace]
    remarks: tuple[Remark, ...]

    def per_frame(self, learner: Learner) -> float:
        """Return the seconds that a frame takes."""
        return self.paces[learner.name].typical / learner.frames

    @property
    def measured(self) -> list[Learner]:
        """Those that were measured, the fastest for a frame first."""
        there = [learner for learner in self.learners if learner.name in self.paces]
        return sorted(there, key=self.per_frame)

    def fastest(self, frames: float | None = None) -> Learner | None:
        """Return the peer's fastest for a frame.

        Args:
            frames: among those that have as many frames in a step, or up to a tenth more or less.
        """
        return next(
            (
                learner
                for learner in self.measured
                if learner.program == THEIRS
                and (frames is None or abs(learner.frames / frames - 1) < 0.1)
            ),
            None,
        )

    def ratio(self, learner: Learner, other: Learner | None) -> float | None:
        """Return how many times as fast it is as another for a frame: the median over the rounds."""
        if other is None:
            return None
        own, theirs = self.paces[learner.name].samples, self.paces[other.name].samples
        return paired_ratio(own, theirs) * learner.frames / other.frames

    @property
    def reached(self) -> float | None:
        """How many times as fast the fastest of ours is as the peer's fastest."""
        ours = [learner for learner in self.measured if learner.program == OURS]
        return self.ratio(ours[0], self.fastest()) if ours else None


def write_found(path: Path, found: Found) -> None:
    """Write everything as JSON."""
    text = json.dumps(dc.asdict(found), indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def read_found(path: Path) -> Found:
    """Read what was written."""
    return decode(Found, json.loads(path.read_text(encoding="utf-8")))
