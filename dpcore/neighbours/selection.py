"""Which neighbours a model asks for."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Selection:
    """The neighbours of an atom that enter a model.

    Attributes:
        rcut: cutoff, Å.
        sel: largest number of neighbours of each type; the nearest are kept where there are more.
        exclude: unordered pairs of types that are no neighbours of each other.
    """

    rcut: float
    sel: tuple[int, ...]
    exclude: tuple[tuple[int, int], ...] = ()

    def allowed(self) -> NDArray[np.bool_]:
        """Return whether atoms of two types may be neighbours, (type, type)."""
        out = np.ones((len(self.sel), len(self.sel)), np.bool_)
        for first, second in self.exclude:
            out[first, second] = out[second, first] = False
        return out
