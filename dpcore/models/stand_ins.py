"""Frames that stand in for others: a model is evaluated on them in place of those that it is asked for."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dpcore.frames import Floats, Frame


@dataclass(frozen=True, eq=False)
class StandIn:
    """A frame that stands in for another.

    Attributes:
        frame: what is evaluated.
        of: number of the frame that it stands in for.
        atoms: for each of its atoms, the atom of that frame that it is, or moves with, ``(atom,)``.
        weight: share in the results of that frame.
        scale: for atoms that move with spins, displacement over the spin, ``(atom, 1)``, Å; 0 for others.
            None where there are no spins.
        shift: displacements of these atoms, which do not change on strain, ``(atom, 3)``, Å, or None.
    """

    frame: Frame
    of: int
    atoms: NDArray[np.int64]
    weight: float = 1.0
    scale: Floats | None = None
    shift: Floats | None = None
