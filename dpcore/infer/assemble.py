"""From frames to batches."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpcore.batch import Batch, Group, Neighbours, View
from dpcore.frames import Frame
from dpcore.infer.edges import edges_of
from dpcore.neighbours.edges import Edges, fill_block
from dpcore.neighbours.search import Wrapped, usable_input
from dpcore.neighbours.selection import Selection
from dpcore.neighbours.sizes import Name, Need, Sizes
from dpcore.registry import kernels

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Assembly:
    """Frames whose neighbours have been found, to be laid out as batches.

    The flat atom axis holds the atoms that are there, frame by frame, and padding behind them.

    Attributes:
        frames: the frames, already checked.
        selections: the neighbours that the model asks for.
        sizes: how far to pad.
        dtype: dtype of the displacements and parameters.
        types: type of each atom on the flat axis, ``(atom,)``, without padding.
        edges: their neighbours, for each selection.
    """

    frames: Sequence[Frame]
    selections: Sequence[Selection]
    sizes: Sizes
    dtype: str
    types: Ints
    edges: Sequence[Edges]

    @cached_property
    def real(self) -> tuple[Mask, ...]:
        """For each frame, which of its atoms are there."""
        return tuple(frame.types >= 0 for frame in self.frames)

    def batches(self, centres: int) -> Iterator[Batch]:
        """Lay out batches of at most that many centres each, all with the same flat axis."""
        for start in range(0, max(len(self.types), 1), centres):
            yield self._batch(start, min(start + centres, len(self.types)))

    def split(self, rows: NDArray[Any]) -> list[NDArray[Any]]:
        """Return rows of the flat atom axis by frame, zero for atoms that are not there."""
        out, start = [], 0
        for mask in self.real:
            n = int(np.count_nonzero(mask))
            frame = np.zeros((len(mask), *rows.shape[1:]), rows.dtype)
            frame[mask] = rows[start : start + n]
            out.append(frame)
            start += n
        return out

    def _batch(self, start: int, stop: int) -> Batch:
        groups = self._groups(start, stop)
        lengths = self.sizes.lengths(self._needs(groups, stop - start))
        natoms, nframes = lengths["atom",], lengths["frame",]
        counts = [np.count_nonzero(mask) for mask in self.real]
        frame = np.full(natoms, nframes - 1, np.int64)
        frame[: len(self.types)] = np.repeat(np.arange(len(counts)), counts)
        types = np.zeros(natoms, np.int64)
        types[: len(self.types)] = self.types
        chosen = [
            _Members(t, atoms, length)
            for t, atoms in groups
            if (length := lengths[_centre_axis(t)])
        ]
        return Batch(
            groups=tuple(_group(members, natoms) for members in chosen),
            views=tuple(self._view(n, chosen, lengths) for n in range(len(self.selections))),
            frame=frame,
            natoms=np.pad(np.array(counts, np.int64), (0, nframes - len(counts))),
            types=types,
            fparam=self._of_frames("fparam", nframes),
            aparam=self._of_atoms("aparam", natoms),
            coord=self._coord(natoms),
            charge_spin=self._of_frames("charge_spin", nframes),
            spin=self._of_atoms("spin", natoms),
        )

    def _groups(self, start: int, stop: int) -> list[tuple[int | None, Ints]]:
        """Share the centres from ``start`` to ``stop`` out by type, unless types are mixed everywhere."""
        if all(selection.mixed for selection in self.selections):
            return [(None, np.arange(start, stop))]
        types = self.types[start:stop]
        return [(t, start + np.flatnonzero(types == t)) for t in range(ntypes_of(self.selections))]

    def _needs(self, groups: Sequence[tuple[int | None, Ints]], centres: int) -> dict[Name, Need]:
        """Return how long the axes of a batch must be."""
        needs: dict[Name, Need] = {
            ("atom",): Need(len(self.types) + 1),
            ("frame",): Need(len(self.frames) + 1),
        }
        for t, atoms in groups:
            # A batch has a group at least, be it of padding alone.
            needs[_centre_axis(t)] = Need(len(atoms) or int(not centres and not t))
        for number, (selection, edges) in enumerate(zip(self.selections, self.edges, strict=True)):
            if selection.listed:
                total = sum(int(edges.count[atoms, 0].sum()) for _, atoms in groups)
                needs["edge", number] = Need(total)
                continue
            kinds = (selection.most,) if selection.mixed else selection.sel
            for (t, atoms), (kind, sel) in product(groups, enumerate(kinds)):
                name = _neighbour_axis(selection, number, t, kind)
                found = int(edges.count[atoms, kind].max(initial=0))
                before = needs[name].least if name in needs else 0
                limit = min(sel, selection.most)
                least = limit if selection.full else max(found, before)
                needs[name] = Need(least, limit, fixed=selection.full)
        return needs

    def _view(self, number: int, chosen: Sequence["_Members"], lengths: Mapping[Name, int]) -> View:
        selection = self.selections[number]
        if selection.listed:
            block = self._list(number, chosen, lengths["edge", number])
            return View(mixed=True, blocks=((block,),))
        if selection.mixed:
            width = lengths[_neighbour_axis(selection, number, None, 0)]
            return View(mixed=True, blocks=((self._block(number, 0, chosen, width),),))
        kinds = range(len(selection.sel))
        return View(
            blocks=tuple(
                tuple(
                    self._block(
                        number,
                        kind,
                        [members],
                        lengths[_neighbour_axis(selection, number, members.type, kind)],
                    )
                    for kind in kinds
                )
                for members in chosen
            )
        )

    def _block(
        self, number: int, kind: int, chosen: Sequence["_Members"], width: int
    ) -> Neighbours:
        """Lay out the neighbours of one kind around the centres of some groups."""
        selection, edges = self.selections[number], self.edges[number]
        length = sum(members.length for members in chosen)
        displacement = np.empty((length, width, 3), self.dtype)
        index, count = np.empty((length, width), np.int64), np.empty(length, np.int64)
        library = kernels()
        fill = fill_block if library is None else library.neighbours.fill
        first = 0
        for members in chosen:
            rows = slice(first, first + members.length)
            first += members.length
            fill(
                edges,
                kind,
                members.atoms,
                selection.rcut,
                displacement=displacement[rows],
                index=index[rows],
                count=count[rows],
            )
        return Neighbours(displacement=displacement, index=index, count=count)

    def _list(self, number: int, chosen: Sequence["_Members"], length: int) -> Neighbours:
        """Lay out the neighbours around the centres of all groups as a list of edges."""
        selection, edges = self.selections[number], self.edges[number]
        atoms = np.concatenate([members.atoms for members in chosen])
        counts, total = edges.count[atoms, 0], int(edges.count[atoms, 0].sum())
        displacement = np.full((length, 3), (selection.rcut, 0.0, 0.0), self.dtype)
        index, centre = np.zeros(length, np.int64), np.zeros(length, np.int64)
        before = np.cumsum(counts) - counts
        rows = np.arange(total) + np.repeat(edges.start[atoms * edges.types] - before, counts)
        displacement[:total] = edges.displacement[rows]
        index[:total] = edges.neighbour[rows]
        firsts = np.cumsum([0, *(members.length for members in chosen)])
        place = [n + np.arange(len(m.atoms)) for n, m in zip(firsts, chosen, strict=False)]
        centre[:total] = np.repeat(np.concatenate(place), counts)
        return Neighbours(
            displacement=displacement, index=index, count=np.array([total]), centre=centre
        )

    def _of_frames(self, name: str, nframes: int) -> NDArray[Any] | None:
        """Return numbers that belong to frames, of which all or none have them."""
        first = getattr(self.frames[0], name)
        if first is None:
            return None
        # What comes of padding frames means nothing, but it must be there.
        out = np.full((nframes, len(first)), first, self.dtype)
        out[: len(self.frames)] = [getattr(frame, name) for frame in self.frames]
        return out

    def _coord(self, natoms: int) -> NDArray[Any] | None:
        """Return the coordinates, moved into the cell, about their centre, where atoms pass messages."""
        if not any(selection.messages for selection in self.selections):
            return None
        rcut = self.selections[0].rcut
        out = np.zeros((natoms, 3))
        for mask, frame, start in zip(self.real, self.frames, self._starts, strict=True):
            coord, box = usable_input(frame.coord[mask], frame.cell, rcut, frame.pbc, 0)
            coord = Wrapped.of(coord, box, rcut).coord
            # Where the origin is does not matter; digits are lost by products with large coordinates.
            if len(coord):
                out[start : start + len(coord)] = coord - coord.mean(axis=0)
        return out

    @property
    def _starts(self) -> NDArray[np.int64]:
        """First place of each frame on the flat atom axis."""
        counts = [int(np.count_nonzero(mask)) for mask in self.real]
        return np.cumsum([0, *counts])[:-1]

    def _of_atoms(self, name: str, natoms: int) -> NDArray[Any] | None:
        """Return rows that belong to atoms, of which all or none have them."""
        rows = [getattr(frame, name) for frame in self.frames]
        given = [row[mask] for row, mask in zip(rows, self.real, strict=True) if row is not None]
        if not given:
            return None
        whole = np.concatenate(given)
        out = np.zeros((natoms, whole.shape[1]), self.dtype)
        out[: len(whole)] = whole
        return out


@dataclass(frozen=True)
class _Members:
    """Centres that make a group: their type, their places on the atom axis, and the group's length."""

    type: int | None
    atoms: Ints
    length: int


def _centre_axis(group: int | None) -> Name:
    return ("centre",) if group is None else ("centre", group)


def _neighbour_axis(selection: Selection, number: int, group: int | None, kind: int) -> Name:
    return ("neighbour", number) if selection.mixed else ("neighbour", number, group or 0, kind)


def _group(members: _Members, natoms: int) -> Group:
    place = np.full(members.length, natoms - 1, np.int64)
    place[: len(members.atoms)] = members.atoms
    return Group(type=members.type, place=place)


def ntypes_of(selections: Sequence[Selection]) -> int:
    """Return the number of types of the model that selections belong to."""
    first = selections[0]
    return len(first.sel if first.types is None else first.types)


def assemble(
    frames: Sequence[Frame],
    selections: Sequence[Selection],
    sizes: Sizes,
    dtype: str = "float64",
    *,
    first: int = 0,
) -> Assembly:
    """Find the neighbours of all atoms.

    Args:
        frames: the frames, already checked.
        selections: the neighbours that the model asks for.
        sizes: how far to pad.
        dtype: dtype of the displacements and parameters.
        first: number of the first frame, for messages.

    Raises:
        DPError: two atoms of a frame are at the same place.
    """
    types = np.concatenate([frame.types[frame.types >= 0] for frame in frames])
    found = {
        selection: edges_of(frames, selection, first) for selection in dict.fromkeys(selections)
    }
    return Assembly(frames, selections, sizes, dtype, types, [found[s] for s in selections])
