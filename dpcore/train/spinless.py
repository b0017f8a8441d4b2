"""Frames without spins for models that take some."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from dpcore.train.data.chosen import Chosen
from dpcore.train.data.sample import Sample, Source


class Spinless(Chosen):
    """Frames whose atoms have spins of zero where none are stored.

    Args:
        source: the frames.
    """

    def __init__(self, source: Source) -> None:
        super().__init__(source, np.arange(source.nframes))

    def lacks(self, name: str) -> str | None:
        """Return where an array is missing; spins never are."""
        return None if name == "spin" else super().lacks(name)

    def samples(self, numbers: Sequence[int]) -> list[Sample]:
        """Read some frames."""
        return [_with_spins(sample) for sample in super().samples(numbers)]


def _with_spins(sample: Sample) -> Sample:
    frame = sample.frame
    if frame.spin is not None:
        return sample
    return replace(sample, frame=replace(frame, spin=np.zeros_like(frame.coord)))
