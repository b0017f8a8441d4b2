"""Errors of a batch as ``dp test`` counts them, in array code."""

from collections.abc import Iterator, Mapping
from typing import Any

from dpcore.batch import Batch
from dpcore.output import Output
from dpcore.train.losses.frames import Deviation, Frames
from dpcore.train.losses.loss import Loss, LossValue
from dpcore.train.losses.measures import absolute, squared
from dpcore.train.targets import Targets, Wanted
from dpcore.xp import namespace

# The label beside those of the data: the inverse of the volume of the cell, 1/Å³.
PER_VOLUME = "per_volume"


class Accuracy(Loss):
    """What is measured in place of a loss: errors of energies, forces, virials and stresses.

    Attributes:
        spin: whether atoms have spins.
    """

    spin: bool = False

    def wanted(self, output: Output) -> tuple[Wanted, ...]:  # noqa: ARG002  # energies in any case
        """Return the labels that are compared where they are there."""
        magnetic = (Wanted("force_mag", "atom", 3),) if self.spin else ()
        return (
            Wanted("energy", "frame"),
            Wanted("force", "atom", 3),
            Wanted("virial", "frame", 9),
            *magnetic,
        )

    def __call__(
        self, predicted: Mapping[str, Any], targets: Targets, batch: Batch, pace: Any
    ) -> LossValue:
        """Return for each error the sum of absolute values, that of squares, and their number, ``(3,)``."""
        like = next(iter(targets.values())).value
        frames = Frames.of(batch, (), like)
        found = dict(self._deviations(predicted, targets, frames))
        return LossValue(0.0 * pace, {name: _sums(x) for name, x in found.items()})

    def _deviations(
        self, predicted: Mapping[str, Any], targets: Targets, frames: Frames
    ) -> Iterator[tuple[str, Deviation]]:
        if energy := targets.get("energy"):
            of_frames = Deviation.of_frames(frames, predicted["energy"], energy)
            yield "energy_per_atom", of_frames.per_atom()
        if force := targets.get("force"):
            name = "atom_force" if self.spin else "force"
            yield name, Deviation.of_each_atom(frames, predicted["force"], force)
        if magnetic := targets.get("force_mag"):
            chosen = namespace(frames.counted).reshape(predicted["mask_mag"], (-1,))
            only = frames.only(chosen)
            yield "spin_force", Deviation.of_each_atom(only, predicted["force_mag"], magnetic)
        if virial := targets.get("virial"):
            deviation = Deviation.of_frames(frames, predicted["virial"], virial)
            yield "virial_per_atom", deviation.per_atom()
            yield "stress", deviation.times(targets[PER_VOLUME].value[:, 0])


def _sums(deviation: Deviation) -> Any:
    of_size, of_square = deviation.error(absolute), deviation.error(squared)
    return namespace(of_size).stack([of_size[0], of_square[0], of_size[1]])
