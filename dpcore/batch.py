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
        places = xp.arange(shape(self.index)[1], like=self.count)
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


def displacements(batch: Batch) -> Any:
    """Return the displacements of all blocks one after another, ``(edge, 3)``."""
    xp = namespace(batch.natoms)
    return xp.concat([xp.reshape(b.displacement, (-1, 3)) for b in blocks(batch)], axis=0)


def neighbour_index(batch: Batch) -> Any:
    """Return the flat place of the neighbour that each edge leads to, ``(edge,)``."""
    xp = namespace(batch.natoms)
    return xp.concat([xp.reshape(b.index, (-1,)) for b in blocks(batch)], axis=0)


def blocks(batch: Batch) -> list[Neighbours]:
    """Return all blocks, group by group."""
    return [block for group in batch.groups for block in group.blocks]


def by_block(batch: Batch, edges: Any) -> list[list[Any]]:
    """Split an array on the edge axis, ``(edge, n)``, into ``(centre, neighbour, n)`` by group and block."""
    xp = namespace(edges)
    sizes = [shape(block.index) for block in blocks(batch)]
    parts = zip(xp.split(edges, [n * k for n, k in sizes]), sizes, strict=True)
    flat = iter([xp.reshape(part, (n, k, shape(edges)[1])) for part, (n, k) in parts])
    return [[next(flat) for _ in group.blocks] for group in batch.groups]


def by_group(batch: Batch, atoms: Any) -> list[Any]:
    """Split an array on the flat atom axis, ``(atom, n)``, into groups."""
    return list(namespace(atoms).split(atoms, [shape(g.frame)[0] for g in batch.groups]))


def frames_of_atoms(batch: Batch) -> Any:
    """Return the frame of each atom on the flat axis, ``(atom,)``."""
    return namespace(batch.natoms).concat([group.frame for group in batch.groups], axis=0)
