"""Losses that are sums of terms of the frames and of the atoms."""

from collections.abc import Iterator, Mapping
from typing import Any

from dpcore.batch import Batch
from dpcore.train.losses.frames import Frames
from dpcore.train.losses.loss import Loss, LossValue
from dpcore.train.losses.terms import Term, total
from dpcore.train.targets import Targets


class SummedLoss(Loss):
    """Base of losses whose terms need the predictions, the labels and the frames alone."""

    def __call__(
        self, predicted: Mapping[str, Any], targets: Targets, batch: Batch, pace: Any
    ) -> LossValue:
        """Return the loss on a batch."""
        like = next(iter(targets.values())).value if targets else pace
        frames = Frames.of(batch, self.excluded, like)
        return total(self._terms(predicted, targets, frames), frames, pace)

    def _terms(
        self, predicted: Mapping[str, Any], targets: Targets, frames: Frames
    ) -> Iterator[Term]:
        """Yield the terms of the labels that there are."""
        raise NotImplementedError
