"""What a model is evaluated on: atoms on one flat axis, with the displacements to their neighbours.

Frames of any sizes are concatenated. Atoms that share a type stand together as a :class:`Group`, so that
every network runs on rows it applies to, and the neighbours of a group are split into one :class:`Neighbours`
block for each neighbour type. The displacements are all that the model is differentiated by.
"""

from typing import Any

from dpcore.tree import Tree, buffer
from dpcore.xp import namespace, shape


class Neighbours(Tree):
    """The neighbours of one type around the atoms of a group, nearest first.

    Attributes:
        displacement: vectors to the neighbours, ``(centre, neighbour, 3)``, Å; rows from ``count`` on are
            padding of length cutoff.
        index: place of each neighbour on the flat atom axis, ``(centre, neighbour)``; 0 in padding.
        count: number of neighbours, ``(centre,)``.
    """

    displacement: Any = buffer()
    index: Any = buffer()
    count: Any = buffer()

    def mask(self) -> Any:
        """Return whether each row holds a neighbour, ``(centre, neighbour)``."""
        xp = namespace(self.count)
        places = xp.arange(shape(self.displacement)[1], like=self.count)
        return places[None, :] < self.count[:, None]


class Group(Tree):
    """The atoms of one type.

    Attributes:
        type: their type index.
        frame: the frame each atom belongs to, ``(centre,)``; padding atoms belong to the last frame.
        aparam: atomic parameters, ``(centre, n)``, or None.
        blocks: their neighbours, one block for each neighbour type.
    """

    type: int
    frame: Any = buffer()
    aparam: Any = buffer(default=None)
    blocks: tuple[Neighbours, ...]


class Batch(Tree):
    """Frames to evaluate together.

    Attributes:
        groups: the atoms by type; the flat atom axis is their concatenation.
        natoms: number of atoms of each frame, ``(frame,)``; the last frame is padding and its results
            mean nothing.
        fparam: frame parameters, ``(frame, n)``, or None.
    """

    groups: tuple[Group, ...]
    natoms: Any = buffer()
    fparam: Any = buffer(default=None)


Displacements = tuple[tuple[Any, ...], ...]


def displacements(batch: Batch) -> Displacements:
    """Return the displacement arrays by group and block."""
    return tuple(tuple(block.displacement for block in group.blocks) for group in batch.groups)


def with_displacements(batch: Batch, values: Displacements) -> Batch:
    """Return the batch with other displacement arrays."""
    groups = tuple(
        group.with_(
            blocks=tuple(
                block.with_(displacement=d) for block, d in zip(group.blocks, row, strict=True)
            )
        )
        for group, row in zip(batch.groups, values, strict=True)
    )
    return batch.with_(groups=groups)


def frames_of_atoms(batch: Batch) -> Any:
    """Return the frame of each atom on the flat axis, ``(atom,)``."""
    return namespace(batch.natoms).concat([group.frame for group in batch.groups], axis=0)
