"""What the reader of a layout hands over: where arrays are stored and of which shape, to be read when needed."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpcore.data.system import Array, Types
from dpcore.errors import DPError


class Item:
    """A stored array, which may be read whole or in part.

    Attributes:
        where: where it is stored, for messages.
        shape: its shape.
        dtype: its dtype.
    """

    where: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def size(self) -> int:
        """Number of values."""
        return prod(self.shape)

    def whole(self) -> NDArray[Any]:
        """Return all values.

        Raises:
            DPError: they cannot be read.
        """
        raise NotImplementedError

    def flat(self, start: int, stop: int) -> NDArray[Any]:
        """Read the values from ``start`` to ``stop``, the array taken as one row; no others stay in memory.

        Raises:
            DPError: they cannot be read.
        """
        raise NotImplementedError


class Held(Item):
    """An array in memory.

    Args:
        where: where it is stored, for messages.
        values: the array.
    """

    def __init__(self, where: str, values: NDArray[Any]) -> None:
        self.where, self.values = where, values
        self.shape, self.dtype = values.shape, values.dtype

    def whole(self) -> NDArray[Any]:
        """Return the array."""
        return self.values

    def flat(self, start: int, stop: int) -> NDArray[Any]:
        """Return the values from ``start`` to ``stop``."""
        return self.values.reshape(-1)[start:stop]


@dataclass(frozen=True, eq=False)
class Frames:
    """Arrays that are stored together and describe the same frames: one ``set.*``.

    Attributes:
        path: where they are stored.
        items: the arrays by name, ``coord`` for ``coord.npy``.
    """

    path: str
    items: Mapping[str, Item]


@dataclass(frozen=True, eq=False)
class Stored:
    """A system as it is stored, its arrays neither checked nor shaped.

    Attributes:
        path: where it is stored.
        types: ``type.raw``.
        names: ``type_map.raw``, where there is one.
        periodic: whether there is no ``nopbc``.
        sets: the frames, in the order of their names.
    """

    path: str
    types: Held
    names: tuple[str, ...] | None
    periodic: bool
    sets: tuple[Frames, ...]


def check_numbers(item: Item) -> None:
    """Refuse an array that does not hold real numbers.

    Raises:
        DPError: it holds something else.
    """
    if item.dtype.kind not in "biuf":
        raise DPError(f"{item.where}: holds {item.dtype} values; it must hold real numbers")


def as_numbers(item: Item) -> Array:
    """Return the values in double precision, without a copy where they are already.

    Raises:
        DPError: for values that are not real numbers.
    """
    check_numbers(item)
    return np.asarray(item.whole(), dtype=np.float64)


# More types than any numbering has, and few enough to be counted.
_MOST_TYPES = 1 << 16


def as_types(item: Item, lowest: int, first: int = 0) -> Types:
    """Return atom types as integers.

    Args:
        item: the stored types.
        lowest: 0, or -1 where padding atoms may occur.
        first: number of the first frame, for messages.

    Raises:
        DPError: for a value that is no integer or lies below ``lowest``.
    """
    values = as_numbers(item)
    bad = (values != np.floor(values)) | ~(values >= lowest) | ~(values < _MOST_TYPES)
    if bad.any():
        place = np.argwhere(bad)[0]
        found = f"{atom_place(place, first)} has type {values[tuple(place)]:g}"
        raise DPError(f"{item.where}: {found}; types must be integers from {lowest} up")
    return values.astype(np.int64)


def atom_place(place: NDArray[Any], first: int) -> str:
    """Say which atom a place in an array of types, ``(atom,)`` or ``(frame, atom)``, is that of."""
    return f"frame {first + place[0]}, atom {place[1]}" if len(place) == 2 else f"atom {place[0]}"


def read_text(path: Path) -> str:
    """Return the text of a file.

    Raises:
        DPError: for a file that cannot be read or is not text.
    """
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DPError(f"{path}: not a text file (byte {error.start} is not UTF-8)") from error
    except OSError as error:
        raise DPError(f"{path}: cannot be read: {reason(error)}") from error


def reason(error: BaseException) -> str:
    """Return what an exception says, on one line."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split()) or type(error).__name__
