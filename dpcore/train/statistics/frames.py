"""Which frames are looked at, and which models inside a model see them."""

import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from dpcore.errors import DPError
from dpcore.frames import Frame
from dpcore.models import Model, StandardModel
from dpcore.train.data.chosen import place
from dpcore.train.data.sample import Sample, Source
from dpcore.tree import inside

# Atoms of the frames that are held in memory at once.
CHUNK_ATOMS = 20_000

Limit = Callable[[Source], int]
"""Returns how many frames of a source to look at, at most; 0 for all."""


def every(_: Source) -> int:
    """Look at all frames."""
    return 0


def chosen(source: Source, limit: Limit) -> list[int]:
    """Return the frames of a source to look at: so many at equal distances, from the first to the last."""
    most = limit(source) or source.nframes
    if most >= source.nframes:
        return list(range(source.nframes))
    return sorted({round(x) for x in np.linspace(0, source.nframes - 1, most)})


def chunks(source: Source, numbers: Sequence[int], atoms: int = CHUNK_ATOMS) -> Iterator[list[int]]:
    """Yield numbers of frames that have at most about ``atoms`` atoms together."""
    held, total = list[int](), 0
    for number in numbers:
        size = source.natoms(number)
        if held and total + size > atoms:
            yield held
            held, total = [], 0
        held.append(number)
        total += size
    if held:
        yield held


def samples(source: Source, limit: Limit = every) -> Iterator[list[tuple[str, Sample]]]:
    """Yield the frames of a source to look at, each with where it is stored, some at a time."""
    for numbers in chunks(source, chosen(source, limit)):
        places = [place(source, number) for number in numbers]
        yield list(zip(places, source.samples(numbers), strict=True))


@contextmanager
def named(where: str) -> Iterator[None]:
    """Let errors about the only frame of a list say which one it is."""
    try:
        yield
    except DPError as error:
        what = str(error).removeprefix("frame 0").lstrip(":, ")
        raise DPError(f"{where}: {what}") from error


def seen(
    model: Model, frames: Sequence[Frame], path: str = ""
) -> Iterator[tuple[str, StandardModel, list[Frame]]]:
    """Yield the trained standard models inside a model, with their paths and the frames that they see.

    Args:
        model: the model.
        frames: the frames that it sees.
        path: where it is.
    """
    if isinstance(model, StandardModel):
        yield path, model, list(frames)
        return
    parts: dict[str, Any] = dict(inside(model, Model))
    for part, given in model.frames_inside(frames).items():
        yield from seen(parts[part], given, joined(path, part))


def joined(*places: str) -> str:
    """Return the path made of some, of which empty ones are left out."""
    return ".".join(place for place in places if place)


def fingerprint(sources: Sequence[Source], limit: Limit) -> list[list[int]]:
    """Return what tells data apart: of each source how many frames and a checksum of the first."""
    found = []
    for source in sources:
        numbers = chosen(source, limit)
        total = 0
        for sample in source.samples(numbers[:1]):
            parts = [*vars(sample.frame).values(), *(x for _, x in sorted(sample.labels.items()))]
            for part in parts:
                if isinstance(part, np.ndarray):
                    total = zlib.crc32(np.ascontiguousarray(part).tobytes(), total)
        found.append([source.nframes, len(numbers), total])
    return found
