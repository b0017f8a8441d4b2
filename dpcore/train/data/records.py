"""Frames that are stored one by one: LMDB data sets, and what dpdata and ASE read."""

from collections.abc import Collection, Sequence

from dpcore.data.records import Records, labelled
from dpcore.data.system import other_spelling
from dpcore.train.data.sample import Sample


class RecordSource:
    """A data set of records; frames are read when they are asked for.

    Args:
        records: the data set.
        type_map: names of the model's types.
        names: the labels that are read, under either spelling; None for all.

    Raises:
        DPError: the first or the last frame is not usable.
    """

    def __init__(
        self, records: Records, type_map: Sequence[str], names: Collection[str] | None = None
    ) -> None:
        self.path, self.nframes = records.path, len(records.counts)
        self._records, self._type_map, self._names = records, tuple(type_map), names
        # Only a look at every frame would tell more, which is what lazy reading avoids.
        looked = [labelled(records.read(n), type_map, names) for n in (0, self.nframes - 1)]
        self._held = [frozenset(frame.arrays) for frame in looked]
        self.atoms = records.counts

    def natoms(self, number: int) -> int:
        """Return how many atoms a frame has; in LMDB data sets, with those that are not there."""
        return int(self.atoms[number])

    def lacks(self, name: str) -> str | None:
        """Return the data set if its first or last frame has no such array."""
        spellings = {name, other_spelling(name)}
        found = all(spellings & held for held in self._held)
        return None if found else self.path

    def samples(self, numbers: Sequence[int]) -> list[Sample]:
        """Read some frames.

        Raises:
            DPError: a frame that cannot be read, or is not usable.
        """
        return [
            Sample.of(labelled(self._records.read(int(n)), self._type_map, self._names))
            for n in numbers
        ]
