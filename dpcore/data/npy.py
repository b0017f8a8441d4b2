"""The npy layout: a folder ``set.*`` for each part of the frames, a file ``NAME.npy`` for each array."""

import os
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

# Bytes that are read in one call at most.
_MOST = 1 << 30

_UNREADABLE = (ValueError, EOFError, OSError, MemoryError, OverflowError, tokenize.TokenError)


def set_folders(folder: Path) -> list[Path]:
    """Return the folders ``set.*`` in the order of their names."""
    return sorted(path for path in folder.glob("set.*") if path.is_dir())


def read_npy(folder: Path) -> Stored:
    """Find the arrays of a system folder that holds ``set.*``.

    Raises:
        DPError: for a file that cannot be read.
    """
    return read_folder(folder, tuple(_find(path) for path in set_folders(folder)))


def _find(folder: Path) -> Frames:
    return Frames(str(folder), {file.stem: NpyItem(file) for file in sorted(folder.glob("*.npy"))})


class NpyItem(Item):
    """An npy file, of which the header is read at once.

    Args:
        path: the file.

    Raises:
        DPError: it is no npy file, holds objects, or is shorter than its header says.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.where = path, str(path)
        try:
            with path.open("rb") as file:
                self.shape, self._columns_first, self.dtype = _header(file)
                self._start = file.tell()
            length = path.stat().st_size - self._start
        except _UNREADABLE as error:
            raise self._unreadable(reason(error)) from error
        if self.dtype.hasobject:
            raise DPError(
                f"{path}: holds pickled objects, which are never loaded; save an array of numbers instead"
            )
        needed = self.size * self.dtype.itemsize
        if any(n < 0 for n in self.shape):
            raise self._unreadable(f"its header announces the shape {self.shape}")
        if length < needed:
            raise self._unreadable(f"{length} bytes of data where its header announces {needed}")

    def whole(self) -> NDArray[Any]:
        """Return all values: a writable array, the file of which stays as it is."""
        try:
            large = self.path.stat().st_size >= MAP_FROM_BYTES
            return _map(self.path, "c") if large else _read(self.path)
        except _UNREADABLE as error:
            raise self._unreadable(reason(error)) from error

    def flat(self, start: int, stop: int) -> NDArray[Any]:
        """Read the values from ``start`` to ``stop``.

        The file is neither mapped nor kept open: pages of a map would count as memory of the process.
        """
        try:
            if self._columns_first and len(self.shape) > 1:
                return self._gathered(start, stop)
            width = self.dtype.itemsize
            data = _part(self.where, self._start + start * width, (stop - start) * width)
        except _UNREADABLE as error:
            raise self._unreadable(reason(error)) from error
        if len(data) < (stop - start) * width:
            raise self._unreadable("it has become shorter")
        return np.frombuffer(data, self.dtype)

    def _gathered(self, start: int, stop: int) -> NDArray[Any]:
        width = self.size // self.shape[0]
        first = start // width
        rows = _map(self.path, "r")[first : -(-stop // width)]
        return np.array(rows).reshape(-1)[start - first * width : stop - first * width]

    def _unreadable(self, why: str) -> DPError:
        return DPError(
            f"{self.path}: not a readable npy file ({why}); write it again with numpy.save"
        )


def _header(file: Any) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(file)
    return np.lib.format.read_array_header_2_0(file)


def _part(path: str, start: int, length: int) -> bytearray:
    """Read part of a file, in less time than a file object takes to be made: most parts are small."""
    file, parts = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0)), bytearray()
    try:
        os.lseek(file, start, os.SEEK_SET)
        while len(parts) < length:
            part = os.read(file, min(length - len(parts), _MOST))
            if not part:
                break
            parts += part
    finally:
        os.close(file)
    return parts


def _map(path: Path, mode: Any) -> NDArray[Any]:
    mapped: NDArray[Any] = np.lib.format.open_memmap(path, mode=mode)
    return mapped


def _read(path: Path) -> NDArray[Any]:
    with path.open("rb") as file:
        values: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
    return values
