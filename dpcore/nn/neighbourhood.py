"""What atoms tell their neighbours: pairs of centres and neighbours, as rows or as a list of edges."""

from dataclasses import dataclass
from typing import Any

from dpcore.xp import namespace, shape


@dataclass(frozen=True)
class Neighbourhood:
    """Pairs of centres and neighbours; ``...`` is ``(centre, neighbour)``, or ``(edge,)`` in a list.

    Attributes:
        displacement: vectors to the neighbours, ``(..., 3)``, Å.
        there: 1 for neighbours that count, 0 for excluded ones and padding, ``(..., 1)``.
        switch: the switch function, ``(..., 1)``; 0 where no neighbour counts.
        types: types of the neighbours, ``(...)``; any where there is none.
        centre_types: types of the centres, ``(centre,)``.
        place: place of each neighbour on the centre axis, ``(...)``; any where there is none.
        centre: place of each edge's centre on that axis, ``(edge,)``; None where there are rows.
    """

    displacement: Any
    there: Any
    switch: Any
    types: Any
    centre_types: Any
    place: Any
    centre: Any | None = None

    @property
    def is_list(self) -> bool:
        """Whether pairs are a list of edges."""
        return self.centre is not None

    @property
    def length(self) -> Any:
        """Distances of the neighbours, ``(..., 1)``, Å."""
        xp, squares = namespace(self.displacement), self.displacement * self.displacement
        return xp.sqrt(xp.sum(squares, axis=-1, keepdims=True))

    @property
    def number(self) -> Any:
        """Number of neighbours of each centre, ``(centre, 1)``."""
        return self.sum(self.there)

    def of_neighbours(self, x: Any) -> Any:
        """Return what belongs to the neighbours, ``(..., n)``, of what belongs to atoms, ``(centre, n)``."""
        xp = namespace(x)
        rows = xp.take(x, xp.reshape(self.place, (-1,)), axis=0)
        return xp.reshape(rows, (*shape(self.place), *shape(x)[1:]))

    def of_centres(self, x: Any) -> Any:
        """Return what belongs to the centres, to be broadcast over pairs: ``(centre, 1, n)`` or ``(edge, n)``."""
        return namespace(x).take(x, self.centre, axis=0) if self.is_list else x[:, None, :]

    def sum(self, y: Any) -> Any:
        """Return the sum over the neighbours of each centre, ``(centre, n)``, of ``(..., n)``."""
        xp = namespace(y)
        if self.is_list:
            return xp.segment_sum(y, self.centre, shape(self.centre_types)[0])
        return xp.sum(y, axis=1)

    def moments(self, a: Any, b: Any) -> Any:
        """Return ``Σ_j a_j ⊗ b_j``, ``(centre, p, q)``, of ``(..., p)`` and ``(..., q)``."""
        xp = namespace(a)
        if self.is_list:
            return self.sum(a[:, :, None] * b[:, None, :])
        return xp.matmul(xp.permute_dims(a, (0, 2, 1)), b)
