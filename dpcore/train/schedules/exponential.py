"""Exponential decay."""

import numpy as np

from dpcore.errors import DPError
from dpcore.train.schedules.schedule import Schedule
from dpcore.tree import setting

# The least rate at the end that a decay is made for.
_LEAST = 1e-10


class Exponential(Schedule, name="exp"):
    """The rate decays by a factor every so many steps.

    Runs of no more steps than these, and without a factor of their own, decay about a hundred times
    instead, but every hundred steps at most.
    """

    decay_steps: int = setting(5000, doc="number of steps between two decays")
    decay_rate: float | None = setting(
        None, doc="factor of a decay; by default such that the rate ends at stop_lr"
    )
    smooth: bool = setting(False, doc="decay at every step, by the same in decay_steps")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.decay_steps <= 0:
            raise DPError(f"learning_rate.decay_steps: {self.decay_steps}; it is above 0")
        if self.decay_rate is not None and not 0.0 < self.decay_rate <= 1.0:
            raise DPError(
                f"learning_rate.decay_rate: {self.decay_rate}; it is above 0 and at most 1"
            )

    def decayed(self, step: float, steps: int, numb_steps: int) -> float:  # noqa: ARG002
        """Return the learning rate after the warm-up; at least that at the end."""
        period = self.period(steps)
        times = step / period if self.smooth else step // period
        return max(float(self.start_lr * np.power(self._factor(steps), times)), self.end)

    def period(self, steps: int) -> int:
        """Return the number of steps between two decays, of ``steps`` after the warm-up."""
        if self.decay_rate is not None or self.decay_steps < steps:
            return self.decay_steps
        return 100 if steps // 10 > 100 else steps // 100 + 1

    def _factor(self, steps: int) -> float:
        if self.decay_rate is not None:
            return self.decay_rate
        if not steps:
            return 1.0
        whole = np.log(max(self.end, _LEAST) / self.start_lr)
        return float(np.exp(whole / (steps / self.period(steps))))

    @property
    def remedy(self) -> str:
        """What helps where the rate falls too fast."""
        return "raise stop_lr, decay_rate or decay_steps"
