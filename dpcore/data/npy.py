"""The npy layout: a folder ``set.*`` for each part of the frames, a file ``NAME.npy`` for each array."""

import tokenize
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpcore.data.folder import read_folder
from dpcore.data.stored import Frames, Item, Stored, reason
from dpcore.errors import DPError

# Every mapped file keeps a descriptor open, and a run may hold thousands of small systems.
MAP_FROM_BYTES = 1 << 26

_UNREADABLE = (ValueError, EOFError, OSError, MemoryError, OverflowError, tokenize.TokenError)


def set_folders(folder: Path) -> list[Path]:
    """Return the folders ``set.*`` in the order of their names."""
    return sorted(path for path in folder.glob("set.*") if path.is_dir())


def read_npy(folder: Path) -> Stored:
    """Read a system folder that holds ``set.*``.

    Raises:
        DPError: for a file that cannot be read.
    """
    return read_folder(folder, tuple(_read_set(path) for path in set_folders(folder)))


def _read_set(folder: Path) -> Frames:
    files = sorted(folder.glob("*.npy"))
    return Frames(str(folder), {file.stem: Item(str(file), _load(file)) for file in files})


def _load(path: Path) -> NDArray[Any]:
    try:
        return _map(path) if path.stat().st_size >= MAP_FROM_BYTES else _read(path)
    except _UNREADABLE as error:
        raise DPError(f"{path}: {_complaint(error)}") from error


def _map(path: Path) -> NDArray[Any]:
    # Copy on write: callers get an ordinary writable array, and the file stays as it is.
    mapped: NDArray[Any] = np.lib.format.open_memmap(path, mode="c")
    return mapped


def _read(path: Path) -> NDArray[Any]:
    with path.open("rb") as file:
        values: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
    return values


def _complaint(error: BaseException) -> str:
    text = reason(error)
    if "allow_pickle" in text or "Python objects" in text:
        return "holds pickled objects, which are never loaded; save an array of numbers instead"
    return f"not a readable npy file ({text}); write it again with numpy.save"
