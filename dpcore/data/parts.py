"""The parts of a system, the shapes of their arrays checked: what is read whole, and what is read frame by frame."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from dpcore.data.labels import check_finite, frame_count, frame_shape, largest
from dpcore.data.stored import Frames, Item, Stored
from dpcore.data.system import Array, other_spelling
from dpcore.errors import DPError

TYPES = "real_atom_types"


@dataclass(frozen=True, eq=False)
class Column:
    """An array of a part.

    Attributes:
        item: the stored array.
        shape: shape of one frame.
        nframes: number of frames.
        most: what values may be at most.
    """

    item: Item
    shape: tuple[int, ...]
    nframes: int
    most: float

    def all(self) -> Array:
        """Read all frames, ``(frame, ...)``.

        Raises:
            DPError: a value is not finite, or the array cannot be read.
        """
        values = np.asarray(self.item.whole(), np.float64).reshape(self.nframes, *self.shape)
        check_finite(values, self.item.where, most=self.most)
        return values

    def some(self, start: int, stop: int) -> Array:
        """Read the frames from ``start`` to ``stop``, ``(frame, ...)``.

        Raises:
            DPError: a value is not finite, or the array cannot be read.
        """
        width = prod(self.shape)
        values = self.item.flat(start * width, stop * width).astype(np.float64)
        shaped: Array = values.reshape(stop - start, *self.shape)
        check_finite(shaped, self.item.where, start, self.most)
        return shaped


@dataclass(frozen=True, eq=False)
class Part:
    """The arrays of one set.

    Attributes:
        path: where it is stored.
        nframes: number of frames.
        columns: the arrays by name; ``box`` where the system is periodic.
        types: types of the atoms, where each frame has its own.
    """

    path: str
    nframes: int
    columns: Mapping[str, Column]
    types: Column | None


def parts_of(stored: Stored, names: Collection[str] | None = None) -> list[Part]:
    """Return the parts of a system, in the order of its sets.

    Args:
        stored: the arrays as they are stored.
        names: the labels that are looked at, under either spelling; None for all.

    Raises:
        DPError: arrays that do not describe a system.
    """
    if stored.types.size == 0:
        raise DPError(f"{stored.types.where}: lists no atoms; give one type for each atom")
    if not stored.sets:
        raise DPError(f"{stored.path}: no set.* in it; put the frames in set.000/coord.npy")
    parts = [_part(frames, stored, names) for frames in stored.sets]
    own = [part.types is not None for part in parts]
    if any(own) and not all(own):
        lacking = parts[own.index(False)].path
        raise DPError(
            f"{lacking}: no {TYPES}, which other sets of {stored.path} have; add it to every set"
        )
    return parts


def cells(box: Array, where: str, first: int = 0) -> Array:
    """Return cells with a volume, ``(frame, 3, 3)``.

    Raises:
        DPError: a cell is flat.
    """
    found = box.reshape(-1, 3, 3)
    flat = is_flat(found)
    if flat.any():
        frame = first + int(np.argmax(flat))
        remedy = "a system that is not periodic needs an empty file nopbc beside type.raw"
        raise DPError(f"{where}: the box of frame {frame} has no volume; {remedy}")
    return found


def is_flat(cell: Array) -> NDArray[np.bool_]:
    """Return whether cells, ``(..., 3, 3)``, have no volume."""
    # In units of the longest component no product of them overflows.
    longest = np.abs(cell).max(axis=(-2, -1), keepdims=True)
    scaled = cell / np.where(longest > 0, longest, 1.0)
    edges = np.linalg.norm(scaled, axis=-1).prod(axis=-1)
    return np.asarray(np.abs(np.linalg.det(scaled)) <= 1e-10 * edges)


def _part(frames: Frames, stored: Stored, names: Collection[str] | None) -> Part:
    natoms = stored.types.size
    items = _needed(frames, stored, names)
    nframes = frame_count(items["coord"], natoms)
    types = items.pop(TYPES, None)
    if types is not None and types.size != nframes * natoms:
        found = f"{types.size} types where {nframes} frames of {natoms} atoms need"
        raise DPError(f"{types.where}: {found} {nframes * natoms}; pad frames with type -1")
    columns = {
        name: Column(item, frame_shape(name, item, nframes, natoms), nframes, largest(name))
        for name, item in items.items()
    }
    own = None if types is None else Column(types, (natoms,), nframes, largest(TYPES))
    return Part(frames.path, nframes, columns, own)


def _needed(frames: Frames, stored: Stored, names: Collection[str] | None) -> dict[str, Item]:
    """Return the arrays that are looked at, coordinates first: no other can be judged without them."""
    items = dict(sorted(frames.items.items(), key=lambda entry: entry[0] != "coord"))
    if "coord" not in items:
        found = f"it has {', '.join(sorted(items))}" if items else "it is empty"
        raise DPError(
            f"{frames.path}: no coord; {found}; add coord or remove this part of the data"
        )
    if stored.periodic and "box" not in items:
        raise DPError(
            f"{frames.path}: no box; add box.npy (or box.raw), or an empty file nopbc if it is not periodic"
        )
    if not stored.periodic:
        # It need not be a box at all.
        items.pop("box", None)
    if names is None:
        return items
    kept = {"coord", "box", TYPES, *names, *map(other_spelling, names)}
    return {name: item for name, item in items.items() if name in kept}
