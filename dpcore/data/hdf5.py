"""The hdf5 layout: the npy layout's folders as groups and its files as datasets, ``FILE#/GROUP``."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpcore.data.stored import Frames, Item, Stored, reason
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
    """Read the system ``FILE#/GROUP``; without a group, the file itself is the system.

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
            types=_item(group["type.raw"], f"{where}/type.raw"),
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
    items = {
        key.removesuffix(".npy"): _item(dataset, f"{where}/{key}")
        for key, dataset in sorted(group.items())
    }
    return Frames(where, items)


def _item(dataset: Any, where: str) -> Item:
    try:
        values: NDArray[Any] = np.asarray(dataset[()])
    except (OSError, TypeError, ValueError) as error:
        raise DPError(f"{where}: not a readable dataset ({reason(error)})") from error
    return Item(where, values)


def _type_map(group: Any, where: str) -> tuple[str, ...] | None:
    if "type_map.raw" not in group:
        return None
    stored = _item(group["type_map.raw"], f"{where}/type_map.raw")
    words = stored.values.ravel().tolist()
    if not all(isinstance(word, bytes | str) for word in words):
        raise DPError(f"{stored.where}: holds {stored.values.dtype} values; it must hold names")
    return tuple(
        word.decode(errors="replace") if isinstance(word, bytes) else word for word in words
    )
