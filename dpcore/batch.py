"""What a model is evaluated on: atoms on one flat axis, with the displacements to their neighbours.

Frames of any sizes are concatenated. The atoms to predict for, the *centres*, are gathered by type into
:class:`Group` s, so that every network runs on rows it applies to, and the neighbours of a group are split
into one :class:`Neighbours` block for each neighbour type. Atoms that are no centres are there as neighbours
alone: part of a frame can be evaluated at a time, and the ghost atoms of a parallel simulation need nothing
special. The displacements are all that the model is differentiated by.
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
    """Centres of one type.

    Attributes:
        type: their type index.
        place: place of each centre on the flat atom axis, ``(centre,)``.
        blocks: their neighbours, one block for each neighbour type.
    """

    type: int
    place: Any = buffer()
    blocks: tuple[Neighbours, ...]


class Batch(Tree):
    """Frames to evaluate together.

    The last atom and the last frame are padding: they take up what the padding of other axes adds, and
    their results mean nothing.

    Attributes:
        groups: the centres by type.
        frame: frame of each atom, ``(atom,)``.
        natoms: number of atoms of each frame, ``(frame,)``.
        fparam: frame parameters, ``(frame, n)``, or None.
        aparam: atomic parameters, ``(atom, n)``, or None.
    """

    groups: tuple[Group, ...]
    frame: Any = buffer()
    natoms: Any = buffer()
    fparam: Any = buffer(default=None)
    aparam: Any = buffer(default=None)


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


def places(batch: Batch) -> Any:
    """Return the flat place of each centre, group by group, ``(centre,)``."""
    return namespace(batch.natoms).concat([group.place for group in batch.groups], axis=0)
