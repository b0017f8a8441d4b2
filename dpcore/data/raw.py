"""The raw layout: a text file ``NAME.raw`` for each array, one frame a line."""

import warnings
from pathlib import Path

import numpy as np

from dpcore.data.folder import read_folder
from dpcore.data.stored import Frames, Item, Stored, reason
from dpcore.errors import DPError

# These describe the system as a whole: they have no line for each frame.
_WHOLE = {"type", "type_map", "formal_charges"}


def read_raw(folder: Path) -> Stored:
    """Read a system folder that holds ``coord.raw``.

    Raises:
        DPError: for a file that cannot be read.
    """
    files = [file for file in sorted(folder.glob("*.raw")) if file.stem not in _WHOLE]
    return read_folder(folder, (Frames(str(folder), {file.stem: _load(file) for file in files}),))


def _load(path: Path) -> Item:
    try:
        with warnings.catch_warnings():
            # An empty file is a warning here, and an error of the reader below.
            warnings.simplefilter("ignore", UserWarning)
            return Item(str(path), np.loadtxt(path, dtype=np.float64, ndmin=2))
    except (ValueError, OSError) as error:
        rule = "a raw file has one frame a line, the same count of numbers on each"
        raise DPError(f"{path}: {reason(error)}; {rule}") from error
