"""What the reader of a layout hands over: arrays as they are stored, each with its place."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpcore.data.system import Array, Types
from dpcore.errors import DPError

NOT_READ = "this version reads npy, raw and hdf5; convert the data with dpdata"


@dataclass(frozen=True, eq=False)
class Item:
    """An array and where it is stored, for messages."""

    where: str
    values: NDArray[Any]


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
    types: Item
    names: tuple[str, ...] | None
    periodic: bool
    sets: tuple[Frames, ...]


def as_numbers(item: Item) -> Array:
    """Return the values in double precision, without a copy where they are already.

    Raises:
        DPError: for values that are not real numbers.
    """
    if item.values.dtype.kind not in "biuf":
        raise DPError(f"{item.where}: holds {item.values.dtype} values; it must hold real numbers")
    return np.asarray(item.values, dtype=np.float64)


def as_types(item: Item, lowest: int) -> Types:
    """Return atom types as integers.

    Args:
        item: the stored types.
        lowest: 0, or -1 where padding atoms may occur.

    Raises:
        DPError: for a value that is no integer or lies below ``lowest``.
    """
    values = as_numbers(item)
    bad = ~np.isfinite(values) | (values != np.floor(values)) | (values < lowest)
    if bad.any():
        first = np.argwhere(bad)[0]
        place = f"frame {first[0]}, atom {first[1]}" if first.size == 2 else f"atom {first[-1]}"
        found = f"{place} has type {values[tuple(first)]:g}"
        raise DPError(f"{item.where}: {found}; types must be integers from {lowest} up")
    return values.astype(np.int64)


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
