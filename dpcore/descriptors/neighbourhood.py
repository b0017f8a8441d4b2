"""The neighbourhood of the centres of a batch."""

from collections.abc import Collection
from typing import Any

from dpcore.batch import Batch, by_block, centre_types, neighbour_types, places
from dpcore.descriptors.environment import switch_of
from dpcore.descriptors.mixed_rows import present
from dpcore.nn.neighbourhood import Neighbourhood
from dpcore.xp import namespace, shape


def neighbourhood(
    batch: Batch,
    displacement: Any,
    rcut_smth: float,
    rcut: float,
    exclude: Collection[tuple[int, int]] = (),
) -> Neighbourhood:
    """Return the pairs in the one mixed view of a batch, in the dtype of the displacements.

    Args:
        batch: the batch.
        displacement: vectors to the neighbours on its edge axis, ``(edge, 3)``, Å.
        rcut_smth: where the switch function begins to fall, Å.
        rcut: cutoff, Å.
        exclude: pairs of types, centre first, that do not count.
    """
    block = batch.view.blocks[0][0]
    displacement = by_block(batch.view, displacement)[0][0]
    there = present(batch, block, exclude, displacement)
    return Neighbourhood(
        displacement=displacement,
        there=there,
        switch=switch_of(displacement, rcut_smth, rcut) * there,
        types=neighbour_types(batch, block),
        centre_types=centre_types(batch),
        place=_on_centre_axis(batch, block.index),
        centre=block.centre,
    )


def _on_centre_axis(batch: Batch, index: Any) -> Any:
    """Return places on the centre axis for places on the atom axis, of a batch whose atoms are all centres."""
    if len(batch.groups) == 1 and batch.groups[0].type is None:
        return index
    xp, atoms = namespace(batch.natoms), places(batch)
    number = xp.astype(xp.arange(shape(atoms)[0], like=atoms), "float64")
    # The padding of groups adds up in the last atom, which is nobody's neighbour.
    found = xp.astype(xp.segment_sum(number, atoms, shape(batch.frame)[0]), "int64")
    return xp.reshape(xp.take(found, xp.reshape(index, (-1,)), axis=0), shape(index))
