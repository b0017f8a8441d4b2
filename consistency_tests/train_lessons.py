"""Lessons from the examples: their frames with random labels."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from harness import Backend

from dpcore.backend.adapter import to_backend
from dpcore.frames import Frame
from dpcore.models import Model
from dpcore.models.children import is_of_frames
from dpcore.neighbours.sizes import ExactSizes, RecurringSizes
from dpcore.train.acts import cast_of
from dpcore.train.data import Portion, one_batch
from dpcore.train.losses import Loss
from dpcore.train.objective import Lesson, Objective, Outcome
from dpcore.train.parameters import Layout
from dpcore.train.targets import Target, Wanted


@dataclass(frozen=True)
class Lessons:
    """A model, frames with labels, and a loss.

    Attributes:
        model: the model.
        loss: the loss.
        lesson: the frames.
    """

    model: Model
    loss: Loss
    lesson: Lesson

    @classmethod
    def of(cls, model: Model, loss: Loss, frames: Sequence[Frame], *, padded: bool = False) -> Self:
        """Return a batch of frames with random labels."""
        sizes = RecurringSizes if padded else ExactSizes
        own = is_of_frames(model)
        batch = one_batch(() if own else model.selections, sizes())(frames)
        acts = cast_of(model, sizes)(frames, batch) if own else ()
        loss, rng = loss.for_model(model), np.random.default_rng(5)
        targets = {
            want.name: _label(want, frames, batch, rng) for want in loss.wanted(model.output)
        }
        natoms = sum(len(frame.types) for frame in frames)
        portion = Portion(batch, targets, len(frames), natoms, acts)
        return cls(model, loss, Lesson.of(portion, np.asarray(0.4)))

    @property
    def layout(self) -> Layout:
        """What is where in the vector."""
        return Layout.of(self.model)

    def teach(self, backend: Backend = Backend.NUMPY) -> dict[str, Any]:
        """Return loss, gradient and errors."""
        return self._run(backend, "teach", self.layout.vector(self.model))

    def loss_at(self, vector: np.ndarray) -> float:
        """Return the loss for other parameters."""
        return float(self._run(Backend.NUMPY, "judge", vector)["loss"])

    def _run(self, backend: Backend, what: str, vector: np.ndarray) -> dict[str, Any]:
        adapter = backend.adapter()
        there = to_backend(adapter, self.model)
        objective = Objective(adapter, there, self.layout, self.loss)
        with adapter.scope():
            given = adapter.asarray(vector)
        found: Outcome = getattr(objective, what)(given, to_backend(adapter, self.lesson))
        whole = {"loss": found.loss, **found.errors}
        if found.gradient is not None:
            whole["gradient"] = found.gradient
        return {name: adapter.to_numpy(x) for name, x in whole.items()}

    def along(self, direction: np.ndarray, step: float = 1e-4) -> float:
        """Return the slope of the loss along a direction, by finite differences of fourth order."""
        start = self.layout.vector(self.model)
        near, far = (
            self.loss_at(start + n * step * direction) - self.loss_at(start - n * step * direction)
            for n in (1, 2)
        )
        return (8.0 * near - far) / (12.0 * step)

    def without(self, name: str) -> Self:
        """Return the lesson without a label."""
        left = tuple(target for target in self.lesson.targets if target.name != name)
        return replace(self, lesson=self.lesson.with_(targets=left))


def _label(want: Wanted, frames: Sequence[Frame], batch: Any, rng: np.random.Generator) -> Target:
    sizes = [len(frame.types) for frame in frames]
    width = 9 * max(sizes) if want.per == "pair" else want.width
    length = len(batch.natoms) if want.per == "frame" else len(batch.frame)
    known = len(frames) if want.per == "frame" else sum(sizes)
    value = np.zeros((length, width))
    value[:known] = rng.normal(size=(known, width))
    there = np.zeros(len(batch.natoms))
    there[: len(frames)] = 1.0
    return Target(name=want.name, value=value, there=there)
