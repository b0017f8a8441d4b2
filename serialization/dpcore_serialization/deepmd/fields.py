"""Reading a dictionary key by key, with nothing overlooked."""

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import numpy as np

from dpcore.errors import DPError

_MISSING = object()


class UnwritableError(DPError):
    """DeePMD-kit's kinds of file have no place for a model."""


class Fields:
    """A dictionary whose keys must all be read; leaving the context refuses the ones that were not.

    Args:
        data: the dictionary.
        path: where it is in the file, for messages.
        version: the newest ``@version`` of its class that is understood.
    """

    def __init__(self, data: Any, path: str, version: int = 1) -> None:
        if not isinstance(data, Mapping):
            raise DPError(f"{path}: a table is expected, found {type(data).__name__}")
        self._data, self.path = dict(data), path
        self._data.pop("@class", None)
        found = self._data.pop("@version", 1)
        if not isinstance(found, int) or not 1 <= found <= version:
            raise DPError(
                f"{path}: @version {found!r} is not understood; this version reads 1 to {version}: "
                "update dpcore, or write the model with an older DeePMD-kit"
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        if kind is None and self._data:
            raise DPError(
                f"{self.path}: the key {min(self._data)!r} is not supported by this version"
            )

    def take(self, key: str, default: Any = _MISSING) -> Any:
        """Return the value of a key, once."""
        if key not in self._data and default is _MISSING:
            raise DPError(f"{self.path}: the key {key!r} is missing")
        return self._data.pop(key, default)

    def array(self, key: str, ndim: int) -> Any:
        """Return an array of that many axes, once."""
        value = self.take(key)
        if not isinstance(value, np.ndarray) or value.ndim != ndim:
            raise DPError(f"{self.path}.{key}: an array of {ndim} axes is expected")
        return value

    def optional_array(self, key: str, ndim: int) -> Any:
        """Return an array of that many axes or None, once."""
        if self._data.get(key) is None:
            self._data.pop(key, None)
            return None
        return self.array(key, ndim)

    def neutral(self, key: str, *allowed: Any) -> None:
        """Read a key that must hold one of the values that ask for nothing."""
        value = self._data.pop(key, allowed[0])
        if value not in allowed:
            raise DPError(f"{self.path}.{key}: {value!r} is not supported by this version")

    def skip(self, *keys: str) -> None:
        """Drop keys that repeat what another key says."""
        for key in keys:
            self._data.pop(key, None)


def as_tuple(value: Any) -> Any:
    """Return nested lists as nested tuples."""
    if isinstance(value, (list, tuple)):
        return tuple(as_tuple(v) for v in value)
    return value


def as_list(value: Any) -> Any:
    """Return nested tuples as nested lists."""
    return [as_list(v) for v in value] if isinstance(value, tuple) else value


def pairs(value: Any) -> tuple[tuple[int, int], ...]:
    """Return type pairs as a tuple of tuples; DeePMD-kit may leave out an empty list."""
    result: tuple[tuple[int, int], ...] = as_tuple(value) if value else ()
    return result
