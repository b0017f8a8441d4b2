"""Which neighbours a model asks for."""

from dataclasses import dataclass


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

    def allows(self, centre: int, neighbour: int) -> bool:
        """Return whether atoms of these types may be neighbours."""
        return not {(centre, neighbour), (neighbour, centre)} & set(self.exclude)
