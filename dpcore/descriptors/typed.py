"""Descriptors whose neighbours come by type, each type with networks of its own."""

from typing import Any, Self

import numpy as np

from dpcore.descriptors.local import LocalDescriptor
from dpcore.errors import DPError
from dpcore.neighbours.selection import Selection
from dpcore.tree import setting
from dpcore.xp import as_type_of, shape


class TypedDescriptor(LocalDescriptor):
    """Base of descriptors that keep so many neighbours of each type, in places of their own.

    Attributes:
        by_type: whether the nearest of each type are kept however many neighbours there are.
    """

    sel: tuple[int, ...] = setting(
        doc="largest number of neighbours of each type within the cutoff"
    )
    by_type: bool = False

    def __post_init__(self) -> None:
        if not self.sel or min(self.sel) < 0 or sum(self.sel) == 0:
            raise DPError(
                f"descriptor.sel: {list(self.sel)} must hold a neighbour count for each type"
            )
        super().__post_init__()

    @classmethod
    def create(
        cls,
        rng: np.random.Generator,
        *,
        type_map: tuple[str, ...] = (),  # noqa: ARG003
        **settings: Any,
    ) -> Self:
        """Draw a descriptor with random networks and neutral statistics."""
        sel = settings["sel"]
        count = cls.number_of_nets(len(sel), settings)
        return cls(
            nets=cls.draw_nets(rng, count, 1, settings),
            **cls.neutral_statistics(len(sel), sum(sel), settings),
            **settings,
        )

    @property
    def ntypes(self) -> int:
        """Number of atom types."""
        return len(self.sel)

    @property
    def places(self) -> int:
        """Largest number of neighbours of an atom, whatever their types."""
        return sum(self.sel)

    @property
    def selections(self) -> tuple[Selection, ...]:
        """The neighbours this descriptor asks for."""
        return (Selection(rcut=self.rcut, sel=self.sel, by_type=self.by_type),)

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """Pairs of types, centre first, that have places in ``sel``."""
        types = range(self.ntypes)
        return [(c, n) for c in types for n in types if self.sel[n]]

    @property
    def interacting(self) -> list[tuple[int, int]]:
        """Pairs of types, centre first, that contribute more than constants."""
        return [pair for pair in self.pairs if pair not in self.excluded]

    def first_place(self, neighbour: int) -> int:
        """Return the first of the places of a neighbour type."""
        return sum(self.sel[:neighbour])

    def statistics(self, centre: int, neighbour: int) -> tuple[Any, Any]:
        """Return mean and deviation of the rows of a pair of types, ``(sel, column)`` each."""
        first = self.first_place(neighbour)
        places = slice(first, first + self.sel[neighbour])
        return self.davg[centre, places, :], self.dstd[centre, places, :]

    def normalised(self, centre: int, neighbour: int, rows: Any) -> Any:
        """Return the normalised rows ``(R - davg) / dstd`` of a pair of types, ``(centre, neighbour, column)``."""
        width = shape(rows)[1]
        davg, dstd = (as_type_of(x[:width, :], rows) for x in self.statistics(centre, neighbour))
        return (rows - davg) / dstd
