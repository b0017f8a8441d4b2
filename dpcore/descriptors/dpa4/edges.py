"""The edges that messages go along."""

from dataclasses import dataclass
from typing import Any

from dpcore.descriptors.dpa4.radial import RadialBasis, envelope
from dpcore.nn.neighbourhood import Neighbourhood
from dpcore.nn.so3.rotations import order_rows
from dpcore.xp import namespace


@dataclass(frozen=True)
class Edges:
    """The edges, as a list, and what follows of their vectors.

    The x axis is mirrored throughout: the features of DeePMD-kit's networks rotate as harmonics of
    mirrored vectors. Energies and the features of degree 0 do not depend on it.

    Attributes:
        pairs: centres and neighbours.
        unit: mirrored directions to the neighbours, ``(edge, 3)``.
        length: distances, ``(edge, 1)``, Å.
        envelope: weight of each edge, 0 where no neighbour counts, ``(edge, 1)``.
        basis: functions of the distance, ``(edge, basis)``.
        norm: one over the root of the sum of squared weights of each centre, ``(centre, 1)``.
        blocks: rotations to the edges' frames, for each degree ``(edge, 2 l + 1, 2 l + 1)``.
        found: matrices that were made of these.
    """

    pairs: Neighbourhood
    unit: Any
    length: Any
    envelope: Any
    basis: Any
    norm: Any
    blocks: list[Any]
    found: dict[tuple[int, int, bool], Any]

    def into_frames(self, x: Any, lmax: int, mmax: int) -> Any:
        """Return features ``(edge, row, channel)``, by degree, in the edges' frames, by order."""
        return namespace(x).matmul(self._rows(lmax, mmax, scaled=False), x)

    def out_of_frames(self, x: Any, lmax: int, mmax: int) -> Any:
        """Return features in the edges' frames, by order, as features by degree.

        Degrees that lack orders are multiplied, so that those there are stand for all.
        """
        xp = namespace(x)
        turned = xp.permute_dims(self._rows(lmax, mmax, scaled=mmax < lmax), (0, 2, 1))
        return xp.matmul(turned, x)

    def _rows(self, lmax: int, mmax: int, *, scaled: bool) -> Any:
        key = (lmax, mmax, scaled)
        if key not in self.found:
            self.found[key] = order_rows(self.blocks[: lmax + 1], mmax, scaled=scaled)
        return self.found[key]


def mirrored_units(displacement: Any) -> Any:
    """Return directions with the sign of x changed, ``(edge, 3)``."""
    xp = namespace(displacement)
    square = xp.sum(displacement * displacement, axis=-1, keepdims=True)
    unit = displacement * (1.0 / xp.sqrt(square))
    return xp.concat([-unit[:, :1], unit[:, 1:]], axis=1)


def edges_of(
    pairs: Neighbourhood,
    basis: RadialBasis,
    exponent: int,
    rotations: Any,
    *,
    eps: float,
    floor: float,
    turn: Any = None,
) -> Edges:
    """Return the edges of a list of pairs.

    Args:
        pairs: centres and neighbours.
        basis: functions of the distance.
        exponent: number of terms of the weights' envelope.
        rotations: gives the rotations to the edges' frames of their unit vectors and of turns.
        eps: added in quadrature to distances, Å.
        floor: added to the sums of squared weights.
        turn: angles to turn the edges' frames by, ``(edge, 1)``.
    """
    xp, d = namespace(pairs.displacement), pairs.displacement
    length = xp.sqrt(xp.sum(d * d, axis=-1, keepdims=True) + eps * eps)
    unit, weight = mirrored_units(d), envelope(length, basis.rcut, exponent) * pairs.there
    return Edges(
        pairs=pairs,
        unit=unit,
        length=length,
        envelope=weight,
        basis=basis(length) * pairs.there,
        norm=1.0 / xp.sqrt(pairs.sum(weight * weight) + floor),
        blocks=rotations(unit, turn),
        found={},
    )
