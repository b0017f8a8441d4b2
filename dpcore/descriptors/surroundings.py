"""The neighbours of all types around the centres of a batch, as networks and moments take them."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from dpcore.batch import Batch, centre_types, neighbour_types
from dpcore.descriptors.environment import environment_matrix, switch_of
from dpcore.descriptors.mixed_rows import counted, normalised_rows
from dpcore.xp import as_type_of, namespace, shape


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


# Squared lengths up to this have no direction.
_NONE = 1e-24


@dataclass(frozen=True)
class Environment:
    """How rows are made.

    Attributes:
        rcut: cutoff, Å.
        rcut_smth: where the switch function begins to fall, Å.
        protection: added to distances that are divided by, Å.
        excluded: pairs of types that do not count, in both orders.
        ntypes: number of types.
    """

    rcut: float
    rcut_smth: float
    protection: float
    excluded: Collection[tuple[int, int]]
    ntypes: int

    def surroundings(self, batch: Batch, displacement: Any, davg: Any, dstd: Any) -> Surroundings:
        """Return the neighbours in a mixed view, in the dtype of the displacements.

        Args:
            batch: the batch, with one view.
            displacement: vectors to the neighbours on the batch's edge axis, ``(edge, 3)``, Å.
            davg: mean of the rows by type and place, ``(type, place, 4)``.
            dstd: their deviation.
        """
        xp, block = namespace(displacement), batch.view.blocks[0][0]
        displacement = xp.reshape(displacement, (*shape(block.index), 3))
        there = as_type_of(block.mask(), displacement)
        if self.excluded:
            there = there * counted(batch, block, self.excluded, self.ntypes, there)
        there = there[:, :, None]
        rows = environment_matrix(displacement, self.rcut_smth, self.rcut, self.protection)
        return Surroundings(
            displacement=displacement,
            rows=normalised_rows(batch, rows, davg, dstd) * there,
            there=there,
            switch=switch_of(displacement, self.rcut_smth, self.rcut) * there,
            types=neighbour_types(batch, block),
            centre=centre_types(batch),
        )
