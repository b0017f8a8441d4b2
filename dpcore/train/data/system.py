"""Frames of one system, whose arrays are stored with all frames together."""

from collections.abc import Collection, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from dpcore.data.atom_types import model_types, numbering
from dpcore.data.parts import Column, Part, cells, parts_of
from dpcore.data.records import Labelled
from dpcore.data.stored import Held, Stored
from dpcore.data.system import Types, other_spelling
from dpcore.errors import DPError
from dpcore.train.data.sample import Sample

# Numbers that are in memory at once where a whole array is looked through.
_CHUNK = 1 << 20

# Copies of a frame that an epoch may have.
_MOST_COPIES = 10_000


class SystemSource:
    """A system in the npy, raw or hdf5 layout; frames are read when they are asked for.

    Args:
        stored: the arrays as they are stored.
        type_map: names of the model's types.
        names: the labels that are read, under either spelling; None for all.

    Raises:
        DPError: shapes that do not fit, or types that are unknown.
    """

    def __init__(
        self, stored: Stored, type_map: Sequence[str], names: Collection[str] | None = None
    ) -> None:
        self.path = stored.path
        self._parts = parts_of(stored, names)
        self._ends = np.cumsum([part.nframes for part in self._parts])
        self.nframes = int(self._ends[-1])
        self._types: Types | None = None
        self._numbers = None if stored.names is None else numbering(stored.names, type_map)
        if self._parts[0].types is None:
            listed = Held(stored.types.where, stored.types.values.ravel())
            self._types = model_types(listed, stored.names, type_map, padded=False)
            self.atoms = np.broadcast_to(np.int32(listed.size), (self.nframes,))
        else:
            counts = [self._count(part, stored.names, type_map) for part in self._parts]
            self.atoms = np.concatenate(counts)

    def natoms(self, number: int) -> int:
        """Return how many atoms a frame has, without those that are not there."""
        return int(self.atoms[number])

    def lacks(self, name: str) -> str | None:
        """Return the set that has no such array, or None if all have one."""
        spellings = {name, other_spelling(name)}
        lacking = [part.path for part in self._parts if not spellings & part.columns.keys()]
        return lacking[0] if lacking else None

    def copies(self) -> NDArray[np.int64]:
        """Return how often each frame is to be taken: ``numb_copy``, 1 where there is none."""
        if not any("numb_copy" in part.columns for part in self._parts):
            return np.broadcast_to(np.int64(1), (self.nframes,))
        each = []
        for part in self._parts:
            column = part.columns.get("numb_copy")
            if column is None:
                each.append(np.ones(part.nframes, np.int64))
            else:
                counts = Held(
                    column.item.where, column.item.whole().reshape(part.nframes, -1)[:, :1]
                )
                each.append(_whole_numbers(counts))
        return np.concatenate(each)

    def samples(self, numbers: Sequence[int]) -> list[Sample]:
        """Read some frames.

        Raises:
            DPError: values that are not finite, or files that cannot be read.
        """
        return [Sample.of(self._frame(int(number))) for number in numbers]

    def _frame(self, number: int) -> Labelled:
        place = int(np.searchsorted(self._ends, number, side="right"))
        part = self._parts[place]
        local = number - (int(self._ends[place]) - part.nframes)
        arrays = {
            name: column.some(local, local + 1)[0]
            for name, column in part.columns.items()
            if name != "numb_copy"
        }
        if "box" in arrays:
            arrays["box"] = cells(arrays["box"], part.columns["box"].item.where, local)[0]
        return Labelled(self._types_of(part, local), arrays)

    def _types_of(self, part: Part, local: int) -> Types:
        if part.types is None:
            assert self._types is not None
            return self._types
        types: Types = part.types.some(local, local + 1)[0].astype(np.int64)
        return types if self._numbers is None else np.asarray(self._numbers[types])

    def _count(
        self, part: Part, names: Sequence[str] | None, type_map: Sequence[str]
    ) -> NDArray[np.int32]:
        """Check the types of all frames of a part and count the atoms that are there."""
        assert part.types is not None
        counts = np.empty(part.nframes, np.int32)
        where = part.types.item.where
        for start, stop in _ranges(part.types):
            found = Held(where, part.types.some(start, stop))
            types = model_types(found, names, type_map, padded=True, first=start)
            counts[start:stop] = np.count_nonzero(types >= 0, axis=1)
        return counts


def _ranges(column: Column) -> Iterator[tuple[int, int]]:
    step = max(1, _CHUNK // max(1, column.shape[0]))
    for start in range(0, column.nframes, step):
        yield start, min(start + step, column.nframes)


def _whole_numbers(counts: Held) -> NDArray[np.int64]:
    values = counts.whole()
    bad = ~(values >= 0) | ~(values <= _MOST_COPIES) | (values != np.floor(values))
    if bad.any():
        frame = int(np.argmax(bad.reshape(-1)))
        raise DPError(
            f"{counts.where}: frame {frame} is to be taken {values.reshape(-1)[frame]:g} times; whole numbers "
            f"from 0 to {_MOST_COPIES} are allowed"
        )
    return np.asarray(values, np.int64).reshape(-1)
