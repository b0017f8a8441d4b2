"""The LMDB layout: a data base with a msgpack message for each frame, as DeePMD-kit 3.2 reads it."""

import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpcore.data.records import Record
from dpcore.data.stored import reason
from dpcore.errors import DPError

# Names of this layout, and those of the files of others.
_NAMES = {
    "coords": "coord",
    "cells": "box",
    "energies": "energy",
    "forces": "force",
    "virials": "virial",
}
_TYPES = ("atom_types", "atype")

# What frames hold besides arrays that belong to them.
_OTHERS = {*_TYPES, "atom_numbs", "atom_names", "orig", "type", "fid"}

# A process may open a data base only once.
_OPEN: weakref.WeakValueDictionary[str, "LmdbRecords"] = weakref.WeakValueDictionary()


def open_lmdb(path: str) -> "LmdbRecords":
    """Return the frames of an LMDB data set.

    Raises:
        DPError: it is no such data set, or a package that reads it is missing.
    """
    place = str(Path(path).resolve())
    found = _OPEN.get(place)
    if found is None:
        found = _OPEN[place] = LmdbRecords(path)
    return found


class LmdbRecords:
    """The frames of an LMDB data set, which are read one by one.

    Args:
        path: the folder that holds ``data.mdb``, or that file under another name.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._base = _open(path)
        weakref.finalize(self, self._base.close)
        told = self._unpack(b"__metadata__", "its description, the key __metadata__,")
        nframes, self._format = told.get("nframes"), str(told.get("frame_idx_fmt", "012d"))
        if not isinstance(nframes, int) or nframes < 1:
            raise DPError(f"{path}: its description counts {nframes!r} frames; write it again")
        found = self._base.stat()["entries"] - 1
        if found < nframes:
            raise DPError(f"{path}: {found} of {nframes} frames are there; write it again")
        try:
            format(0, self._format)
        except ValueError as error:
            raise DPError(
                f"{path}: frame_idx_fmt is {self._format!r} ({error}); write it again"
            ) from error
        names = told.get("type_map")
        self._names = None if names is None else tuple(map(str, names))
        self.groups = self._each_frame(told, "frame_system_ids", nframes)
        counts = self._each_frame(told, "frame_nlocs", nframes)
        self.counts = self._count(nframes) if counts is None else counts

    def read(self, number: int) -> Record:
        """Read a frame.

        Raises:
            DPError: it is missing or cannot be read.
        """
        where = f"{self.path}, frame {number}"
        message = self._unpack(format(number, self._format).encode(), f"frame {number}")
        values = {str(name): _array(value, f"{where}, {name}") for name, value in message.items()}
        types = next((values[name] for name in _TYPES if values.get(name) is not None), None)
        if types is None:
            raise DPError(f"{where}: no atom_types; write the frame again")
        arrays = {
            _NAMES.get(name, name): value
            for name, value in values.items()
            if value is not None and name not in _OTHERS and _is_there(name, values)
        }
        if "box" in arrays and not arrays["box"].any():
            del arrays["box"]
        return Record(where, types, self._names, arrays)

    def _unpack(self, key: bytes, what: str) -> Mapping[str, Any]:
        import lmdb
        import msgpack

        try:
            with self._base.begin(buffers=True) as transaction:
                stored = transaction.get(key)
                if stored is None:
                    raise DPError(f"{self.path}: {what} is missing; write the data set again")
                message = msgpack.unpackb(stored, raw=False, strict_map_key=False)
        except (lmdb.Error, msgpack.UnpackException, ValueError) as error:
            if isinstance(error, DPError):
                raise
            raise DPError(f"{self.path}: {what} cannot be read ({reason(error)})") from error
        if not isinstance(message, dict):
            raise DPError(f"{self.path}: {what} is a {type(message).__name__}; it must be a map")
        return {k.decode() if isinstance(k, bytes) else k: v for k, v in message.items()}

    def _each_frame(
        self, told: Mapping[str, Any], key: str, nframes: int
    ) -> NDArray[np.int32] | None:
        if told.get(key) is None:
            return None
        values = np.asarray(told[key], np.int32)
        if values.shape != (nframes,):
            raise DPError(
                f"{self.path}: {key} has {values.size} numbers for {nframes} frames; write it again"
            )
        return values

    def _count(self, nframes: int) -> NDArray[np.int32]:
        counts = (self.read(number).types.size for number in range(nframes))
        return np.fromiter(counts, np.int32, nframes)


def _open(path: str) -> Any:
    try:
        import lmdb
        import msgpack  # noqa: F401
    except ImportError as error:
        raise DPError(
            f"{path}: an LMDB data set, which the package {error.name} reads; pip install dpcore[lmdb]"
        ) from error
    folder = Path(path).is_dir()
    file = Path(path, "data.mdb") if folder else Path(path)
    if not file.is_file():
        raise DPError(f"{path}: not found; an LMDB data set is a folder that holds data.mdb")
    try:
        base = lmdb.open(path, subdir=folder, readonly=True, lock=False, readahead=False)
    except lmdb.Error as error:
        raise DPError(f"{path}: not a readable LMDB data set ({reason(error)})") from error
    needed = (base.info()["last_pgno"] + 1) * base.stat()["psize"]
    if file.stat().st_size < needed:
        base.close()
        # To read beyond the end of the file would end the process.
        raise DPError(
            f"{file}: {file.stat().st_size} bytes where it needs {needed}; the file is cut off, copy it again"
        )
    return base


def _is_there(name: str, values: Mapping[str, NDArray[Any] | None]) -> bool:
    """Return whether an array is a label that counts: a flag may say that it does not."""
    if name.startswith("find_"):
        return False
    found = values.get(f"find_{name}", None)
    if found is None:
        found = values.get(f"find_{_NAMES.get(name, name)}", None)
    return found is None or bool(found.any())


def _array(value: Any, where: str) -> NDArray[Any] | None:
    """Return an array, or a number; None for anything else."""
    if isinstance(value, int | float):
        return np.array(value)
    if isinstance(value, list) and value and all(isinstance(x, int | float) for x in value):
        return np.array(value)
    if not isinstance(value, dict):
        return None
    told = {k.decode() if isinstance(k, bytes) else k: v for k, v in value.items()}
    if not {"type", "data"} <= told.keys():
        return None
    try:
        flat = np.frombuffer(told["data"], dtype=np.dtype(told["type"]))
        return flat.reshape(told.get("shape", (-1,)))
    except (TypeError, ValueError) as error:
        raise DPError(f"{where}: not a readable array ({reason(error)})") from error
