"""The nearest neighbours of a neighbourhood: the edges that angles are made of."""

from dataclasses import dataclass
from typing import Any, Self

from dpcore.batch import Neighbours
from dpcore.nn.neighbourhood import Neighbourhood
from dpcore.xp import as_type_of, dtype_name, namespace, shape


@dataclass(frozen=True)
class Nearest:
    """Some of the neighbours of each centre, the nearest first, in rows.

    Attributes:
        all: all neighbours.
        rows: those nearby.
        first: place of each centre's first edge in the list of all neighbours, ``(centre,)``; None where
            these are in rows.
    """

    all: Neighbourhood
    rows: Neighbourhood
    first: Any | None

    @classmethod
    def among(cls, everything: Neighbourhood, rows: Neighbourhood, block: Neighbours) -> Self:
        """Return the nearest of some neighbours.

        Args:
            everything: all neighbours.
            rows: those nearby.
            block: all neighbours as the batch has them, excluded ones too.
        """
        if not everything.is_list:
            return cls(everything, rows, None)
        return cls(everything, rows, firsts(block, shape(everything.centre_types)[0]))

    def as_type(self, like: Any) -> "Nearest":
        """Return the same neighbours in the dtype of an array."""
        return Nearest(as_type(self.all, like), as_type(self.rows, like), self.first)

    def received(self, messages: Any) -> Any:
        """Return the sum of the messages of angles, ``(centre, near, n)``, of ``(centre, near, near, n)``.

        Those at ``[:, k, j]`` are what the edge k tells the edge j, weighted by the switch functions of both.
        """
        xp, switch, (centres, width, _, n) = namespace(messages), self.rows.switch, shape(messages)
        every = xp.reshape(messages, (centres, width, width * n))
        return xp.reshape(self.rows.moments(switch, every), (centres, width, n)) * switch

    def of_edges(self, x: Any) -> Any:
        """Return what belongs to the nearest, ``(centre, near, n)``, of ``(..., n)``; 0 where none is."""
        if self.first is None:
            return fitted(x, shape(self.rows.there)[1]) * self.rows.there
        xp = namespace(x)
        found = xp.take(x, xp.reshape(self._places(), (-1,)), axis=0)
        return xp.reshape(found, (*shape(self.rows.there)[:2], shape(x)[1])) * self.rows.there

    def on_edges(self, y: Any) -> Any:
        """Return what belongs to the nearest, ``(centre, near, n)``, where they are among all, ``(..., n)``."""
        y = y * self.rows.there
        if self.first is None:
            return fitted(y, shape(self.all.there)[1])
        xp = namespace(y)
        flat = xp.reshape(y, (-1, shape(y)[2]))
        return xp.segment_sum(flat, xp.reshape(self._places(), (-1,)), shape(self.all.there)[0])

    def _places(self) -> Any:
        """Return the place of each of the nearest in the list of all, ``(centre, near)``; 0 where none is."""
        assert self.first is not None
        xp = namespace(self.first)
        rank = xp.arange(shape(self.rows.there)[1], like=self.first)
        places = self.first[:, None] + rank[None, :]
        return xp.where(self.rows.there[:, :, 0] > 0.0, places, xp.zeros_like(places))


def firsts(block: Neighbours, centres: Any) -> Any:
    """Return the place of the first edge of each centre in a list, ``(centre,)``."""
    xp = namespace(block.centre)
    one = xp.astype(block.mask(), "float64")
    counts = xp.astype(xp.segment_sum(one, block.centre, centres), dtype_name(block.centre))
    return xp.cumulative_sum(counts, axis=0) - counts


def ranks(block: Neighbours, centres: Any) -> Any:
    """Return how many neighbours of the same centre are before each edge of a list, ``(edge,)``; 0 in padding."""
    xp = namespace(block.centre)
    place = xp.arange(shape(block.centre)[0], like=block.centre)
    rank = place - xp.take(firsts(block, centres), block.centre, axis=0)
    return xp.where(block.mask(), rank, xp.zeros_like(rank))


def fitted(x: Any, width: Any) -> Any:
    """Return rows cut or filled up with zeros to a width, ``(centre, width, n)``."""
    xp, (centres, have, n) = namespace(x), shape(x)
    known = isinstance(have, int) and isinstance(width, int)
    if not known or have < width:
        # Where sizes are unknown there is always enough to cut from.
        missing = width - have if known else width
        x = xp.concat([x, xp.zeros((centres, missing, n), like=x)], axis=1)
    return x if known and have <= width else x[:, :width, :]


def as_type(around: Neighbourhood, like: Any) -> Neighbourhood:
    """Return a neighbourhood in the dtype of an array."""
    return Neighbourhood(
        displacement=as_type_of(around.displacement, like),
        there=as_type_of(around.there, like),
        switch=as_type_of(around.switch, like),
        types=around.types,
        centre_types=around.centre_types,
        place=around.place,
        centre=around.centre,
    )
