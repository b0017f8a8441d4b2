"""Which arrays of a model are made of matrices, and which are lists of numbers."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from dpcore.train.parameters import Layout
from dpcore.xp import namespace

Sizes = tuple[int, int, int]


@dataclass(frozen=True)
class Route:
    """How an array is updated.

    Attributes:
        matrices: how many matrices it is made of, and their rows and columns; None for Adam.
        decays: whether its numbers decay.
    """

    matrices: Sizes | None = None
    decays: bool = False


@dataclass(frozen=True)
class Pieces:
    """The arrays of some vectors, those that are updated together side by side.

    Attributes:
        layout: where the arrays are.
        routes: how each is updated.
    """

    layout: Layout
    routes: tuple[Route, ...]

    def where(self, wanted: Callable[[Route], bool]) -> list[int]:
        """Return the numbers of arrays."""
        return [i for i, route in enumerate(self.routes) if wanted(route)]

    def by_shape(self) -> dict[tuple[int, int], list[int]]:
        """Return the numbers of the arrays that are made of matrices, by the sizes of these."""
        found: dict[tuple[int, int], list[int]] = {}
        for i, route in enumerate(self.routes):
            if route.matrices is not None:
                found.setdefault(route.matrices[1:], []).append(i)
        return found

    def count(self, numbers: Sequence[int]) -> int:
        """Return how many matrices some arrays are made of."""
        return sum(route.matrices[0] for i in numbers if (route := self.routes[i]).matrices)

    def split(self, vector: Any) -> list[Any]:
        """Return the arrays of a vector, each flat."""
        return list(namespace(vector).split(vector, [slot.length for slot in self.layout.slots]))

    def stacked(self, parts: Sequence[Any], numbers: Sequence[int]) -> Any:
        """Return the matrices of some arrays, ``(matrix, row, column)``."""
        xp = namespace(parts[0])
        return xp.concat([xp.reshape(parts[i], self._sizes(i)) for i in numbers], axis=0)

    def unstacked(self, matrices: Any, numbers: Sequence[int]) -> list[Any]:
        """Return the arrays that matrices belong to, each flat."""
        xp = namespace(matrices)
        parts = xp.split(matrices, [self._sizes(i)[0] for i in numbers])
        return [xp.reshape(part, (-1,)) for part in parts]

    def _sizes(self, number: int) -> Sizes:
        sizes = self.routes[number].matrices
        assert sizes is not None
        return sizes


def whole_matrix(sizes: tuple[int, ...]) -> Sizes | None:
    """Return an array as one matrix, all but its first axis side by side."""
    if len(sizes) < 2:
        return None
    return 1, sizes[0], math.prod(sizes[1:])


def matrices_of(sizes: tuple[int, ...], mode: str) -> Sizes | None:
    """Return the matrices that an array is made of; axes of length one do not count.

    Args:
        sizes: its shape.
        mode: what becomes of arrays with more than two axes: ``slice`` for a matrix from every place on
            the first ones, ``flat`` for one matrix, ``2d`` for none.
    """
    sizes = tuple(n for n in sizes if n != 1)
    if len(sizes) < 2 or (mode == "2d" and len(sizes) > 2):
        return None
    if mode == "flat":
        return 1, math.prod(sizes[:-1]), sizes[-1]
    return math.prod(sizes[:-2]), sizes[-2], sizes[-1]
