"""From frames to a batch, and from a batch's results back to frames."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpcore.batch import Batch, Group, Neighbours
from dpcore.infer.frames import Floats, Frame
from dpcore.neighbours import Pairs, check_separation, neighbour_pairs
from dpcore.neighbours.selection import Selection
from dpcore.neighbours.sizes import Sizes

log = logging.getLogger(__name__)

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Assembled:
    """A batch and the way back to its frames.

    Attributes:
        batch: the batch, with NumPy arrays.
        place: row of each real atom on the batch's flat axis, frames concatenated.
        real: for each frame, which of its atoms are there.
        overfull: the largest number of neighbours beyond ``sel``, 0 if it suffices everywhere.
    """

    batch: Batch
    place: Ints
    real: tuple[NDArray[np.bool_], ...]
    overfull: int


@dataclass(frozen=True)
class _Atoms:
    """The real atoms of all frames, concatenated, and their place on the flat axis."""

    types: Ints
    frame: Ints
    place: Ints
    starts: dict[int, int]
    lengths: dict[int, int]
    aparam: Floats | None

    def of_type(self, t: int) -> Ints:
        return np.flatnonzero(self.types == t)


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


def assemble(
    frames: Sequence[Frame],
    selection: Selection,
    sizes: Sizes,
    dtype: str = "float64",
    *,
    first: int = 0,
) -> Assembled:
    """Find the neighbours of all atoms and lay them out as a batch.

    Args:
        frames: the frames, already checked.
        selection: the neighbours that the model asks for.
        sizes: how far to pad.
        dtype: dtype of the displacements and parameters.
        first: number of the first frame, for messages.
    """
    real = tuple(frame.types >= 0 for frame in frames)
    nframes = sizes.axis(("frame",), len(frames) + 1)
    atoms = _atoms(frames, real, len(selection.sel), sizes)
    edges, overfull = _edges(frames, real, atoms, selection, first)
    groups = tuple(
        _group(t, atoms, edges, selection, sizes, nframes, dtype) for t in sorted(atoms.starts)
    )
    natoms = np.zeros(nframes, np.int64)
    natoms[: len(frames)] = [np.count_nonzero(mask) for mask in real]
    batch = Batch(groups=groups, natoms=natoms, fparam=_fparam(frames, nframes, dtype))
    return Assembled(batch, atoms.place, real, overfull)


def scatter(assembled: Assembled, rows: NDArray[Any]) -> list[NDArray[Any]]:
    """Return the rows of the flat atom axis by frame, zero for atoms that are not there."""
    values, start, out = rows[assembled.place], 0, []
    for mask in assembled.real:
        n = int(np.count_nonzero(mask))
        frame = np.zeros((len(mask), *rows.shape[1:]), rows.dtype)
        frame[mask] = values[start : start + n]
        out.append(frame)
        start += n
    return out


def _atoms(
    frames: Sequence[Frame], real: tuple[NDArray[np.bool_], ...], ntypes: int, sizes: Sizes
) -> _Atoms:
    types = np.concatenate([f.types[mask] for f, mask in zip(frames, real, strict=True)])
    frame = np.repeat(np.arange(len(frames)), [np.count_nonzero(mask) for mask in real])
    place = np.empty(len(types), np.int64)
    starts, lengths, start = {}, {}, 0
    for t in range(ntypes):
        members = np.flatnonzero(types == t)
        if len(members) or sizes.fixed_groups:
            place[members] = start + np.arange(len(members))
            starts[t], lengths[t] = start, sizes.axis(("atom", t), len(members))
            start += lengths[t]
    if not starts:
        starts[0], lengths[0] = 0, sizes.axis(("atom", 0), 1)
    aparam = None
    if frames[0].aparam is not None:
        aparam = np.concatenate(
            [f.aparam[mask] for f, mask in zip(frames, real, strict=True) if f.aparam is not None]
        )
    return _Atoms(types, frame, place, starts, lengths, aparam)


def _edges(
    frames: Sequence[Frame],
    real: tuple[NDArray[np.bool_], ...],
    atoms: _Atoms,
    selection: Selection,
    first: int,
) -> tuple[_Edges, int]:
    found, offset, offsets = [], 0, []
    for number, (frame, mask) in enumerate(zip(frames, real, strict=True), first):
        found.append(_pairs(frame, mask, selection.rcut, number))
        offsets.append(offset)
        offset += int(np.count_nonzero(mask))
    centre = np.concatenate([p.centre + o for p, o in zip(found, offsets, strict=True)])
    neighbour = np.concatenate([p.neighbour + o for p, o in zip(found, offsets, strict=True)])
    vectors = np.concatenate([p.displacement for p in found])
    kind, ntypes = atoms.types[neighbour], len(selection.sel)
    run = centre * ntypes + kind
    # DeePMD-kit's rule: of all neighbours the nearest Σ sel, and of these the nearest sel of each type.
    place = _rank(centre, len(atoms.types))
    order = np.argsort(run, kind="stable")
    centre, neighbour, kind = centre[order], neighbour[order], kind[order]
    rank = _rank(run[order], len(atoms.types) * ntypes)
    excess = np.maximum(rank - np.array(selection.sel)[kind], place[order] - sum(selection.sel)) + 1
    allowed = np.array([[selection.allows(c, t) for t in range(ntypes)] for c in range(ntypes)])
    permitted = allowed[atoms.types[centre], kind]
    keep = permitted & (excess <= 0)
    edges = _Edges(centre[keep], neighbour[keep], kind[keep], rank[keep], vectors[order[keep]])
    return edges, max(0, int(np.max(excess[permitted], initial=0)))


def _rank(run: Ints, runs: int) -> Ints:
    """Return the place of each entry within its run of equal numbers; ``run`` is sorted."""
    counts = np.bincount(run, minlength=runs)
    return np.arange(len(run)) - (np.cumsum(counts) - counts)[run]


def _pairs(frame: Frame, mask: NDArray[np.bool_], rcut: float, number: int) -> Pairs:
    pairs = neighbour_pairs(frame.coord[mask], frame.cell, rcut, pbc=frame.pbc, frame=number)
    check_separation(pairs, number)
    return pairs


def _group(
    t: int,
    atoms: _Atoms,
    edges: _Edges,
    selection: Selection,
    sizes: Sizes,
    nframes: int,
    dtype: str,
) -> Group:
    members, length = atoms.of_type(t), atoms.lengths[t]
    frame = np.full(length, nframes - 1, np.int64)
    frame[: len(members)] = atoms.frame[members]
    aparam = None
    if atoms.aparam is not None:
        aparam = np.zeros((length, atoms.aparam.shape[1]), dtype)
        aparam[: len(members)] = atoms.aparam[members]
    mine = atoms.types[edges.centre] == t
    blocks = []
    for kind, sel in enumerate(selection.sel):
        chosen = np.flatnonzero(mine & (edges.type == kind))
        needed = int(edges.rank[chosen].max(initial=-1)) + 1
        width = sizes.axis(("neighbour", t, kind), needed, sel)
        row = atoms.place[edges.centre[chosen]] - atoms.starts[t]
        blocks.append(_block(row, chosen, edges, atoms, (length, width), selection.rcut, dtype))
    return Group(type=t, frame=frame, aparam=aparam, blocks=tuple(blocks))


def _block(
    row: Ints,
    chosen: Ints,
    edges: _Edges,
    atoms: _Atoms,
    sizes: tuple[int, int],
    rcut: float,
    dtype: str,
) -> Neighbours:
    vectors = np.zeros((*sizes, 3), dtype)
    vectors[..., 0] = rcut
    index = np.zeros(sizes, np.int64)
    rank = edges.rank[chosen]
    vectors[row, rank] = edges.displacement[chosen]
    index[row, rank] = atoms.place[edges.neighbour[chosen]]
    count = np.bincount(row, minlength=sizes[0]).astype(np.int64)
    return Neighbours(displacement=vectors, index=index, count=count)


def _fparam(frames: Sequence[Frame], nframes: int, dtype: str) -> NDArray[Any] | None:
    first = frames[0].fparam
    if first is None:
        return None
    out = np.zeros((nframes, len(first)), dtype)
    out[: len(frames)] = [frame.fparam for frame in frames]
    return out
