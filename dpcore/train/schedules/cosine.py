"""Half a wave of a cosine."""

import numpy as np

from dpcore.train.schedules.schedule import Schedule


class Cosine(Schedule, name="cosine"):
    """The rate falls along half a wave of a cosine."""

    def decayed(self, step: float, steps: int, numb_steps: int) -> float:  # noqa: ARG002
        """Return the learning rate after the warm-up."""
        least = self.end / self.start_lr
        if step >= steps:
            return self.start_lr * least if steps else self.start_lr
        wave = 1.0 + np.cos(np.pi * (step / steps))
        return float(self.start_lr * (least + 0.5 * (1.0 - least) * wave))
