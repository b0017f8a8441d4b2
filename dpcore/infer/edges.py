"""The edges of frames, found by the kernels where they are installed."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dpcore.infer.frames import Floats, Frame
from dpcore.neighbours.cell import Box
from dpcore.neighbours.edges import Edges, find_edges, join_edges
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
        coord, box = usable_input(frame.coord[real], frame.cell, selection.rcut, frame.pbc, number)
        parts.append(_find(coord, frame.types[real], box, selection, number))
        starts.append(start)
        start += len(coord)
    return join_edges(parts, len(selection.sel), starts)


def _find(coord: Floats, types: Ints, box: Box, selection: Selection, frame: int) -> Edges:
    library = kernels()
    found = library and library.neighbours.search(
        coord=coord,
        types=np.ascontiguousarray(types, np.int64),
        cell=np.ascontiguousarray(box.cell),
        periodic=box.pbc,
        cutoff=selection.rcut,
        sel=np.array(selection.sel, np.int64),
        allowed=selection.allowed(),
    )
    # There are no kernels, or they leave this frame to NumPy.
    if found is None:
        return find_edges(coord, types, box, selection, frame)
    if found.coincident:
        first, second = found.coincident
        raise coincidence(first, second, frame)
    ntypes = len(selection.sel)
    return Edges(ntypes, found.start, found.neighbour, found.displacement, found.overfull)
