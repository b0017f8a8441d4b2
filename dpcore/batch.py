"""What a model is evaluated on: atoms on one flat axis, with the displacements to their neighbours.

Frames of any sizes are concatenated. The atoms to predict for, the *centres*, are gathered by type into
:class:`Group` s, so that networks run on the rows they apply to; models whose networks are the same for all
types have a single group. A :class:`View` holds the neighbours that one descriptor asks for: of a group one
:class:`Neighbours` block for each neighbour type, or, for descriptors that mix types, one block of all
centres and neighbours. Atoms that are no centres are there as neighbours alone: part of a frame can be
evaluated at a time, and the ghost atoms of a parallel simulation need nothing special. The displacements
are all that the model is differentiated by.
"""

import math
from collections.abc import Sequence
from typing import Any

from dpcore.tree import Tree, buffer
from dpcore.xp import namespace, shape


class Neighbours(Tree):
    """The neighbours of some centres, nearest first, as rows of equal length or as a list of edges.

    Attributes:
        displacement: vectors to the neighbours, ``(centre, neighbour, 3)``, or ``(edge, 3)`` in a list, Å;
            from ``count`` on they are padding of length cutoff.
        index: place of each neighbour on the flat atom axis, ``(centre, neighbour)`` or ``(edge,)``; 0 in
            padding.
        count: number of neighbours, ``(centre,)``, or of edges, ``(1,)``.
        centre: place of each edge's centre on the centre axis, ascending, ``(edge,)``, 0 in padding; None
            where there are rows.
    """

    displacement: Any = buffer()
    index: Any = buffer()
    count: Any = buffer()
    centre: Any = buffer(default=None)

    @property
    def is_list(self) -> bool:
        """Whether it is a list of edges."""
        return self.centre is not None

    def mask(self) -> Any:
        """Return whether there is a neighbour, ``(centre, neighbour)`` or ``(edge,)``."""
        xp = namespace(self.count)
        places = xp.arange(shape(self.index)[-1], like=self.count)
        return places < (self.count if self.is_list else self.count[:, None])


class Group(Tree):
    """Centres of one type, or of any types.

    Attributes:
        type: their type index, or None where types are mixed.
        place: place of each centre on the flat atom axis, ``(centre,)``.
    """

    type: int | None
    place: Any = buffer()


class View(Tree):
    """The neighbours that one selection finds.

    Attributes:
        mixed: whether there is one block, or list, of all centres and neighbours, ``blocks[0][0]``.
        blocks: by group and by neighbour type, ``blocks[group][type]``.
    """

    mixed: bool = False
    blocks: tuple[tuple[Neighbours, ...], ...]


class Batch(Tree):
    """Frames to evaluate together.

    The last atom and the last frame are padding: they take up what the padding of other axes adds, and
    their results mean nothing. The centre axis is that of the groups, one after another.

    Attributes:
        groups: the centres by type.
        views: the neighbours, one view for each selection of the model.
        frame: frame of each atom, ``(atom,)``.
        natoms: number of atoms of each frame, ``(frame,)``.
        types: type of each atom, ``(atom,)``.
        fparam: frame parameters, ``(frame, n)``, or None.
        aparam: atomic parameters, ``(atom, n)``, or None.
        coord: coordinates, moved into the cell, about their centre, ``(atom, 3)``, Å, where atoms pass messages, or None.
        charge_spin: charge and spin multiplicity of each frame, ``(frame, 2)``, or None.
        spin: spins, ``(atom, 3)``, which the model is differentiated by too, or None.
    """

    groups: tuple[Group, ...]
    views: tuple[View, ...]
    frame: Any = buffer()
    natoms: Any = buffer()
    types: Any = buffer()
    fparam: Any = buffer(default=None)
    aparam: Any = buffer(default=None)
    coord: Any = buffer(default=None)
    charge_spin: Any = buffer(default=None)
    spin: Any = buffer(default=None)

    @property
    def view(self) -> View:
        """The neighbours, where there is one selection."""
        (only,) = self.views
        return only


def displacements(batch: Batch) -> Any:
    """Return the displacements of all blocks one after another, ``(edge, 3)``."""
    xp = namespace(batch.natoms)
    return xp.concat([xp.reshape(b.displacement, (-1, 3)) for b in blocks(batch)], axis=0)


def neighbour_index(batch: Batch) -> Any:
    """Return the flat place of the neighbour that each edge leads to, ``(edge,)``."""
    xp = namespace(batch.natoms)
    return xp.concat([xp.reshape(b.index, (-1,)) for b in blocks(batch)], axis=0)


def centre_index(batch: Batch) -> Any:
    """Return the flat place of the centre that each edge begins at, ``(edge,)``."""
    xp, parts = namespace(batch.natoms), []
    for view in batch.views:
        if view.mixed:
            parts.append(_centres(view.blocks[0][0], places(batch)))
            continue
        for group, row in zip(batch.groups, view.blocks, strict=True):
            parts += [_centres(block, group.place) for block in row]
    return xp.concat(parts, axis=0)


def _centres(block: Neighbours, place: Any) -> Any:
    xp = namespace(place)
    if block.is_list:
        return xp.take(place, block.centre, axis=0)
    return xp.reshape(place[:, None] + xp.zeros_like(block.index), (-1,))


def blocks(batch: Batch) -> list[Neighbours]:
    """Return all blocks, view by view and group by group."""
    return [block for view in batch.views for row in view.blocks for block in row]


def by_block(view: View, edges: Any) -> list[list[Any]]:
    """Split an array on a view's edge axis, ``(edge, n)``, into ``(centre, neighbour, n)`` by group and type.

    A list of edges stays what it is.
    """
    xp = namespace(edges)
    sizes = [shape(block.index) for row in view.blocks for block in row]
    parts = zip(xp.split(edges, [math.prod(size) for size in sizes]), sizes, strict=True)
    flat = iter([xp.reshape(part, (*size, shape(edges)[1])) for part, size in parts])
    return [[next(flat) for _ in row] for row in view.blocks]


def by_view(batch: Batch, edges: Any, views: Sequence[int]) -> list[tuple[Batch, Any]]:
    """Share a batch among the parts of a model.

    Args:
        batch: the batch.
        edges: an array on its edge axis, ``(edge, n)``.
        views: how many of the views belong to each part, in order.

    Returns:
        for each part, the batch with its views alone and its share of the edges.
    """
    xp, parts, first = namespace(edges), list[Batch](), 0
    for n in views:
        parts.append(batch.with_(views=batch.views[first : first + n]))
        first += n
    sizes: list[Any] = []
    for part in parts:
        each = [shape(block.index) for block in blocks(part)]
        sizes.append(sum(map(math.prod, each), start=0))
    shares = [edges] if len(parts) == 1 else xp.split(edges, sizes)
    return list(zip(parts, shares, strict=True))


def by_group(batch: Batch, rows: Any) -> list[Any]:
    """Split rows on the centre axis, ``(centre, …)``, by group."""
    if len(batch.groups) == 1:
        return [rows]
    return list(namespace(rows).split(rows, [shape(group.place)[0] for group in batch.groups]))


def places(batch: Batch) -> Any:
    """Return the flat place of each centre, group by group, ``(centre,)``."""
    return namespace(batch.natoms).concat([group.place for group in batch.groups], axis=0)


def centre_types(batch: Batch) -> Any:
    """Return the type of each centre, ``(centre,)``."""
    return namespace(batch.types).take(batch.types, places(batch), axis=0)


def neighbour_types(batch: Batch, block: Neighbours) -> Any:
    """Return the type of each neighbour, in the shape of its index; in padding that of some atom."""
    xp, sizes = namespace(batch.types), shape(block.index)
    flat = xp.take(batch.types, xp.reshape(block.index, (-1,)), axis=0)
    return xp.reshape(flat, sizes)


def relabelled(batch: Batch, types: Sequence[int]) -> Batch:
    """Return the batch with every type ``t`` called ``types[t]``."""
    xp = namespace(batch.types)
    groups = tuple(
        group if group.type is None else group.with_(type=types[group.type])
        for group in batch.groups
    )
    zero = xp.zeros_like(batch.types[:1])
    names = xp.concat([zero + int(t) for t in types], axis=0)
    return batch.with_(groups=groups, types=xp.take(names, batch.types, axis=0))
