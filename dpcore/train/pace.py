"""How long the steps of a run took."""

import time
from dataclasses import dataclass, field

from dpcore.train.display import duration


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
