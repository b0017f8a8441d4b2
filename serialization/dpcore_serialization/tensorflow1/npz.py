"""Variables in a ``.npz`` file, which is read as if it came from an enemy."""

import math
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.lib import format as npy

from dpcore.errors import DPError
from dpcore_serialization.tensorflow1.variables import Array

_KINDS = "fiu"
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


@dataclass(frozen=True)
class _Entry:
    """Where an array of the file is, and what its header says of it."""

    member: zipfile.ZipInfo
    header: int
    sizes: tuple[int, ...]
    dtype: np.dtype[np.generic]
    by_column: bool


class NpzSource:
    """The arrays of a ``.npz`` file by name.

    Args:
        path: the file.

    Raises:
        DPError: the file is missing, damaged, or holds anything but arrays of numbers.
    """

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        try:
            self._file = zipfile.ZipFile(path)
            entries = [(m.filename, self._entry(m)) for m in self._file.infolist()]
        except FileNotFoundError as error:
            raise DPError(f"{path}: no such file") from error
        except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
            raise DPError(f"{path}: no .npz file ({error})") from error
        self._entries = {name.removesuffix(".npy"): entry for name, entry in entries}
        if len(self._entries) < len(entries):
            raise DPError(f"{path}: two arrays have one name; the file is damaged")

    def names(self) -> list[str]:
        """Return the names of all arrays."""
        return list(self._entries)

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of an array."""
        return self._entries[name].sizes

    def read(self, name: str) -> Array:
        """Return an array."""
        entry = self._entries[name]
        try:
            with self._file.open(entry.member) as member:
                data = member.read()[entry.header :]
        except (OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
            raise self._damaged(name, str(error)) from error
        values = np.frombuffer(data, entry.dtype)
        array = values.reshape(entry.sizes, order="F" if entry.by_column else "C")
        if not np.isfinite(array).all():
            raise self._damaged(name, "it has a value that is not finite")
        native: Any = array.astype(array.dtype.newbyteorder("="), order="C")
        return cast("Array", native)

    def _entry(self, member: zipfile.ZipInfo) -> _Entry:
        """Read the header of an array, without the array."""
        name = member.filename
        if not name.endswith(".npy"):
            raise DPError(f"{self.path}: holds {name!r}, which is no array")
        if member.compress_type not in _COMPRESSIONS:
            raise self._damaged(name, "it is compressed in a way that no .npz file is")
        with self._file.open(member) as file:
            try:
                sizes, by_column, dtype = _header(file)
            except (ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
                raise self._damaged(name, " ".join(str(error).split())) from error
            start = file.tell()
        if dtype.kind not in _KINDS:
            raise self._damaged(name, f"it has the dtype {dtype}; numbers are needed")
        needed = start + math.prod(sizes) * dtype.itemsize
        if member.file_size != needed:
            raise self._damaged(
                name, f"it takes {member.file_size} bytes; its header says {needed}"
            )
        return _Entry(member, start, sizes, dtype, by_column)

    def _damaged(self, name: str, what: str) -> DPError:
        return DPError(f"{self.path}: {name.removesuffix('.npy')}: {what}")


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[np.generic]]:
    """Return shape, order and dtype of an array."""
    version = npy.read_magic(file)
    if version == (1, 0):
        return npy.read_array_header_1_0(file)
    if version == (2, 0):
        return npy.read_array_header_2_0(file)
    raise ValueError(f"its format {version} is unknown")
