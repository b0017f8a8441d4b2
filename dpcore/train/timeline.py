"""What takes how long, as a trace that browsers show (``chrome://tracing``, Perfetto)."""

import contextlib
import json
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from dpcore.errors import DPError


class Timeline(Protocol):
    """Notes what takes how long."""

    def span(self, name: str) -> AbstractContextManager[None]:
        """Return a context whose time is noted under a name."""
        ...

    def close(self) -> None:
        """Write what is left."""
        ...


class Untimed:
    """Notes nothing."""

    def span(self, name: str) -> AbstractContextManager[None]:  # noqa: ARG002
        """Return a context that does nothing."""
        return contextlib.nullcontext()

    def close(self) -> None:
        """Do nothing."""


class Trace:
    """A trace that is written as it grows: nothing of it stays in memory.

    Args:
        path: the file.

    Raises:
        DPError: the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._begun = time.perf_counter()
        try:
            self._file = path.open("w", encoding="utf-8")
        except OSError as error:
            raise DPError(f"training.profiling_file: {path}: {error.strerror}") from error
        self._file.write("[")
        self._between = "\n"

    @contextlib.contextmanager
    def span(self, name: str) -> Iterator[None]:
        """Note how long a block takes."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            self._note(name, begin, time.perf_counter())

    def close(self) -> None:
        """Write what is left."""
        if not self._file.closed:
            self._file.write("\n]\n")
            self._file.close()

    def _note(self, name: str, begin: float, end: float) -> None:
        event = {
            "name": name,
            "ph": "X",
            "ts": round((begin - self._begun) * 1e6, 3),
            "dur": round((end - begin) * 1e6, 3),
            "pid": 0,
            "tid": 0,
        }
        self._file.write(self._between + json.dumps(event))
        self._between = ",\n"
