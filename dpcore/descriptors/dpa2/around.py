"""What all layers of a repformer are told of the neighbours."""

from dataclasses import dataclass
from typing import Any, Self

from dpcore.nn.attention import LOWEST, SHIFT
from dpcore.nn.neighbourhood import Neighbourhood
from dpcore.xp import as_type_of, namespace, shape

# Added to numbers of neighbours that are divided by.
_PROTECTION = 1e-4


@dataclass(frozen=True)
class Here:
    """What the layers update.

    Attributes:
        atoms: features g1 of the atoms, ``(centre, g1_dim)``.
        neighbours: those of the neighbours, ``(centre, neighbour, g1_dim)``.
        pairs: features g2 of the pairs, ``(centre, neighbour, g2_dim)``.
        vectors: h2, which rotate with the atoms, ``(centre, neighbour, 3)``.
    """

    atoms: Any
    neighbours: Any
    pairs: Any
    vectors: Any


@dataclass(frozen=True)
class Around:
    """The neighbours of each centre as sums over them are weighted.

    Attributes:
        neighbourhood: the neighbours, as rows.
        weight: weights of the neighbours, ``(centre, neighbour, 1)``: the switch function, or where nothing
            is smooth 1; 0 where there is none.
        smooth: whether weights are switched off towards the cutoff.
        per_neighbour: what sums over the neighbours are multiplied by, a number or ``(centre, 1)``.
        per_moment: what sums of vectors are multiplied by, a number or ``(centre, 1, 1)``.
        absent: number of places that this batch leaves out, ``(centre, 1, 1)``.
    """

    neighbourhood: Neighbourhood
    weight: Any
    smooth: bool
    per_neighbour: Any
    per_moment: Any
    absent: Any

    @classmethod
    def of(
        cls, neighbourhood: Neighbourhood, places: int, like: Any, *, smooth: bool, root: bool
    ) -> Self:
        """Return the weights of neighbours.

        Args:
            neighbourhood: the neighbours.
            places: largest number of them.
            like: an array of the wanted dtype.
            smooth: whether weights are switched off towards the cutoff.
            root: whether sums of vectors are divided by the root of the number of neighbours.
        """
        found = as_type_of(neighbourhood.switch if smooth else neighbourhood.there, like)
        xp = namespace(found)
        if smooth:
            by_number: Any = 1.0 / places
            by_moment: Any = places**-0.5 if root else by_number
        else:
            number = xp.stop_gradient(as_type_of(neighbourhood.number, like))
            by_number = 1.0 / (number + _PROTECTION)
            by_moment = (1.0 / (xp.sqrt(number) + _PROTECTION) if root else by_number)[:, :, None]
        absent = places - xp.sum(xp.ones_like(found), axis=1, keepdims=True)
        return cls(neighbourhood, found, smooth, by_number, by_moment, absent)

    @property
    def by_key(self) -> Any:
        """Weights of the neighbours as those attended to, ``(centre, 1, neighbour)``."""
        return namespace(self.weight).permute_dims(self.weight, (0, 2, 1))

    def summed(self, y: Any) -> Any:
        """Return the weighted mean over the neighbours, ``(centre, n)``, of ``(centre, neighbour, n)``."""
        return self.neighbourhood.sum(y * self.weight) * self.per_neighbour

    def moments(self, vectors: Any, y: Any) -> Any:
        """Return the weighted moments ``Σ_j h_j ⊗ y_j``, ``(centre, 3, n)``."""
        return self.neighbourhood.moments(vectors * self.weight, y) * self.per_moment

    def attention(self, logits: Any, weight: Any) -> Any:
        """Return how much is attended to each neighbour, ``(centre, …, neighbour)``.

        With smooth weights w it is ``softmax((L + 20) w - 20) w`` over all places that there may be, otherwise
        the softmax over the neighbours that are there.

        Args:
            logits: L, ``(centre, …, neighbour)``.
            weight: w, of the same number of axes.
        """
        xp = namespace(logits)
        if self.smooth:
            # Written so that numbers near 20 round nothing off those that count.
            logits = logits * weight + SHIFT * (weight - 1.0)
            lowest = -SHIFT
        else:
            logits = xp.where(weight > 0.0, logits, LOWEST * xp.ones_like(logits))
            lowest = LOWEST
        # A column more is for blocks without neighbours, and for smooth logits of places without one.
        column = xp.zeros_like(xp.sum(logits, axis=-1, keepdims=True)) + lowest
        every = xp.concat([logits, column], axis=-1)
        top = xp.stop_gradient(xp.max(every, axis=-1, keepdims=True))
        odds = xp.exp(logits - top)
        if self.smooth:
            absent = self.absent if len(shape(logits)) == 3 else self.absent[:, None, :, :]
            total = xp.sum(odds, axis=-1, keepdims=True) + absent * xp.exp(lowest - top)
            return odds * weight / total
        odds = odds * weight
        total = xp.sum(odds, axis=-1, keepdims=True)
        return odds / xp.where(total > 0.0, total, xp.ones_like(total))
