"""What frozen parts of a model predict, to which no bias is to be fitted once more."""

import zlib
from collections.abc import Sequence

import numpy as np

from dpcore import registry, tree
from dpcore.frames import Frame, Prediction
from dpcore.infer.engine import TreeEngine
from dpcore.infer.evaluator import Evaluator
from dpcore.models import FrozenModel, LinearModel, Model
from dpcore.models.biased import neutral_statistics


class Given:
    """What the frozen parts of a weighted sum of models predict.

    Args:
        model: the whole model, of any kind.
    """

    def __init__(self, model: Model) -> None:
        self._frozen = frozen_in(model)
        self._evaluator: Evaluator | None = None
        trained = any(leaf.trainable for leaf in tree.leaves(model).values())
        self.is_all = self._frozen is not None and not trained
        """Whether nothing of the model is trained, so that it stays as it is."""

    def __call__(self, frame: Frame) -> Prediction | None:
        """Return what they predict for a frame of the whole model, None where there are none."""
        if self._frozen is None:
            return None
        if self._evaluator is None:
            self._evaluator = Evaluator(
                self._frozen, TreeEngine(self._frozen, registry.backend("numpy"))
            )
        frames: Sequence[Frame] = [frame]
        (found,) = self._evaluator.predict(frames, atomic=False)
        return found

    @property
    def checksum(self) -> int:
        """A number that tells frozen parts apart, 0 where there are none."""
        total = 0
        for array in () if self._frozen is None else tree.arrays(self._frozen).values():
            total = zlib.crc32(np.ascontiguousarray(array).tobytes(), total)
        return total


def frozen_in(model: Model) -> Model | None:
    """Return the part of a model that comes from files, None where there is none.

    It has the types of the model, but no bias of its own.
    """
    if isinstance(model, FrozenModel):
        return model
    if not isinstance(model, LinearModel):
        return None
    each = zip(model.models, model.factors, strict=True)
    parts = [(frozen_in(part), weight) for part, weight in each]
    found = [(part, weight) for part, weight in parts if part is not None]
    if not found:
        return None
    return model.with_(
        models=tuple(part for part, _ in found),
        weights=tuple(weight for _, weight in found),
        **neutral_statistics(len(model.type_map)),
    )
