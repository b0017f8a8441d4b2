"""The neighbours of all types around the centres of a batch, as networks and moments take them."""

from dataclasses import dataclass
from typing import Any

from dpcore.batch import Batch, by_block, centre_types, neighbour_types
from dpcore.descriptors.environment import switch_of
from dpcore.descriptors.local import LocalDescriptor
from dpcore.descriptors.mixed_rows import normalised_rows, present
from dpcore.xp import namespace

# Squared lengths up to this have no direction.
_NONE = 1e-24


@dataclass(frozen=True)
class Surroundings:
    """What is known of the neighbours of each centre before any network.

    Attributes:
        displacement: vectors to them, ``(centre, neighbour, 3)``, Å.
        rows: normalised environment rows, ``(centre, neighbour, 4)``; 0 where no neighbour counts.
        there: 1 for neighbours that count, 0 for excluded ones and padding, ``(centre, neighbour, 1)``.
        switch: the switch function, ``(centre, neighbour, 1)``; 0 where no neighbour counts.
        types: types of the neighbours, ``(centre, neighbour)``; any where there is none.
        centre: types of the centres, ``(centre,)``.
    """

    displacement: Any
    rows: Any
    there: Any
    switch: Any
    types: Any
    centre: Any

    @property
    def units(self) -> Any:
        """Directional parts of the rows as unit vectors, ``(centre, neighbour, 3)``; 0 where there is none."""
        xp = namespace(self.rows)
        vectors = xp.split(self.rows, [1, 3], axis=2)[1]
        square = xp.sum(vectors * vectors, axis=2, keepdims=True)
        square = xp.where(square > _NONE, square, xp.ones_like(square))
        return vectors * (1.0 / xp.sqrt(square))


def surroundings(descriptor: LocalDescriptor, batch: Batch, displacement: Any) -> Surroundings:
    """Return the neighbours in the one mixed view of a batch, in the dtype of the displacements.

    Args:
        descriptor: says how rows are made and normalised, and which pairs of types are excluded.
        batch: the batch.
        displacement: vectors to the neighbours on the batch's edge axis, ``(edge, 3)``, Å.
    """
    block = batch.view.blocks[0][0]
    displacement = by_block(batch.view, displacement)[0][0]
    there = present(batch, block, descriptor.excluded, displacement)
    rows = descriptor.environment(displacement)
    return Surroundings(
        displacement=displacement,
        rows=normalised_rows(batch, rows, descriptor.davg, descriptor.dstd) * there,
        there=there,
        switch=switch_of(displacement, descriptor.rcut_smth, descriptor.rcut) * there,
        types=neighbour_types(batch, block),
        centre=centre_types(batch),
    )
