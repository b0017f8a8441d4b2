"""What the npy and raw layouts share: the files that describe a system as a whole."""

from pathlib import Path

import numpy as np

from dpcore.data.stored import Frames, Held, Stored, read_text
from dpcore.errors import DPError


def read_folder(folder: Path, sets: tuple[Frames, ...]) -> Stored:
    """Return the system of a folder, given the frames found in it.

    Raises:
        DPError: for a bad ``type.raw`` or ``type_map.raw``.
    """
    names = folder / "type_map.raw"
    return Stored(
        path=str(folder),
        types=_types(folder / "type.raw"),
        names=tuple(_words(names)) if names.is_file() else None,
        periodic=not (folder / "nopbc").is_file(),
        sets=sets,
    )


def _types(path: Path) -> Held:
    words = _words(path)
    for atom, word in enumerate(words):
        try:
            float(word)
        except ValueError:
            found = f"atom {atom} has type {word!r}"
            raise DPError(f"{path}: {found}; types must be integers from 0 up") from None
    return Held(str(path), np.array([float(word) for word in words]))


def _words(path: Path) -> list[str]:
    """Return the words of a file; a line break is as good as a blank, and # starts a comment."""
    lines = read_text(path).splitlines()
    return [word for line in lines for word in line.partition("#")[0].split()]
