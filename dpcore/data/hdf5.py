"""The hdf5 layout: the npy layout's folders as groups and its files as datasets, ``FILE#/GROUP``."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpcore.data.stored import Frames, Held, Item, Stored, reason
from dpcore.errors import DPError


def hdf5_systems(path: str) -> list[str]:
    """Return the systems in a file or below one of its groups: groups that hold ``type.raw``.

    Raises:
        DPError: for a file that is no HDF5 file, or a group that is not in it.
    """
    file = path.partition("#")[0]
    with _open(path) as group:
        return [f"{file}#{name}" for name in _names(group)]


def read_hdf5(path: str) -> Stored:
    """Find the arrays of the system ``FILE#/GROUP``; without a group, the file itself is the system.

    Raises:
        DPError: for a file or group that is missing or cannot be read.
    """
    with _open(path) as group:
        where = f"{path.partition('#')[0]}#{group.name.rstrip('/')}"
        if "type.raw" not in group:
            below = ", ".join(_names(group)[:5])
            hint = f"systems are at {below}" if below else "no group below it has one"
            raise DPError(f"{path}: no type.raw; {hint}")
        sets = sorted(name for name in group if name.startswith("set.") and _is_group(group[name]))
        return Stored(
            path=path,
            types=_held(group["type.raw"], f"{where}/type.raw"),
            names=_type_map(group, where),
            periodic="nopbc" not in group,
            sets=tuple(_read_set(group[name], f"{where}/{name}") for name in sets),
        )


@contextmanager
def _open(path: str) -> Iterator[Any]:
    import h5py

    name, _, inner = path.partition("#")
    try:
        file = h5py.File(name, "r")
    except OSError as error:
        raise DPError(f"{name}: not a readable HDF5 file ({reason(error)})") from error
    with file:
        group = file.get(inner or "/")
        if not _is_group(group):
            below = ", ".join(_names(file)[:5]) or "none"
            raise DPError(f"{path}: {name} has no group {inner}; its systems: {below}")
        yield group


def _is_group(found: Any) -> bool:
    import h5py

    return isinstance(found, h5py.Group)


def _names(group: Any) -> list[str]:
    """Return the full names of the groups that are systems, ``group`` itself first."""
    below: list[str] = []
    group.visit(below.append)
    base = group.name.rstrip("/")
    inside = [f"{base}/{name}" for name in below if f"{name}/type.raw" in group]
    return [group.name, *inside] if "type.raw" in group else inside


def _read_set(group: Any, where: str) -> Frames:
    file = group.file.filename
    items = {
        key.removesuffix(".npy"): Hdf5Item(dataset, file, f"{where}/{key}")
        for key, dataset in sorted(group.items())
    }
    return Frames(where, items)


class Hdf5Item(Item):
    """A dataset of an HDF5 file.

    Args:
        dataset: the dataset.
        file: the file's path.
        where: where it is, for messages.

    Raises:
        DPError: it is a group, or has no shape.
    """

    def __init__(self, dataset: Any, file: str, where: str) -> None:
        self.where, self._file, self._name = where, file, dataset.name
        shape, dtype = getattr(dataset, "shape", None), getattr(dataset, "dtype", None)
        if shape is None or dtype is None:
            raise DPError(f"{where}: not a readable dataset (it holds no array)")
        self.shape, self.dtype = tuple(shape), dtype

    def whole(self) -> NDArray[Any]:
        """Return all values."""
        with _open(self._file) as root:
            return _values(root[self._name], self.where)

    def flat(self, start: int, stop: int) -> NDArray[Any]:
        """Read the values from ``start`` to ``stop``."""
        file = _kept_open(self._file)
        try:
            return _slice(file[self._name], start, stop)
        except (KeyError, OSError, TypeError, ValueError) as error:
            raise _unreadable(self.where, error) from error


@lru_cache(maxsize=4)
def _kept_open(path: str) -> Any:
    import h5py

    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise DPError(f"{path}: not a readable HDF5 file ({reason(error)})") from error


def _slice(dataset: Any, start: int, stop: int) -> NDArray[Any]:
    shape = dataset.shape
    if len(shape) == 1:
        return np.asarray(dataset[start:stop])
    if len(shape) == 2 and shape[0] == 1:
        return np.asarray(dataset[0, start:stop])
    width = max(int(np.prod(shape[1:], dtype=np.int64)), 1)
    first = start // width
    rows = np.asarray(dataset[first : -(-stop // width)] if shape else dataset[()])
    return rows.reshape(-1)[start - first * width : stop - first * width]


def _held(dataset: Any, where: str) -> Held:
    return Held(where, _values(dataset, where))


def _values(dataset: Any, where: str) -> NDArray[Any]:
    try:
        return np.asarray(dataset[()])
    except (OSError, TypeError, ValueError) as error:
        raise _unreadable(where, error) from error


def _unreadable(where: str, error: BaseException) -> DPError:
    return DPError(f"{where}: not a readable dataset ({reason(error)})")


def _type_map(group: Any, where: str) -> tuple[str, ...] | None:
    if "type_map.raw" not in group:
        return None
    stored = _held(group["type_map.raw"], f"{where}/type_map.raw")
    words = stored.values.ravel().tolist()
    if not all(isinstance(word, bytes | str) for word in words):
        raise DPError(f"{stored.where}: holds {stored.values.dtype} values; it must hold names")
    return tuple(
        word.decode(errors="replace") if isinstance(word, bytes) else word for word in words
    )
