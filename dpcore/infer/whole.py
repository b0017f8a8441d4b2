"""Predictions of whole models, which may be made of parts that are evaluated one by one."""

from collections.abc import Mapping, Sequence

from dpcore.frames import Frame, Prediction
from dpcore.infer.engine import Engine
from dpcore.infer.evaluator import Evaluator
from dpcore.models import Model


class WholeEvaluator:
    """Evaluate a model on frames with an engine for each of its parts.

    Args:
        model: the model.
        engines: what computes, by the names of ``model.parts``.
        batch_atoms: about how many atoms are evaluated together.
    """

    def __init__(
        self, model: Model, engines: Mapping[str, Engine], batch_atoms: int | None = None
    ) -> None:
        self._model = model
        self._parts = {
            name: Evaluator(part, engines[name], batch_atoms) for name, part in model.parts.items()
        }

    def predict(self, frames: Sequence[Frame], *, atomic: bool = True) -> list[Prediction]:
        """Return the predictions for each frame (see :meth:`Evaluator.predict`)."""

        def evaluate(part: str, given: Sequence[Frame]) -> list[Prediction]:
            return self._parts[part].predict(given, atomic=atomic)

        return self._model.run(frames, evaluate)

    def describe(self, frames: Sequence[Frame]) -> list[Prediction]:
        """Return the descriptor of each frame, ``(atom, width)``."""
        return self._model.run_features(
            frames, lambda part, given: self._parts[part].describe(given)
        )
