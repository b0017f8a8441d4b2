"""What the Kalman filter follows: sums of predictions, each taken with the sign of its error."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import numpy as np

from dpcore.batch import Batch
from dpcore.output import ENERGY, Output
from dpcore.train.losses import Loss, LossValue
from dpcore.train.losses.frames import Deviation, Frames
from dpcore.train.losses.loss import refuse_output
from dpcore.train.optimizers.goals import STEP
from dpcore.train.targets import Target, Targets, Wanted
from dpcore.xp import as_type_of, namespace, shape

# How many atoms of each frame are followed together, and how many times in a step.
ATOMS, TIMES = 6, 4

_CHOSEN = "chosen_atoms"


class KalmanGoal(Loss):
    """The sum of predictions that ought to grow, less that of those that ought to shrink.

    Its error has how far they are off on average, times the root of the number of frames.

    Attributes:
        follows: energies of frames, or components of the forces on some of their atoms; each for an atom.
    """

    follows: Literal["energy", "force"] = "energy"

    def check_output(self, output: Output) -> None:
        """Refuse models that do not predict energies."""
        if output != ENERGY:
            raise refuse_output("ener", output, "an optimizer of type 'LKF' is for energies alone")

    def wanted(self, output: Output) -> tuple[Wanted, ...]:
        """Return the label that is followed."""
        self.check_output(output)
        if self.follows == "energy":
            return (Wanted("energy", "frame"),)
        return (Wanted("force", "atom", 3),)

    def __call__(
        self, predicted: Mapping[str, Any], targets: Targets, batch: Batch, pace: Any
    ) -> LossValue:
        """Return the sum and the error, both times the pace."""
        xp, target = namespace(pace), targets.get(self.follows)
        if target is None:
            nothing = 0.0 * pace
            return LossValue(nothing, {STEP: xp.stack([nothing, nothing + 1.0])})
        frames = Frames.of(batch, self.excluded, target.value)
        deviation, weight = self._followed(frames, predicted, targets, target)
        found = xp.reshape(as_type_of(predicted[self.follows], target.value), shape(target.value))
        counts = (weight * deviation.count)[:, None]
        found = xp.where(counts > 0.0, found, xp.zeros_like(found))
        sign = xp.where(deviation.value > 0.0, -xp.ones_like(found), xp.ones_like(found))
        off = -xp.sum(counts * sign * deviation.value)
        number = xp.sum(as_type_of(target.there, frames.there) * frames.there)
        root = xp.sqrt(xp.maximum(number, xp.ones_like(number)))
        pace = as_type_of(pace, target.value)
        total = pace * xp.sum(counts * sign * found)
        return LossValue(total, {STEP: xp.stack([pace * off, root])})

    def _followed(
        self, frames: Frames, predicted: Mapping[str, Any], targets: Targets, target: Target
    ) -> tuple[Deviation, Any]:
        """Return the errors, and how much each row counts."""
        share = 1.0 / frames.natoms
        if self.follows == "energy":
            return Deviation.of_frames(frames, predicted["energy"], target), share
        deviation = Deviation.of_each_atom(frames, predicted["force"], target)
        each = namespace(share).take(share, frames.frame, axis=0) / (3.0 * ATOMS)
        return deviation, each * targets[_CHOSEN].value[:, 0]


def chosen_atoms(batch: Batch, rng: np.random.Generator) -> Iterator[Target]:
    """Yield how often each atom of a NumPy batch is among the chosen ones of its frame."""
    starts = np.cumsum(batch.natoms) - batch.natoms
    there = (batch.natoms > 0).astype(float)
    for _ in range(TIMES):
        counts = np.zeros((len(batch.frame), 1))
        for start, natoms in zip(starts, batch.natoms, strict=True):
            if natoms:
                np.add.at(counts, start + rng.integers(0, natoms, ATOMS), 1.0)
        yield Target(name=_CHOSEN, value=counts, there=there)
