"""Which neighbours a model asks for."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

ALL = 1 << 60
"""More neighbours than any atom has."""


@dataclass(frozen=True)
class Selection:
    """The neighbours of an atom that enter a descriptor.

    Attributes:
        rcut: cutoff, Å.
        sel: largest number of neighbours of each type; the nearest are kept where there are more.
        exclude: unordered pairs of types that are no neighbours of each other.
        total: largest number of neighbours of all types; by default the sum of ``sel``.
        mixed: whether neighbours of all types come in one block, sorted by distance, rather than in one
            block for each type.
        full: whether blocks are as wide as the selection allows, rather than as wide as needed.
        types: the type that each type of the model is to this selection, where the two differ.
        by_type: whether the nearest of each type are kept however many neighbours there are; otherwise they
            are among the nearest of all types.
        listed: whether neighbours of all types come in one list of edges, without padding for each centre.
        messages: whether features of the neighbours are asked for, so that frames are evaluated whole.
        masked: whether frames are open, and their atoms neighbours only where the whole part of the first
            atomic parameter is not zero.
    """

    rcut: float
    sel: tuple[int, ...]
    exclude: tuple[tuple[int, int], ...] = ()
    total: int | None = None
    mixed: bool = False
    full: bool = False
    types: tuple[int, ...] | None = None
    by_type: bool = False
    masked: bool = False
    listed: bool = False
    messages: bool = False

    @classmethod
    def of_all_types(
        cls, rcut: float, total: int, ntypes: int, *, mixed: bool = True, **flags: Any
    ) -> "Selection":
        """Return a selection of the nearest neighbours, whatever their types."""
        return cls(rcut, (total,) * ntypes, total=total, mixed=mixed, **flags)

    def with_excluded(self, pairs: tuple[tuple[int, int], ...]) -> "Selection":
        """Return the selection without some more pairs of types."""
        return replace(self, exclude=self.exclude + pairs) if pairs else self

    def within(self, total: int) -> "Selection":
        """Return the selection among at most so many neighbours of all types."""
        return replace(self, total=total)

    @property
    def most(self) -> int:
        """Largest number of neighbours of all types."""
        return sum(self.sel) if self.total is None else self.total

    @property
    def among(self) -> int:
        """Number of the nearest neighbours of all types that those kept are among."""
        return ALL if self.by_type else self.most

    def allowed(self) -> NDArray[np.bool_]:
        """Return whether atoms of two types may be neighbours, (type, type)."""
        out = np.ones((len(self.sel), len(self.sel)), np.bool_)
        for first, second in self.exclude:
            out[first, second] = out[second, first] = False
        return out
