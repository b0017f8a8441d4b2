"""Pairs of neighbours."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dpcore.errors import DPError


@dataclass(frozen=True)
class Pairs:
    """Hold the directed pairs (i, j, S) of a frame, displacement = r_j + S @ cell - r_i.

    Every pair appears in both directions. An atom pairs with its own images, never with itself.
    Rows are sorted by centre, distance, neighbour and displacement: the order is unique.

    Attributes:
        centre: (pair,) index i of the atom in the middle.
        neighbour: (pair,) index j of the atom around it.
        displacement: (pair, 3) from centre to neighbour, Å.
        distance: (pair,) length of the displacement, Å.
    """

    centre: NDArray[np.int64]
    neighbour: NDArray[np.int64]
    displacement: NDArray[np.float64]
    distance: NDArray[np.float64]


def check_separation(pairs: Pairs, frame: int) -> None:
    """Refuse two atoms, or an atom and an image, at the same place.

    Args:
        pairs: The pairs of the frame.
        frame: Number of the frame, for the message.

    Raises:
        DPError: A distance is zero.
    """
    coincident = np.flatnonzero(pairs.distance == 0.0)
    if coincident.size:
        first = coincident[0]
        raise DPError(
            f"frame {frame}: atoms {pairs.centre[first]} and {pairs.neighbour[first]} are at the"
            " same place; distances must be positive: remove the duplicate atom or check that"
            " the cell and the coordinates share their units"
        )
