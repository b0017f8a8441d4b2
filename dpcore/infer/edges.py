"""The edges of frames, found by the kernels where they are installed."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from dpcore.errors import DPError
from dpcore.frames import Floats, Frame
from dpcore.neighbours.cell import Box
from dpcore.neighbours.edges import (
    Edges,
    among_all,
    check_neighbours,
    find_edges,
    join_edges,
    no_edges,
    without_excluded,
)
from dpcore.neighbours.pairs import coincidence
from dpcore.neighbours.search import usable_input
from dpcore.neighbours.selection import Selection
from dpcore.registry import kernels

Ints = NDArray[np.int64]


def edges_of(frames: Sequence[Frame], selection: Selection, first: int) -> Edges:
    """Find the neighbours that a model asks for of all atoms that are there, frame by frame.

    Args:
        frames: the frames.
        selection: what the model asks for.
        first: number of the first frame, for messages.

    Raises:
        DPError: a frame that is not usable, or two of its atoms at the same place.
    """
    parts, starts, start = [], [], 0
    for number, frame in enumerate(frames, first):
        real = frame.types >= 0
        present = _present(frame, number)[real] if selection.masked else None
        coord, box = usable_input(frame.coord[real], frame.cell, selection.rcut, frame.pbc, number)
        types = frame.types[real]
        if selection.types is not None:
            types = np.array(selection.types)[types]
        if present is None:
            parts.append(_find(coord, types, box, selection, number))
        else:
            parts.append(_find_masked(coord, types, present, box, selection, number))
        starts.append(start)
        start += len(coord)
    return join_edges(parts, 1 if selection.mixed else len(selection.sel), starts)


def _present(frame: Frame, number: int) -> NDArray[np.bool_]:
    """Return which atoms of a frame its atomic parameters say are there."""
    if frame.cell is not None and any(frame.pbc):
        raise DPError(
            f"frame {number}: has a periodic cell; the model's atoms see each other at any distance, so that "
            "frames must be open: leave the cell out"
        )
    assert frame.aparam is not None
    present: NDArray[np.bool_] = np.trunc(frame.aparam[:, 0]) != 0
    return present


def _find_masked(
    coord: Floats,
    types: Ints,
    present: NDArray[np.bool_],
    box: Box,
    selection: Selection,
    frame: int,
) -> Edges:
    if not present.any():
        return no_edges(len(types), len(selection.sel))
    try:
        found = _find(coord[present], types[present], box, selection, frame)
    except DPError as error:
        raise DPError(f"{error} (atoms are counted without the masked ones)") from error
    return among_all(found, present)


def _find(coord: Floats, types: Ints, box: Box, selection: Selection, frame: int) -> Edges:
    apart = not selection.exclude
    if selection.mixed:
        alike = replace(selection, sel=(selection.most,), exclude=(), mixed=False)
        edges = _find_typed(coord, np.zeros_like(types), box, alike, frame, apart=apart)
        edges = edges if apart else without_excluded(edges, types, selection.allowed())
    else:
        edges = _find_typed(coord, types, box, selection, frame, apart=apart)
    if not apart:
        check_neighbours(edges, frame)
    return edges


def _find_typed(
    coord: Floats, types: Ints, box: Box, selection: Selection, frame: int, *, apart: bool
) -> Edges:
    library = kernels()
    found = library and library.neighbours.search(
        coord=coord,
        types=np.ascontiguousarray(types, np.int64),
        cell=np.ascontiguousarray(box.cell),
        periodic=box.pbc,
        cutoff=selection.rcut,
        sel=np.array(selection.sel, np.int64),
        total=selection.among,
        allowed=selection.allowed(),
    )
    # There are no kernels, or they leave this frame to NumPy.
    if found is None:
        return find_edges(coord, types, box, selection, frame, apart=apart)
    if found.coincident and apart:
        first, second = found.coincident
        raise coincidence(first, second, frame)
    ntypes = len(selection.sel)
    return Edges(ntypes, found.start, found.neighbour, found.displacement, found.overfull)
