"""From frames to batches."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpcore.batch import Batch, Group, Neighbours
from dpcore.infer.edges import edges_of
from dpcore.infer.frames import Frame
from dpcore.neighbours.edges import Edges, fill_block
from dpcore.neighbours.selection import Selection
from dpcore.neighbours.sizes import Sizes
from dpcore.registry import kernels

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


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
        edges: their neighbours.
    """

    frames: Sequence[Frame]
    selection: Selection
    sizes: Sizes
    dtype: str
    types: Ints
    edges: Edges

    @property
    def overfull(self) -> int:
        """The largest number of neighbours beyond ``sel``, 0 if it suffices everywhere."""
        return self.edges.overfull

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
        groups = []
        for t in range(len(self.selection.sel)):
            members = start + np.flatnonzero(self.types[start:stop] == t)
            # A batch has a group at least, be it of padding alone.
            needed = len(members) or int(start == stop and t == 0)
            length = self.sizes.axis(("centre", t), needed)
            if length:
                groups.append(self._group(t, members, length, natoms))
        return tuple(groups)

    def _group(self, t: int, members: Ints, length: int, natoms: int) -> Group:
        place = np.full(length, natoms - 1, np.int64)
        place[: len(members)] = members
        counts = self.edges.count[members]
        blocks = []
        for kind, sel in enumerate(self.selection.sel):
            needed = int(counts[:, kind].max(initial=0))
            width = self.sizes.axis(("neighbour", t, kind), needed, sel)
            blocks.append(self._block(kind, members, length, width))
        return Group(type=t, place=place, blocks=tuple(blocks))

    def _block(self, kind: int, members: Ints, length: int, width: int) -> Neighbours:
        displacement = np.empty((length, width, 3), self.dtype)
        index, count = np.empty((length, width), np.int64), np.empty(length, np.int64)
        library = kernels()
        fill = fill_block if library is None else library.neighbours.fill
        fill(
            self.edges,
            kind,
            members,
            self.selection.rcut,
            displacement=displacement,
            index=index,
            count=count,
        )
        return Neighbours(displacement=displacement, index=index, count=count)

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
    types = np.concatenate([frame.types[frame.types >= 0] for frame in frames])
    edges = edges_of(frames, selection, first)
    return Assembly(frames, selection, sizes, dtype, types, edges)
