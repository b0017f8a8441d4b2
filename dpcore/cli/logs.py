"""What the program says beside its results: one line each on stderr, and in a log file."""

import logging
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

LEVELS = {
    "DEBUG": logging.DEBUG,
    "3": logging.DEBUG,
    "INFO": logging.INFO,
    "2": logging.INFO,
    "WARNING": logging.WARNING,
    "1": logging.WARNING,
    "ERROR": logging.ERROR,
    "0": logging.ERROR,
}

_results = logging.getLogger("dpcore.results")


def say(line: str = "") -> None:
    """Print a line of a command's results, at once, and write it to the log file if there is one."""
    print(line, flush=True)
    _results.info("%s", line)


class Logs:
    """The program's logging, while it runs; a caller's own is put back afterwards."""

    def __init__(self) -> None:
        self._root = logging.getLogger()
        self._level_before = self._root.level
        self._stderr = logging.StreamHandler(sys.stderr)
        self._stderr.setFormatter(_Short())
        self._stderr.addFilter(_is_ours_or_serious)
        self._stderr.addFilter(lambda record: record.name != _results.name)
        self._file: logging.Handler | None = None

    def __enter__(self) -> Self:
        self._root.addHandler(self._stderr)
        self._root.setLevel(logging.INFO)
        return self

    def configure(self, level: str, path: str | None) -> None:
        """Set what is said and where.

        Args:
            level: one of :data:`LEVELS`.
            path: a log file to append to.

        Raises:
            OSError: the log file cannot be written.
        """
        self._stderr.setLevel(LEVELS[level])
        self._root.setLevel(min(LEVELS[level], logging.INFO))
        if path is not None:
            self._file = logging.FileHandler(Path(path), encoding="utf-8")
            self._file.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s"))
            self._file.addFilter(_is_ours_or_serious)
            self._file.addFilter(
                lambda record: record.name == _results.name or record.levelno >= LEVELS[level]
            )
            self._root.addHandler(self._file)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._root.removeHandler(self._stderr)
        if self._file is not None:
            self._root.removeHandler(self._file)
            self._file.close()
        self._root.setLevel(self._level_before)


def _is_ours_or_serious(record: logging.LogRecord) -> bool:
    # Frameworks tell much that users of this program did not ask for.
    return record.name.startswith("dpcore") or record.levelno >= logging.WARNING


class _Short(logging.Formatter):
    """Write ``dp: warning: text``."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record on one line."""
        kind = "" if record.levelno == logging.INFO else f"{record.levelname.lower()}: "
        return f"dp: {kind}{record.getMessage()}"
