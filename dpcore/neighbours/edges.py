"""The neighbours that a model asks for, by centre and type."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpcore.neighbours.cell import Box
from dpcore.neighbours.images import Floats, Indices
from dpcore.neighbours.pairs import coincidence
from dpcore.neighbours.search import Candidates, candidates, order_of
from dpcore.neighbours.selection import Selection


@dataclass(frozen=True)
class Edges:
    """Hold the neighbours of all atoms, sorted by centre, type, distance, neighbour and displacement.

    Attributes:
        types: Number of types T.
        start: (centre * T + 1,) the first row of each centre and neighbour type, and the end.
        neighbour: (row,) index of the neighbour, 32 bits wide.
        displacement: (row, 3) from the centre, Å.
        overfull: The largest number of neighbours beyond the selection, 0 if it suffices everywhere.
    """

    types: int
    start: Indices
    neighbour: NDArray[np.int32]
    displacement: Floats
    overfull: int

    @cached_property
    def count(self) -> Indices:
        """The number of neighbours of each type, (centre, T)."""
        return np.diff(self.start).reshape(-1, self.types)


def find_edges(
    coord: Floats,
    types: Indices,
    box: Box,
    selection: Selection,
    frame: int,
    *,
    apart: bool = True,
) -> Edges:
    """Find the neighbours that a model asks for.

    DeePMD-kit's rule: of all neighbours the nearest so many, and of these the nearest sel of each type.

    Args:
        coord: (atom, 3) finite positions, Å.
        types: (atom,) type indices.
        box: The cell.
        selection: What the model asks for.
        frame: Number of the frame, for messages.
        apart: Refuse two atoms at the same place.

    Returns:
        The neighbours.

    Raises:
        DPError: Two atoms are at the same place.
    """
    choice = _Choice.of(types, selection)
    parts = []
    for found in candidates(coord, box, selection.rcut):
        if apart:
            _check_separation(found, frame)
        parts.append(choice.edges(found))
    return join_edges(parts, len(selection.sel), [0] * len(parts))


def join_edges(parts: Sequence[Edges], types: int, first: Sequence[int]) -> Edges:
    """Put the edges of atoms one after another.

    Args:
        parts: Edges of some centres each.
        types: Number of types.
        first: What to add to the neighbours of each part.
    """
    if len(parts) == 1 and not first[0]:
        return parts[0]
    sizes = [0, *(len(part.neighbour) for part in parts)]
    rows = np.cumsum(sizes)
    neighbour = np.empty(rows[-1], np.int32)
    displacement = np.empty((rows[-1], 3))
    start = [np.zeros(1, np.int64)]
    for part, row, end, shift in zip(parts, rows, rows[1:], first, strict=False):
        np.add(part.neighbour, shift, out=neighbour[row:end])
        displacement[row:end] = part.displacement
        start.append(part.start[1:] + row)
    overfull = max((part.overfull for part in parts), default=0)
    return Edges(types, np.concatenate(start), neighbour, displacement, overfull)


def without_excluded(edges: Edges, types: Indices, allowed: NDArray[np.bool_]) -> Edges:
    """Return edges of mixed types without those between types that are no neighbours.

    Args:
        edges: The neighbours, of one type to the edges.
        types: (atom,) the types of the atoms.
        allowed: (type, type) whether atoms of two types may be neighbours.
    """
    count = edges.count[:, 0]
    centre = np.repeat(np.arange(len(count)), count)
    keep = allowed[types[centre], types[edges.neighbour]]
    start = np.concatenate([[0], np.cumsum(np.bincount(centre[keep], minlength=len(count)))])
    return Edges(1, start, edges.neighbour[keep], edges.displacement[keep], edges.overfull)


def check_neighbours(edges: Edges, frame: int) -> None:
    """Refuse two neighbours at the same place; atoms that are no neighbours may be there.

    Args:
        edges: The neighbours.
        frame: Number of the frame, for messages.

    Raises:
        DPError: Two neighbours are at the same place.
    """
    rows = np.flatnonzero(~edges.displacement.any(axis=1))
    if rows.size:
        centre = (np.searchsorted(edges.start, rows, side="right") - 1) // edges.types
        raise coincidence(*min(zip(centre, edges.neighbour[rows], strict=True)), frame)


def no_edges(atoms: int, types: int) -> Edges:
    """Return the edges of atoms without neighbours."""
    start = np.zeros(atoms * types + 1, np.int64)
    return Edges(types, start, np.zeros(0, np.int32), np.zeros((0, 3)), 0)


def among_all(edges: Edges, present: NDArray[np.bool_]) -> Edges:
    """Return edges of some atoms as those of all, of which the others have none.

    Args:
        edges: The neighbours of the atoms that are present, counted without the others.
        present: (atom,) whether an atom is one of them.
    """
    count = np.zeros((len(present), edges.types), np.int64)
    count[present] = edges.count
    start = np.concatenate([[0], np.cumsum(count.ravel())])
    neighbour = np.flatnonzero(present).astype(np.int32).take(edges.neighbour)
    return replace(edges, start=start, neighbour=neighbour)


def fill_block(
    edges: Edges,
    kind: int,
    centres: Indices,
    cutoff: float,
    *,
    displacement: NDArray[Any],
    index: Indices,
    count: Indices,
) -> None:
    """Lay out the neighbours of one type around some centres in rows of one width.

    Args:
        edges: The neighbours.
        kind: Their type.
        centres: (centre,) indices.
        cutoff: Length of the displacements in padding, Å.
        displacement: Where to write, (row, width, 3), Å.
        index: Where to write the neighbours, (row, width); 0 in padding.
        count: Where to write their numbers, (row,); 0 in rows beyond the centres.
    """
    count[len(centres) :] = 0
    count[: len(centres)] = edges.count[centres, kind]
    places = np.arange(index.shape[1])
    rows = np.zeros(index.shape, np.int64)
    rows[: len(centres)] = edges.start[centres * edges.types + kind][:, None] + places
    if len(edges.neighbour):
        # In padding these are rows of others, or beyond the last.
        displacement[...] = edges.displacement.take(rows, axis=0, mode="clip")
        index[...] = edges.neighbour.take(rows, mode="clip")
    padding = places >= count[:, None]
    displacement[padding] = (cutoff, 0.0, 0.0)
    index[padding] = 0


@dataclass(frozen=True)
class _Choice:
    """Choose edges among candidates."""

    types: Indices
    sel: Indices
    most: int
    allowed: NDArray[np.bool_]

    @classmethod
    def of(cls, types: Indices, selection: Selection) -> "_Choice":
        return cls(types, np.array(selection.sel), selection.among, selection.allowed())

    def edges(self, found: Candidates) -> Edges:
        ntypes = len(self.sel)
        runs = (found.stop - found.start) * ntypes
        run = (found.centre - found.start) * ntypes + self.types.take(found.neighbour)
        rows, run = order_of(run, found)
        count = np.bincount(run, minlength=runs)
        keep, overfull = self._keep(found, rows, count.reshape(-1, ntypes))
        if (keep != count).any():
            rows = rows[_places(count) < np.repeat(keep, count)]
        return Edges(
            ntypes,
            np.concatenate([[0], np.cumsum(keep)]),
            found.neighbour.take(rows).astype(np.int32),
            found.displacement(rows),
            overfull,
        )

    def _keep(self, found: Candidates, rows: Indices, count: Indices) -> tuple[Indices, int]:
        """Return how many of each run (centre, type) to keep, flat, and the largest excess."""
        allowed = self.allowed[self.types[found.start : found.stop]]
        keep = np.where(allowed, np.minimum(count, self.sel), 0)
        overfull = int(np.max(np.where(allowed, count - self.sel, 0), initial=0))
        crowded = count.sum(axis=1) > self.most
        if crowded.any():
            mine = rows[crowded[found.centre[rows] - found.start]]
            beyond, excess = self._beyond(found.take(mine), allowed)
            keep = np.minimum(keep, count - beyond)
            overfull = max(overfull, excess)
        return np.where(allowed, keep, 0).ravel(), overfull

    def _beyond(self, found: Candidates, allowed: NDArray[np.bool_]) -> tuple[Indices, int]:
        """Count the neighbours behind the nearest ``most`` by (centre, type); return the largest excess too."""
        centre = found.centre - found.start
        rows, run = order_of(centre, found)
        excess = _places(np.bincount(run, minlength=len(allowed))) + 1 - self.most
        kind = self.types[found.neighbour[rows]]
        late = excess > 0
        beyond = np.bincount((run * len(self.sel) + kind)[late], minlength=allowed.size)
        return beyond.reshape(allowed.shape), int(np.max(excess[allowed[run, kind]], initial=0))


def _places(count: Indices) -> Indices:
    """Return the place of each row within its run of so many rows."""
    return np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)


def _check_separation(found: Candidates, frame: int) -> None:
    """Refuse two atoms at the same place, naming the first."""
    rows = np.flatnonzero((found.distance == 0.0) & found.valid)
    if rows.size:
        raise coincidence(*min(zip(found.centre[rows], found.neighbour[rows], strict=True)), frame)
