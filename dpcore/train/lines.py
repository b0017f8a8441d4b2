"""Files that a run adds lines to, each of a step."""

from pathlib import Path

from dpcore.errors import DPError


class Lines:
    """A file of lines that begin with the step, or with ``#``.

    Args:
        path: where it is.
        what: what it holds, for messages.
        head: its first lines.
        first: the step that is to come; lines of it and later ones in a file that is there are dropped.
            0 begins a new file.

    Raises:
        DPError: it cannot be written.
    """

    def __init__(self, path: Path, what: str, head: str, first: int = 0) -> None:
        self._path, self._what = path, what
        try:
            kept = bool(first) and _cut_before(path, first)
        except OSError as error:
            raise self._unwritten(error) from error
        if not kept:
            self._write("w", head)

    def add(self, text: str) -> None:
        """Add some lines.

        Raises:
            DPError: they cannot be written.
        """
        self._write("a", text)

    def _write(self, mode: str, text: str) -> None:
        try:
            with self._path.open(mode, encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise self._unwritten(error) from error

    def _unwritten(self, error: OSError) -> DPError:
        return DPError(f"{self._path}: {self._what} cannot be written: {error.strerror}")


def _cut_before(path: Path, step: int) -> bool:
    """Cut a file behind its last complete line before a step; what stays is not written once more.

    Returns:
        whether a line is left.
    """
    if not path.is_file():
        return False
    length = 0
    for line in path.read_bytes().splitlines(keepends=True):
        word = line.split(maxsplit=1)[0] if line.strip() else b"#"
        known = word.startswith(b"#") or (word.isdigit() and int(word) < step)
        if not known or not line.endswith(b"\n"):
            break
        length += len(line)
    with path.open("r+b") as file:
        file.truncate(length)
    return length > 0
