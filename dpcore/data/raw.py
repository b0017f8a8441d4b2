"""The raw layout: a text file ``NAME.raw`` for each array, one frame a line."""

from array import array
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpcore.data.folder import read_folder
from dpcore.data.stored import Frames, Item, Stored, reason
from dpcore.errors import DPError

# These describe the system as a whole: they have no line for each frame.
_WHOLE = {"type", "type_map", "formal_charges"}


def read_raw(folder: Path) -> Stored:
    """Find the arrays of a system folder that holds ``coord.raw``.

    Raises:
        DPError: for a file that cannot be read.
    """
    files = [file for file in sorted(folder.glob("*.raw")) if file.stem not in _WHOLE]
    return read_folder(folder, (Frames(str(folder), {file.stem: RawItem(file) for file in files}),))


class RawItem(Item):
    """A raw file, of which only the places of the lines are kept.

    Args:
        path: the file.

    Raises:
        DPError: it cannot be read, or its lines differ in length.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.where, self.dtype = path, str(path), np.dtype(np.float64)
        self._places = array("q")
        width, place = 0, 0
        try:
            with path.open("rb") as file:
                for number, line in enumerate(file, 1):
                    found = len(_words(line))
                    if not width:
                        # What is no number at all is found before anything is read.
                        width = len([float(word) for word in _words(line)])
                    if found not in {0, width}:
                        raise self._wrong(f"line {number} has {found} numbers, others {width}")
                    if found:
                        self._places.append(place)
                    place += len(line)
        except (ValueError, OSError) as error:
            raise self._wrong(reason(error)) from error
        self.shape = (len(self._places), width)

    def whole(self) -> NDArray[Any]:
        """Return all values."""
        return self.flat(0, self.size).reshape(self.shape)

    def flat(self, start: int, stop: int) -> NDArray[Any]:
        """Read the lines that hold the values from ``start`` to ``stop``."""
        width = max(self.shape[1], 1)
        first, last = start // width, -(-stop // width)
        out = np.empty((last - first, width))
        try:
            with self.path.open("rb") as file:
                for row, place in enumerate(self._places[first:last]):
                    file.seek(place)
                    out[row] = [float(word) for word in _words(file.readline())]
        except (ValueError, OSError) as error:
            raise self._wrong(reason(error)) from error
        return out.reshape(-1)[start - first * width : stop - first * width]

    def _wrong(self, why: str) -> DPError:
        rule = "a raw file has one frame a line, the same count of numbers on each"
        return DPError(f"{self.path}: {why}; {rule}")


def _words(line: bytes) -> list[bytes]:
    return line.partition(b"#")[0].split()
