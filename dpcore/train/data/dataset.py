"""The data of a section of the settings."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from dpcore.data.system import other_spelling
from dpcore.errors import DPError
from dpcore.train.data.chances import chances
from dpcore.train.data.chosen import place
from dpcore.train.data.picks import Pick
from dpcore.train.data.rule import Rule
from dpcore.train.data.sample import Source
from dpcore.train.data.sampler import Sampler
from dpcore.train.settings import TrainingData, ValidationData
from dpcore.train.targets import Wanted

log = logging.getLogger(__name__)

# Systems that a message names.
_SHOWN = 3


@dataclass(frozen=True, eq=False)
class DataSet:
    """The data of a section of the settings.

    Attributes:
        settings: the section.
        where: its name, for messages.
        sources: the systems that have frames.
        numbers: number of each among all systems that were found.
        found: how many systems were found.
    """

    settings: TrainingData | ValidationData
    where: str
    sources: tuple[Source, ...]
    numbers: tuple[int, ...]
    found: int

    @property
    def nframes(self) -> int:
        """Number of frames."""
        return sum(source.nframes for source in self.sources)

    def sampler(self, seed: int, rank: int = 0, ranks: int = 1) -> Sampler:
        """Return what draws frames.

        Args:
            seed: decides what is drawn.
            rank: number of this process.
            ranks: number of processes, each of which takes a batch.

        Raises:
            DPError: settings that do not fit the systems.
        """
        rule = Rule.of(self.settings.batch_size, f"{self.where}.batch_size")
        atoms: list[NDArray[np.integer]] = [np.zeros(0, np.int32)] * self.found
        for number, source in zip(self.numbers, self.sources, strict=True):
            atoms[number] = source.atoms
        draws = [rule.draws(each, system, ranks) for system, each in enumerate(atoms)]
        style, given = self.settings.auto_prob, self.settings.sys_probs
        chance = chances(style, given, draws, self.where)
        return Sampler(atoms, rule, chance, seed, rank, ranks)

    def source(self, system: int) -> Source:
        """Return a system by its number among all that were found."""
        return self.sources[self._places[system]]

    def place(self, pick: Pick) -> str:
        """Return where a frame is stored, for messages."""
        return place(self.source(pick.system), pick.frame)

    @cached_property
    def _places(self) -> dict[int, int]:
        return {number: place for place, number in enumerate(self.numbers)}

    def picks(self, natoms: int) -> Iterator[tuple[Pick, ...]]:
        """Yield all frames in the order in which they are stored, some at a time.

        Args:
            natoms: how many atoms the frames that are yielded together have at most; one may have more.
        """
        held, total = list[Pick](), 0
        for number, source in zip(self.numbers, self.sources, strict=True):
            for frame, size in enumerate(map(int, source.atoms)):
                if held and total + size > natoms:
                    yield tuple(held)
                    held, total = [], 0
                held.append(Pick(number, frame))
                total += size
        yield tuple(held)

    def summary(self, sampler: Sampler) -> list[str]:
        """Return a line for each system: atoms and number of its frames, frames of a batch, and chance."""
        lines = [f"{self.where}: {self.found} systems, {self.nframes} frames"]
        for number, source in zip(self.numbers, self.sources, strict=True):
            least, most = int(source.atoms.min()), int(source.atoms.max())
            atoms = f"{least}" if least == most else f"{least} to {most}"
            frames = sampler.frames_of(number)
            lines.append(
                f"  {source.path}: {source.nframes} frames of {atoms} atoms, {frames} in a batch, "
                f"drawn with probability {sampler.chances[number]:.3g}"
            )
        return lines

    def check_labels(self, wanted: Iterable[Wanted]) -> None:
        """Refuse data without the labels that are needed, and tell of others that no system has.

        Raises:
            DPError: a label that is needed is missing, or all labels are.
        """
        wanted = tuple(wanted)
        for want in (want for want in wanted if want.needed):
            for source in self.sources:
                where = source.lacks(want.name)
                if where is not None:
                    raise DPError(
                        f"{where}: no {want.name}, which the loss needs; add {want.name}.npy or leave the "
                        "data out"
                    )
        optional = [want.name for want in wanted if not want.needed and want.default is None]
        none = [name for name in optional if all(s.lacks(name) for s in self.sources)]
        if none and len(none) == len([want for want in wanted if want.default is None]):
            raise DPError(
                f"{self.where}: no system has {' or '.join(none)}, of which the loss needs one; add it"
            )
        for name in none:
            log.warning("%s: no system has %s, which does not count therefore", self.where, name)
        self._warn([name for name in optional if name not in none])
        known = [want.name for want in wanted if want.default is None]
        for source in self.sources if optional else ():
            if all(source.lacks(name) for name in known) and not _has_some(source, known):
                raise DPError(
                    f"{source.path}: has none of {', '.join(known)}, of which the loss needs one; add it or leave "
                    "the data out"
                )

    def _warn(self, names: Iterable[str]) -> None:
        """Tell of systems that lack labels which others have."""
        for name in names:
            lacking = [where for source in self.sources if (where := source.lacks(name))]
            if lacking:
                log.warning(
                    "%s: %d of %d systems lack %s, which does not count there: %s%s",
                    self.where,
                    len(lacking),
                    len(self.sources),
                    name,
                    ", ".join(lacking[:_SHOWN]),
                    ", …" if len(lacking) > _SHOWN else "",
                )


def _has_some(source: Source, names: Iterable[str]) -> bool:
    """Return whether the first or the last frame of a source has one of some labels."""
    spellings = {spelling for name in names for spelling in (name, other_spelling(name))}
    ends = source.samples([0, source.nframes - 1])
    return any(spellings & sample.labels.keys() for sample in ends)
