"""A stable rate that falls at the end."""

from typing import Literal

import numpy as np

from dpcore.errors import DPError
from dpcore.train.schedules.schedule import Schedule
from dpcore.tree import setting


class WarmupStableDecay(Schedule, name="wsd"):
    """The rate stays as it is, and falls in the last part of the run."""

    decay_phase_ratio: float = setting(0.1, doc="share of all steps in which the rate falls")
    decay_type: Literal["inverse_linear", "cosine", "linear"] = setting(
        "inverse_linear", doc="how it falls: its inverse along a line, a cosine, or a line"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.end > 0.0:
            raise DPError(f"learning_rate.stop_lr: {self.end}; it is above 0 for type 'wsd'")
        if not 0.0 < self.decay_phase_ratio <= 1.0:
            raise DPError(
                f"learning_rate.decay_phase_ratio: {self.decay_phase_ratio}; it is above 0 and at most 1"
            )
        if self.decay_type not in {"inverse_linear", "cosine", "linear"}:
            raise DPError(
                f"learning_rate.decay_type: {self.decay_type!r}; allowed: inverse_linear, cosine, linear"
            )

    def decayed(self, step: float, steps: int, numb_steps: int) -> float:
        """Return the learning rate after the warm-up."""
        falling = max(1, min(int(self.decay_phase_ratio * numb_steps), steps))
        start, end, stable = self.start_lr, self.end, steps - falling
        if step >= steps:
            return end
        if step < stable:
            return start
        done = min(max((step - stable) / falling, 0.0), 1.0)
        if self.decay_type == "inverse_linear":
            return 1.0 / (done / end + (1.0 - done) / start)
        if self.decay_type == "cosine":
            return float(end + (start - end) * 0.5 * (1.0 + np.cos(np.pi * done)))
        return start + (end - start) * done
