"""Steps of optimizers that follow goals of their own in place of the loss."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from dpcore.backend.adapter import Adapter, as_inputs
from dpcore.train.objective import Lesson, Objective
from dpcore.train.optimizers import STEP, Optimizer
from dpcore.train.update import Progress, Updater
from dpcore.train.workers import Workers


@dataclass(frozen=True, eq=False)
class Pursuit:
    """Follows the goals of an optimizer, one after another.

    Attributes:
        adapter: the backend.
        device: where its arrays are.
        optimizer: what has the goals.
        objectives: their :attr:`~dpcore.train.optimizers.Optimizer.goal_losses`, by name.
        updater: takes the steps.
        workers: the processes that train together.
        seed: of what the goals leave to chance.
    """

    adapter: Adapter
    device: Any
    optimizer: Optimizer
    objectives: Mapping[str, Objective]
    updater: Updater
    workers: Workers
    seed: int = 0

    def take(
        self, progress: Progress, lesson: Lesson, step: int, steps: int
    ) -> tuple[Progress, Any, Any]:
        """Follow all goals on a batch, up to one whose derivative is not finite.

        Args:
            progress: the parameters and what the optimizer remembers.
            lesson: the batch, of NumPy arrays.
            step: number of the step.
            steps: number of all steps.

        Returns:
            what there is after that, and of the last goal the derivative and its length.
        """
        gradient: Any = progress.vector
        norm: Any = np.zeros(())
        rng = np.random.default_rng([self.seed, step, self.workers.place.rank])
        for goal in self.optimizer.goals(lesson.batch, step / steps, rng):
            targets, pace = (*lesson.targets, *goal.targets), np.asarray(goal.pace)
            told = as_inputs(self.adapter, lesson.with_(targets=targets, pace=pace), self.device)
            outcome = self.objectives[goal.name].teach(progress.vector, told)
            with self.adapter.scope():
                gradient = self.workers.mean(outcome.gradient)
                error = outcome.errors[STEP]
                off = self.workers.mean(error[0] / error[1])
            progress, norm = self.updater(progress, gradient, off)
            if not np.isfinite(self.adapter.to_numpy(norm)):
                break
        return progress, gradient, norm
