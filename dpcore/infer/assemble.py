"""From frames to batches."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpcore.batch import Batch, Group, Neighbours
from dpcore.infer.frames import Floats, Frame
from dpcore.neighbours import Pairs, check_separation, neighbour_pairs
from dpcore.neighbours.selection import Selection
from dpcore.neighbours.sizes import Sizes

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class _Edges:
    """Neighbour pairs of all frames, sorted by centre, neighbour type and distance.

    ``rank`` counts the neighbours of one type around one centre, nearest first.
    """

    centre: Ints
    neighbour: Ints
    type: Ints
    rank: Ints
    displacement: Floats


@dataclass(frozen=True)
class Assembly:
    """Frames whose neighbours have been found, to be laid out as batches.

    The flat atom axis holds the atoms that are there, frame by frame, and padding behind them.

    Attributes:
        frames: the frames, already checked.
        selection: the neighbours that the model asks for.
        sizes: how far to pad.
        dtype: dtype of the displacements and parameters.
        types: type of each atom on the flat axis, ``(atom,)``, without padding.
        overfull: the largest number of neighbours beyond ``sel``, 0 if it suffices everywhere.
    """

    frames: Sequence[Frame]
    selection: Selection
    sizes: Sizes
    dtype: str
    types: Ints
    overfull: int
    edges: _Edges

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
        natoms = self.sizes.axis(("atom",), len(self.types) + 1)
        nframes = self.sizes.axis(("frame",), len(self.frames) + 1)
        counts = [np.count_nonzero(mask) for mask in self.real]
        frame = np.full(natoms, nframes - 1, np.int64)
        frame[: len(self.types)] = np.repeat(np.arange(len(counts)), counts)
        return Batch(
            groups=self._groups(start, stop, natoms),
            frame=frame,
            natoms=np.pad(np.array(counts, np.int64), (0, nframes - len(counts))),
            fparam=self._fparam(nframes),
            aparam=self._aparam(natoms),
        )

    def _groups(self, start: int, stop: int, natoms: int) -> tuple[Group, ...]:
        first, last = np.searchsorted(self.edges.centre, (start, stop))
        chosen = np.arange(first, last)
        kinds = self.types[self.edges.centre[first:last]]
        groups = []
        for t in range(len(self.selection.sel)):
            members = start + np.flatnonzero(self.types[start:stop] == t)
            # A batch has a group at least, be it of padding alone.
            needed = len(members) or int(start == stop and t == 0)
            length = self.sizes.axis(("centre", t), needed)
            if length:
                groups.append(self._group(t, members, chosen[kinds == t], length, natoms))
        return tuple(groups)

    def _group(self, t: int, members: Ints, chosen: Ints, length: int, natoms: int) -> Group:
        place = np.full(length, natoms - 1, np.int64)
        place[: len(members)] = members
        blocks = []
        for kind, sel in enumerate(self.selection.sel):
            mine = chosen[self.edges.type[chosen] == kind]
            needed = int(self.edges.rank[mine].max(initial=-1)) + 1
            width = self.sizes.axis(("neighbour", t, kind), needed, sel)
            row = np.searchsorted(members, self.edges.centre[mine])
            blocks.append(self._block(row, mine, (length, width)))
        return Group(type=t, place=place, blocks=tuple(blocks))

    def _block(self, row: Ints, chosen: Ints, sizes: tuple[int, int]) -> Neighbours:
        vectors = np.zeros((*sizes, 3), self.dtype)
        vectors[..., 0] = self.selection.rcut
        index = np.zeros(sizes, np.int64)
        rank = self.edges.rank[chosen]
        vectors[row, rank] = self.edges.displacement[chosen]
        index[row, rank] = self.edges.neighbour[chosen]
        count = np.bincount(row, minlength=sizes[0]).astype(np.int64)
        return Neighbours(displacement=vectors, index=index, count=count)

    def _fparam(self, nframes: int) -> NDArray[Any] | None:
        first = self.frames[0].fparam
        if first is None:
            return None
        out = np.zeros((nframes, len(first)), self.dtype)
        out[: len(self.frames)] = [frame.fparam for frame in self.frames]
        return out

    def _aparam(self, natoms: int) -> NDArray[Any] | None:
        given = [
            frame.aparam[mask]
            for frame, mask in zip(self.frames, self.real, strict=True)
            if frame.aparam is not None
        ]
        if not given:
            return None
        whole = np.concatenate(given)
        out = np.zeros((natoms, whole.shape[1]), self.dtype)
        out[: len(whole)] = whole
        return out


def assemble(
    frames: Sequence[Frame],
    selection: Selection,
    sizes: Sizes,
    dtype: str = "float64",
    *,
    first: int = 0,
) -> Assembly:
    """Find the neighbours of all atoms.

    Args:
        frames: the frames, already checked.
        selection: the neighbours that the model asks for.
        sizes: how far to pad.
        dtype: dtype of the displacements and parameters.
        first: number of the first frame, for messages.

    Raises:
        DPError: two atoms of a frame are at the same place.
    """
    real = [frame.types >= 0 for frame in frames]
    types = np.concatenate([f.types[mask] for f, mask in zip(frames, real, strict=True)])
    found, starts, start = [], [], 0
    for number, (frame, mask) in enumerate(zip(frames, real, strict=True), first):
        pairs = neighbour_pairs(
            frame.coord[mask], frame.cell, selection.rcut, pbc=frame.pbc, frame=number
        )
        check_separation(pairs, number)
        found.append(pairs)
        starts.append(start)
        start += len(frame.coord[mask])
    edges, overfull = _select(found, starts, types, selection)
    return Assembly(frames, selection, sizes, dtype, types, overfull, edges)


def _select(
    found: list[Pairs], starts: list[int], types: Ints, selection: Selection
) -> tuple[_Edges, int]:
    """Join the pairs of all frames and keep those that the model asks for."""
    centre = np.concatenate([p.centre + s for p, s in zip(found, starts, strict=True)])
    neighbour = np.concatenate([p.neighbour + s for p, s in zip(found, starts, strict=True)])
    vectors = np.concatenate([p.displacement for p in found])
    kind, ntypes = types[neighbour], len(selection.sel)
    run = centre * ntypes + kind
    # DeePMD-kit's rule: of all neighbours the nearest Σ sel, and of these the nearest sel of each type.
    place = _rank(centre, len(types))
    order = np.argsort(run, kind="stable")
    centre, neighbour, kind = centre[order], neighbour[order], kind[order]
    rank = _rank(run[order], len(types) * ntypes)
    excess = np.maximum(rank - np.array(selection.sel)[kind], place[order] - sum(selection.sel)) + 1
    allowed = np.array([[selection.allows(c, t) for t in range(ntypes)] for c in range(ntypes)])
    permitted = allowed[types[centre], kind]
    keep = permitted & (excess <= 0)
    edges = _Edges(centre[keep], neighbour[keep], kind[keep], rank[keep], vectors[order[keep]])
    return edges, max(0, int(np.max(excess[permitted], initial=0)))


def _rank(run: Ints, runs: int) -> Ints:
    """Return the place of each entry within its run of equal numbers; ``run`` is sorted."""
    counts = np.bincount(run, minlength=runs)
    return np.arange(len(run)) - (np.cumsum(counts) - counts)[run]
