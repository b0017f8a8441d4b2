"""How long the steps of a run took."""

import time
from dataclasses import dataclass, field

# Steps that a forecast goes by: at least so many, and of long runs such a part of all.
_LEAST = 1000
_PARTS = 10


def duration(seconds: float) -> str:
    """Return a time such as ``1:02:03``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"


@dataclass
class Forecast:
    """How long the steps to come will take: as long as those before, of which later ones count more.

    Attributes:
        memory: after so many steps one counts about a third of what it did.
    """

    memory: int
    _last: float | None = None
    _seconds: float = 0.0
    _steps: float = 0.0

    @classmethod
    def of(cls, total: int) -> "Forecast":
        """Return that of a run, slow enough that one checkpoint does not move it much.

        Args:
            total: steps in all.
        """
        return cls(max(_LEAST, total // _PARTS))

    def step(self, now: float) -> None:
        """Note that a step was taken.

        Args:
            now: the time, s.
        """
        # What is compiled is compiled in the first step, which tells nothing of others therefore.
        if self._last is not None:
            kept = 1.0 - 1.0 / self.memory
            self._seconds = kept * self._seconds + now - self._last
            self._steps = kept * self._steps + 1.0
        self._last = now

    def left(self, steps: int) -> str:
        """Say how long so many steps will take."""
        if steps and not self._steps:
            return "?"
        return duration(steps * self._seconds / max(self._steps, 1.0))


@dataclass
class Pace:
    """How long the steps of a run took.

    Attributes:
        steps: how many were taken.
        waited: seconds that were spent waiting for data.
    """

    steps: int = 0
    waited: float = 0.0
    _begun: float = field(default_factory=time.perf_counter)
    _first: float = 0.0
    _last: float = 0.0

    def step(self, waited: float) -> None:
        """Note that a step was taken.

        Args:
            waited: seconds that were spent waiting for data so far.
        """
        self.steps, self.waited = self.steps + 1, waited
        self._last = time.perf_counter()
        # What is compiled is compiled in the first step.
        self._first = self._first or self._last

    def words(self, *, timed: bool = True) -> str:
        """Say how many steps there were and how long they took."""
        said = f"{self.steps} steps"
        if timed and self.steps:
            said += f" in {duration(self._last - self._begun)}"
            if self.steps > 1:
                said += (
                    f", {(self._last - self._first) / (self.steps - 1):.3g} s each after the first"
                )
            said += f"; {self.waited:.3g} s in all were spent waiting for data"
        return said
