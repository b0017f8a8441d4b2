"""Statistics kept in a file, so that data need not be read again."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from dpcore.errors import DPError

Arrays = dict[str, NDArray[Any]]
Key = Mapping[str, Any]

_SUFFIXES = (".h5", ".hdf5")
_NAME = "statistics.hdf5"
_GROUP = "dpcore-"


@dataclass(frozen=True)
class StatFile:
    """An HDF5 file that holds statistics of several models and data, each with a key that tells of what.

    Attributes:
        name: what users call it: the file (.h5, .hdf5), or a folder that it is in.
        mode: ``update`` to add what is not there, ``read`` to refuse it.
    """

    name: str
    mode: Literal["update", "read"] = "update"

    @property
    def path(self) -> Path:
        """The file."""
        path = Path(self.name)
        return path if path.suffix in _SUFFIXES else path / _NAME

    def read(self, key: Key) -> Arrays | None:
        """Return what is stored under a key; None where there is nothing, to be made and written.

        Raises:
            DPError: the file is damaged, or nothing is stored and nothing may be added.
        """
        stored = dict(self._stored())
        name, text = _name(key), _text(key)
        if name in stored and stored[name] == text:
            return self._arrays(name)
        if self.mode == "update":
            return None
        raise DPError(
            f"stat_file {self.name}: {self._lack(key, list(stored.values()))}; with stat_file_mode 'read' they "
            "have to be there: use 'update'"
        )

    def prepare(self) -> None:
        """Make the folder of the file, so that nothing is gathered in vain.

        Raises:
            DPError: the file cannot be written there.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._unwritten(error) from error
        if self.path.is_dir() or not os.access(self.path.parent, os.W_OK | os.X_OK):
            raise DPError(f"stat_file {self.name}: cannot be written; choose another place")

    def write(self, key: Key, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Store arrays under a key; the file is whole at any time."""
        import h5py

        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            number, temporary = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")
            os.close(number)
            try:
                if self.path.exists():
                    shutil.copyfile(self.path, temporary)
                with h5py.File(temporary, "a" if self.path.exists() else "w") as file:
                    file.pop(_name(key), None)
                    group = file.create_group(_name(key))
                    group.attrs["key"] = _text(key)
                    for name, values in arrays.items():
                        group[name.replace("/", "|")] = values
                Path(temporary).replace(self.path)
            finally:
                Path(temporary).unlink(missing_ok=True)
        except OSError as error:
            raise self._unwritten(error) from error

    def _unwritten(self, error: OSError) -> DPError:
        return DPError(f"stat_file {self.name}: cannot be written: {error.strerror or error}")

    def _stored(self) -> Iterator[tuple[str, str]]:
        """Yield what is stored by the names of groups: the text of the key."""
        import h5py

        if not self.path.is_file():
            return
        try:
            with h5py.File(self.path, "r") as file:
                names = [name for name in map(str, file) if name.startswith(_GROUP)]
                found = [(name, str(file[name].attrs["key"])) for name in names]
        except (OSError, KeyError) as error:
            raise self._damaged() from error
        yield from found

    def _arrays(self, name: str) -> Arrays:
        import h5py

        try:
            with h5py.File(self.path, "r") as file:
                return {key.replace("|", "/"): np.asarray(x) for key, x in file[name].items()}
        except (OSError, KeyError) as error:
            raise self._damaged() from error

    def _damaged(self) -> DPError:
        return DPError(
            f"stat_file {self.path}: no HDF5 file that can be read; remove it, or name another"
        )

    def _lack(self, key: Key, stored: list[str]) -> str:
        """Say how what is asked for differs from what is stored, from that which comes closest."""
        if not stored:
            return "holds no statistics"
        each = [
            sorted(k for k in key if _text(json.loads(s).get(k)) != _text(key[k])) for s in stored
        ]
        _, closest = min((len(names), names) for names in each)
        return f"its statistics are of another {', '.join(closest)}"


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, frozenset):
        return sorted(value)
    return np.asarray(value).tolist()


def _name(key: Key) -> str:
    return _GROUP + hashlib.sha256(_text(key).encode()).hexdigest()[:16]
