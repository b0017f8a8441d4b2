"""A check of what models predict."""

from collections.abc import Sequence

import numpy as np

from dpcore.errors import DPError
from dpcore.frames import Frame, Prediction
from dpcore.neighbours import neighbour_pairs


def check_finite(frames: Sequence[Frame], predictions: Sequence[Prediction], rcut: float) -> None:
    """Refuse predictions that are no numbers, as those of atoms below the beginning of a pair table.

    Args:
        frames: the frames.
        predictions: what a model predicts for them.
        rcut: the model's cutoff, Å.

    Raises:
        DPError: a value of a frame is not finite.
    """
    for number, (frame, prediction) in enumerate(zip(frames, predictions, strict=True)):
        for name, values in prediction.items():
            if not np.isfinite(values).all():
                raise DPError(
                    f"frame {number}: the model's {name} is not finite{_closest(frame, rcut)}"
                )


def _closest(frame: Frame, rcut: float) -> str:
    """Say which atoms are closest, the usual reason."""
    atoms = np.flatnonzero(frame.types >= 0)
    pairs = neighbour_pairs(frame.coord[atoms], frame.cell, rcut, pbc=frame.pbc)
    if not len(pairs.distance):
        return ""
    place = int(pairs.distance.argmin())
    first, second = sorted((int(atoms[pairs.centre[place]]), int(atoms[pairs.neighbour[place]])))
    return (
        f"; its closest atoms, {first} and {second}, are {pairs.distance[place]:.3g} Å apart, which may be "
        "nearer than the model knows"
    )
