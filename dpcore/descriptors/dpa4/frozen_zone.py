"""What the networks are not told of neighbours that come very close."""

from dataclasses import dataclass
from typing import Any

from dpcore.nn.neighbourhood import Neighbourhood
from dpcore.xp import namespace

# Below it a product of switches is zero, which keeps the slope of its logarithm finite.
_NOTHING = 1e-30


@dataclass(frozen=True)
class FrozenZone:
    """Distances below which nothing changes, and from which on everything counts.

    Attributes:
        r_inner: where distances are frozen, Å.
        r_outer: from where on they are what they are, Å.
    """

    r_inner: float
    r_outer: float

    def _place(self, distance: Any) -> Any:
        """Return where distances are between both ends, from 0 to 1."""
        xp = namespace(distance)
        t = (distance - self.r_inner) * (1.0 / (self.r_outer - self.r_inner))
        return xp.minimum(xp.maximum(t, xp.zeros_like(t)), xp.ones_like(t))

    def clamped(self, distance: Any) -> Any:
        """Return distances that do not fall below the inner end, with three continuous derivatives.

        In between they are ``r_inner + (r_outer - r_inner) h(t)`` for ``h = 20 t⁴ - 45 t⁵ + 36 t⁶ - 10 t⁷``.
        """
        xp, t = namespace(distance), self._place(distance)
        square = t * t
        h = square * square * (20.0 + t * (-45.0 + t * (36.0 - 10.0 * t)))
        between = self.r_inner + (self.r_outer - self.r_inner) * h
        return xp.where(distance >= self.r_outer, distance, between)

    def switch(self, distance: Any) -> Any:
        """Return what rises from 0 to 1 in between, ``35 t⁴ - 84 t⁵ + 70 t⁶ - 20 t⁷``."""
        t = self._place(distance)
        square = t * t
        return square * square * (35.0 + t * (-84.0 + t * (70.0 - 20.0 * t)))

    def gates(self, distance: Any, pairs: Neighbourhood) -> Any:
        """Return how much each neighbour may tell, ``(edge, 1)``: the product of its own neighbours' switches.

        Whoever is a neighbour of an atom has that atom for a neighbour, so that centres stand for neighbours.

        Args:
            distance: clamped distances, ``(edge, 1)``, Å.
            pairs: the edges.
        """
        xp = namespace(distance)
        switch = self.switch(distance)
        one, there = xp.ones_like(switch), pairs.there > 0.0
        shut = there & (switch < _NOTHING)
        logarithm = xp.log(xp.where(there & ~shut, switch, one))
        zero = xp.zeros_like(switch)
        closed = pairs.sum(xp.where(shut, one, zero))
        product = xp.exp(pairs.sum(logarithm))
        return pairs.of_neighbours(xp.where(closed > 0.0, xp.zeros_like(product), product))
