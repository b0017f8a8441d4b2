"""What all schedules share."""

import math
from typing import ClassVar, Literal

from dpcore.errors import DPError
from dpcore.tree import Module, setting

# The schedules that an input file may name.
SCHEDULES: dict[str, type["Schedule"]] = {}

# The rate at the end where nothing is said of it.
_STOP = 5e-8

# A rate smaller than this part of that at the start changes no parameter.
_NOTHING = 1e-16


class Schedule(Module):
    """Base of what says how the learning rate goes from its start to its end.

    It may be warmed up first, along a straight line. All numbers are those of DeePMD-kit.
    """

    aliases: ClassVar[tuple[str, ...]] = ()

    start_lr: float = setting(doc="learning rate after the warm-up")
    stop_lr: float | None = setting(None, doc="learning rate at the end; by default 5e-8")
    stop_lr_ratio: float | None = setting(
        None, doc="that at the end over that at the start, in place of stop_lr"
    )
    warmup_steps: int = setting(0, doc="number of steps of the warm-up")
    warmup_ratio: float | None = setting(
        None, doc="share of all steps that the warm-up takes, in place of warmup_steps"
    )
    warmup_start_factor: float = setting(
        0.0, doc="learning rate at the first step of the warm-up, over start_lr"
    )
    scale_by_worker: Literal["linear", "sqrt", "none"] = setting(
        "linear",
        doc="factor on the rate where several processes train: their number, its root, or 1",
    )

    def __init_subclass__(cls, name: str = "", **kwargs: object) -> None:
        super().__init_subclass__(name=f"{name}_schedule" if name else "", **kwargs)
        if name:
            SCHEDULES[name] = cls

    def __post_init__(self) -> None:
        if not (math.isfinite(self.start_lr) and self.start_lr > 0.0):
            raise DPError(f"learning_rate.start_lr: {self.start_lr}; it is above 0")
        if self.warmup_steps and self.warmup_ratio is not None:
            raise DPError(
                "learning_rate.warmup_steps: contradicts warmup_ratio; leave one of them out"
            )
        if self.stop_lr is not None and self.stop_lr_ratio is not None:
            raise DPError("learning_rate.stop_lr: contradicts stop_lr_ratio; leave one of them out")
        if not 0.0 <= self.end <= self.start_lr:
            key = "stop_lr" if self.stop_lr_ratio is None else "stop_lr_ratio"
            raise DPError(
                f"learning_rate.{key}: the rate ends at {self.end}; it is from 0 to start_lr = {self.start_lr}"
            )
        for key in ("warmup_steps", "warmup_ratio", "warmup_start_factor"):
            if not (getattr(self, key) or 0) >= 0:
                raise DPError(f"learning_rate.{key}: {getattr(self, key)}; it is 0 or above")
        if (self.warmup_ratio or 0) >= 1:
            raise DPError(
                f"learning_rate.warmup_ratio: {self.warmup_ratio}; it is below 1, so that the rate gets to start_lr"
            )
        if self.scale_by_worker not in {"linear", "sqrt", "none"}:
            raise DPError(
                f"learning_rate.scale_by_worker: {self.scale_by_worker!r}; allowed: linear, sqrt, none"
            )

    @property
    def end(self) -> float:
        """The learning rate at the end."""
        if self.stop_lr_ratio is not None:
            return self.start_lr * self.stop_lr_ratio
        return _STOP if self.stop_lr is None else self.stop_lr

    def warmup(self, numb_steps: int) -> int:
        """Return the number of steps of the warm-up, which may be more than there are."""
        if self.warmup_ratio is not None:
            return int(self.warmup_ratio * numb_steps)
        return self.warmup_steps

    def remark(self, numb_steps: int) -> str | None:
        """Return what users should know of a run that ends before its warm-up, None for any other."""
        steps = self.warmup(numb_steps)
        if not steps or steps < numb_steps:
            return None
        return (
            f"learning_rate.warmup_steps: the warm-up takes {steps} steps and the run {numb_steps}; the rate "
            "rises to the end and does not decay"
        )

    def rate(self, step: int, numb_steps: int) -> float:
        """Return the learning rate of a step.

        Args:
            step: number of the step, from 0.
            numb_steps: number of all steps.
        """
        warmup = self.warmup(numb_steps)
        # A run that ends with its warm-up has no steps along which the rate could decay.
        if step < warmup or (warmup and warmup >= numb_steps):
            first = self.warmup_start_factor * self.start_lr
            return first + (self.start_lr - first) * min(step / warmup, 1.0)
        return float(self.decayed(float(step - warmup), numb_steps - warmup, numb_steps))

    def decayed(self, step: float, steps: int, numb_steps: int) -> float:
        """Return the learning rate after the warm-up.

        Args:
            step: number of the step after the warm-up.
            steps: number of steps after the warm-up.
            numb_steps: number of all steps.
        """
        raise NotImplementedError

    def worker_factor(self, workers: int) -> float:
        """Return the factor on the rate where several processes train."""
        return {"linear": float(workers), "sqrt": math.sqrt(workers), "none": 1.0}[
            self.scale_by_worker
        ]

    def check(self, numb_steps: int) -> None:
        """Refuse a rate with which the last steps would change nothing.

        Raises:
            DPError: the rate is zero, for what it can change, long before the end.
        """
        first, last = self.warmup(numb_steps), int(0.99 * numb_steps)
        nothing = _NOTHING * self.start_lr
        if last <= first or self.rate(last, numb_steps) > nothing:
            return
        while last - first > 1:
            middle = (first + last) // 2
            still = self.rate(middle, numb_steps) > nothing
            first, last = (middle, last) if still else (first, middle)
        raise DPError(
            f"learning_rate: it has fallen to {self.rate(last, numb_steps):.1e} at step {last} of "
            f"{numb_steps}, too little to change anything; {self.remedy}"
        )

    @property
    def remedy(self) -> str:
        """What helps where the rate falls too fast."""
        return "raise stop_lr"
