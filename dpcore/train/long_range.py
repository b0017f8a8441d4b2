"""Labels of the short-range energy, which is what of a model with charges is trained."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpcore import registry
from dpcore.data.system import other_spelling
from dpcore.frames import Frame, Prediction
from dpcore.infer.engine import TreeEngine
from dpcore.infer.evaluator import Evaluator
from dpcore.models.dipole_charge import DipoleChargeModel
from dpcore.train.data.chosen import Chosen
from dpcore.train.data.sample import Sample, Source
from dpcore.train.statistics.frames import named

# Labels that charges take part in, by the names of predictions.
_LABELS = {"energy": "energy", "force": "force", "virial": "virial", "atom_energy": "atom_ener"}

# The predictions of all systems that are kept, in bytes.
_MOST = 1 << 28

Shares = Mapping[str, NDArray[np.float64]]


class LongRange:
    """What charges contribute to frames, by a model whose dipoles are not trained.

    Args:
        model: the model.
    """

    def __init__(self, model: DipoleChargeModel) -> None:
        self._model, self._room = model, _MOST
        self._parts: dict[str, Evaluator] = {}

    def __call__(self, frame: Frame) -> Shares:
        """Return the contribution to each label of a frame.

        Raises:
            DPError: a frame without a cell, or one that does not repeat in all directions.
        """
        (found,) = self._model.long_range([frame], self._evaluate)
        return {label: found[name] for name, label in _LABELS.items()}

    def has_room(self, shares: Shares) -> bool:
        """Return whether contributions may be kept, and take their room."""
        needed = sum(value.nbytes for value in shares.values())
        self._room -= needed if needed <= self._room else 0
        return needed <= self._room

    def _evaluate(self, name: str, frames: Sequence[Frame]) -> list[Prediction]:
        if not self._parts:
            adapter = registry.backend("numpy")
            self._parts = {
                part: Evaluator(model, TreeEngine(model, adapter))
                for part, model in self._model.parts.items()
                if part != "energy"
            }
        return self._parts[name].predict(frames, atomic=False)


class ShortRange(Chosen):
    """Frames whose labels lack what charges contribute to them.

    Args:
        source: the frames.
        long_range: returns the contributions.
    """

    def __init__(self, source: Source, long_range: LongRange) -> None:
        super().__init__(source, np.arange(source.nframes))
        self._long_range = long_range
        self._kept: dict[int, Shares] = {}

    def samples(self, numbers: Sequence[int]) -> list[Sample]:
        """Read some frames.

        Raises:
            DPError: a frame without a cell, or one that does not repeat in all directions.
        """
        found = zip(numbers, super().samples(numbers), strict=True)
        return [self._without(number, sample) for number, sample in found]

    def _without(self, number: int, sample: Sample) -> Sample:
        labels = {_spelt(name, sample): name for name in _LABELS.values()}
        known = {key: name for key, name in labels.items() if key in sample.labels}
        if not known:
            return sample
        shares = self._kept.get(number)
        if shares is None:
            with named(self.place(number)):
                shares = self._long_range(sample.frame)
            if self._long_range.has_room(shares):
                self._kept[number] = shares
        less: dict[str, NDArray[Any]] = {}
        for key, name in known.items():
            value = sample.labels[key]
            less[key] = value - shares[name].reshape(value.shape)
        return replace(sample, labels=dict(sample.labels) | less)


def _spelt(name: str, sample: Sample) -> str:
    """Return a label as the sample spells it."""
    other = other_spelling(name)
    return other if name not in sample.labels and other in sample.labels else name
