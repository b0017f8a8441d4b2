"""The edges that messages go along."""

from dataclasses import dataclass, field
from typing import Any

from dpcore.descriptors.dpa4.frozen_zone import FrozenZone
from dpcore.descriptors.dpa4.radial import RadialBasis, envelope
from dpcore.nn.neighbourhood import Neighbourhood
from dpcore.nn.so3.rotations import order_rows, orders_of
from dpcore.xp import namespace, shape


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
        gate: how much each neighbour may tell, ``(edge, 1)``, or None where they tell all.
        basis: functions of the distance, ``(edge, basis)``.
        norm: one over the root of the sum of squared weights of each centre, ``(centre, 1)``.
        blocks: rotations to the edges' frames, for each degree ``(edge, row, 2 l + 1)``.
        found: matrices into frames that were made of these, for degrees and orders up to some.
        turned: the same, for each order.
    """

    pairs: Neighbourhood
    unit: Any
    length: Any
    envelope: Any
    gate: Any | None
    basis: Any
    norm: Any
    blocks: list[Any]
    found: dict[tuple[int, int], Any] = field(default_factory=dict)
    turned: dict[tuple[int, int], list[Any]] = field(default_factory=dict)

    def told(self, y: Any) -> Any:
        """Return what belongs to edges, ``(edge, n)`` or ``(edge, row, n)``, as far as neighbours may tell it."""
        if self.gate is None:
            return y
        gate = self.gate if len(shape(y)) == 2 else self.gate[:, :, None]
        return y * gate

    def frames(self, lmax: int, mmax: int) -> Any:
        """Return the matrices into the edges' frames, ``(edge, row, (lmax + 1)²)``, of rows by order."""
        key = (lmax, mmax)
        if key not in self.found:
            self.found[key] = order_rows(self.blocks[: lmax + 1], mmax)
        return self.found[key]

    def turns(self, lmax: int, mmax: int) -> list[Any]:
        """Return them for each order (see :func:`dpcore.nn.so3.rotations.orders_of`)."""
        key = (lmax, mmax)
        if key not in self.turned:
            self.turned[key] = orders_of(self.blocks[: lmax + 1], mmax)
        return self.turned[key]


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
    zone: FrozenZone | None = None,
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
        zone: where distances are frozen, or None.
        turn: angles to turn the edges' frames by, ``(edge, 1)``.
    """
    xp, d = namespace(pairs.displacement), pairs.displacement
    length = xp.sqrt(xp.sum(d * d, axis=-1, keepdims=True) + eps * eps)
    if zone is not None:
        length = zone.clamped(length)
    unit, weight = mirrored_units(d), envelope(length, basis.rcut, exponent) * pairs.there
    return Edges(
        pairs=pairs,
        unit=unit,
        length=length,
        envelope=weight,
        gate=None if zone is None else zone.gates(length, pairs),
        basis=basis(length) * pairs.there,
        norm=1.0 / xp.sqrt(pairs.sum(weight * weight) + floor),
        blocks=rotations(unit, turn),
    )
