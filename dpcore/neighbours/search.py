"""Pairs of atoms within a cutoff, in any cell."""

import importlib.util
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dpcore.errors import DPError, suggest
from dpcore.neighbours.cell import check_cell, check_coordinates, complete_cell, heights
from dpcore.neighbours.pairs import Pairs

_FEW = 2_000
"""Atoms below which loading an optional package does not pay."""
_BRUTE = 600_000
"""Combinations of atom and image up to which trying all of them is the fastest."""
_ROWS = 200_000
"""Candidate pairs compared at once: memory stays bounded and the processor's cache warm."""
_PER_CUTOFF = np.array([2.0, 2.0, 8.0])
"""Bins per cutoff along each axis: thin layers, so that a run of them fits a chord closely."""
_MOST_BINS = 2**20
"""Bins along an axis at most: the number of a bin fits an integer however far atoms lie apart."""
_MARGIN = 1e-12
"""What a search adds to the cutoff, relative to the largest length, so that no rounding loses pairs."""

_Floats = NDArray[np.float64]
_Indices = NDArray[np.int64]


@dataclass(frozen=True)
class _Candidates:
    """Hold a superset of the pairs: indices (row,) and shifts (3, row) in lattice vectors."""

    centre: _Indices
    neighbour: _Indices
    shift: _Indices


@dataclass(frozen=True)
class _Images:
    """Hold copies of atoms: index (image,), shift (3, image), position (image, 3)."""

    atom: _Indices
    shift: _Indices
    position: _Floats


@dataclass(frozen=True)
class _Box:
    """Hold a cell that has a volume, and which of its axes are periodic."""

    cell: _Floats
    pbc: NDArray[np.bool_]


def neighbour_pairs(
    coord: ArrayLike,
    cell: ArrayLike | None = None,
    cutoff: float = 0.0,
    *,
    pbc: Sequence[bool] = (True, True, True),
    method: str = "auto",
    frame: int = 0,
) -> Pairs:
    """Find all pairs of atoms and periodic images closer than a cutoff.

    Args:
        coord: (atom, 3) positions, Å; atoms may lie outside the cell.
        cell: (3, 3) lattice vectors in rows, Å, or None for open boundaries. Vectors of
            non-periodic axes are ignored.
        cutoff: Distance below which a pair counts, Å. It has to be given, and may exceed the cell.
        pbc: Whether each lattice vector is periodic.
        method: ``numpy``, ``vesin`` (an optional package) or ``auto``, the faster one at hand.
        frame: Number of the frame, for messages.

    Returns:
        The pairs, the same to the last bit and in the same order for every method.

    Raises:
        DPError: A shape, a number that is not finite, a flat cell or the method is not usable.
    """
    coord = np.asarray(coord, dtype=np.float64)
    if coord.ndim != 2 or coord.shape[1] != 3:
        raise DPError(f"frame {frame}: coordinates have shape {coord.shape}; give (atom, 3)")
    if not (np.isfinite(cutoff) and cutoff > 0):
        raise DPError(f"frame {frame}: the cutoff is {cutoff} Å; give a positive finite number")
    check_coordinates(coord, frame)
    box = _box(cell, pbc, frame)
    search = _SEARCHES[_resolve(method, len(coord))]
    if not len(coord):
        none = np.zeros(0, dtype=np.int64)
        return Pairs(none, none, np.zeros((0, 3)), np.zeros(0))
    # Wrapped atoms keep the numbers of the search small; the result refers to the given positions.
    turns = np.floor(np.where(box.pbc, coord @ np.linalg.inv(box.cell), 0.0)).astype(np.int64)
    scale = cutoff + float(np.abs(coord).max() + np.abs(box.cell).max())
    found = search(coord - turns @ box.cell, box, cutoff + _MARGIN * scale)
    shift = found.shift + turns.T[:, found.centre] - turns.T[:, found.neighbour]
    return _pairs(coord, box, cutoff, _Candidates(found.centre, found.neighbour, shift))


def _box(cell: ArrayLike | None, pbc: Sequence[bool], frame: int) -> _Box:
    """Check a cell and complete its non-periodic axes."""
    periodic = np.asarray(pbc, dtype=np.bool_)
    if periodic.shape != (3,):
        raise DPError(f"frame {frame}: pbc has shape {periodic.shape}; give three booleans")
    if cell is None:
        return _Box(np.eye(3), np.zeros(3, dtype=np.bool_))
    given = np.asarray(cell, dtype=np.float64)
    if given.shape != (3, 3):
        raise DPError(f"frame {frame}: the cell has shape {given.shape}; give (3, 3)")
    whole = complete_cell(given, pbc)
    check_cell(whole, frame)
    return _Box(whole, periodic)


def _resolve(method: str, atoms: int) -> str:
    """Return the name of the search to use."""
    names = ["auto", *_SEARCHES]
    if method not in names:
        raise DPError(f"neighbour search method {method!r} is unknown{suggest(method, names)}")
    if method == "numpy" or (method == "auto" and atoms < _FEW):
        return "numpy"
    installed = importlib.util.find_spec("vesin") is not None
    if method == "vesin" and not installed:
        raise DPError(
            "neighbour search method 'vesin' needs the package vesin: pip install dpcore[fast],"
            " or use method 'numpy'"
        )
    return "vesin" if installed else "numpy"


def _pairs(coord: _Floats, box: _Box, cutoff: float, found: _Candidates) -> Pairs:
    """Compute the displacements of candidates, drop those beyond the cutoff, and sort."""
    place = np.ascontiguousarray(coord.T)
    # In this order of operations a pair and its reverse round alike: both stay or both go. Matrix
    # products are avoided because they may round a row by its place in the array.
    step = np.stack([axis[found.neighbour] - axis[found.centre] for axis in place])
    if box.pbc.any():
        for axis, (a, b, c) in enumerate(box.cell.T):
            step[axis] += found.shift[0] * a + found.shift[1] * b + found.shift[2] * c
    distance = np.sqrt(step[0] * step[0] + step[1] * step[1] + step[2] * step[2])
    other = (found.centre != found.neighbour) | found.shift.any(axis=0)
    keep = np.flatnonzero((distance < cutoff) & other)
    rows = keep[_order(found.centre[keep], found.neighbour[keep], step[:, keep], distance[keep])]
    displacement = np.ascontiguousarray(step[:, rows].T)
    return Pairs(found.centre[rows], found.neighbour[rows], displacement, distance[rows])


def _order(centre: _Indices, neighbour: _Indices, step: _Floats, distance: _Floats) -> _Indices:
    """Return the permutation that sorts by centre, distance, neighbour, displacement."""
    # One integer holds centre and rounded distance; only rows it cannot tell apart need all keys.
    key = (centre << 32) | distance.astype(np.float32).view(np.uint32)
    order = np.argsort(key, kind="stable")
    ranked = key[order]
    same = ranked[1:] == ranked[:-1]
    tied = np.flatnonzero(np.append(same, False) | np.insert(same, 0, False))
    rows = order[tied]
    exact = (*step[::-1, rows], neighbour[rows], distance[rows], centre[rows])
    order[tied] = rows[np.lexsort(exact)]
    return order


def _vesin(coord: _Floats, box: _Box, cutoff: float) -> _Candidates:
    """Search with the package vesin."""
    from vesin import NeighborList

    pairs, shift = NeighborList(cutoff=cutoff, full_list=True).compute(
        coord, box.cell, box.pbc, "PS"
    )
    centre, neighbour = pairs.T.astype(np.int64, order="C")
    return _Candidates(centre, neighbour, shift.T.astype(np.int64, order="C"))


def _numpy(coord: _Floats, box: _Box, cutoff: float) -> _Candidates:
    """Search among explicit images, all of them for few atoms, by a cell list for many."""
    images = _images(coord, box, cutoff)
    few = len(coord) * len(images.atom) <= _BRUTE
    compare = _every if few else _linked
    centre, image = np.concatenate(list(compare(coord, images.position, cutoff)), axis=1)
    return _Candidates(centre, images.atom[image], images.shift[:, image])


def _images(coord: _Floats, box: _Box, cutoff: float) -> _Images:
    """List every image that may lie within the cutoff of an atom."""
    fraction = coord @ np.linalg.inv(box.cell)
    reach = cutoff / heights(box.cell)
    low, high = fraction.min(axis=0) - reach, fraction.max(axis=0) + reach
    atom, shift = np.arange(len(coord)), np.zeros((3, len(coord)), dtype=np.int64)
    for axis in np.flatnonzero(box.pbc):
        # A shift along one axis leaves the other fractions, so each axis prunes on its own.
        place = fraction[atom, axis]
        first = np.ceil(low[axis] - place).astype(np.int64)
        row, step = _expand(np.floor(high[axis] - place).astype(np.int64) - first + 1)
        atom, shift = atom[row], shift[:, row]
        shift[axis] = first[row] + step
    return _Images(atom, shift, coord[atom] + shift.T @ box.cell)


def _expand(count: _Indices) -> tuple[_Indices, _Indices]:
    """Repeat row k count[k] times; return the row and the running number within it."""
    row = np.repeat(np.arange(len(count)), count)
    return row, np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)


def _every(coord: _Floats, position: _Floats, cutoff: float) -> Iterator[_Indices]:
    """Compare every atom with every image; give blocks (2, row) of their indices."""
    block = max(1, _ROWS // len(position))
    for start in range(0, len(coord), block):
        square = np.zeros((len(coord[start : start + block]), len(position)))
        for axis in range(3):
            step = coord[start : start + block, axis, None] - position[:, axis]
            square += step * step
        centre, image = np.nonzero(square <= cutoff * cutoff)
        yield np.stack([centre + start, image])


def _linked(coord: _Floats, position: _Floats, cutoff: float) -> Iterator[_Indices]:
    """Compare atoms with the images in nearby bins; give blocks (2, row) of their indices."""
    grid = _grid(position, cutoff)
    image_key, centre_key = grid.key(position), grid.key(coord)
    # Sorted by bin, what is compared lies close together in memory.
    image_order, centre_order = np.argsort(image_key), np.argsort(centre_key)
    image_key, centre_key = image_key[image_order], centre_key[centre_order]
    position, coord = position[image_order], coord[centre_order]
    for offset, layers in grid.columns(cutoff):
        first = np.searchsorted(image_key, centre_key + (offset - layers))
        count = np.searchsorted(image_key, centre_key + (offset + layers), "right") - first
        for rows in _blocks(count):
            row, step = _expand(count[rows])
            centre = row + rows.start
            image = first[centre] + step
            difference = coord[centre] - position[image]
            near = np.einsum("ij,ij->i", difference, difference) <= cutoff * cutoff
            yield np.stack([centre_order[centre[near]], image_order[image[near]]])


@dataclass(frozen=True)
class _Grid:
    """Hold bins in columns along z. Only the numbers of occupied bins are ever stored."""

    origin: _Floats
    width: _Floats
    rows: int
    layers: int
    pad: _Indices

    def key(self, place: _Floats) -> _Indices:
        """Return the number (row,) of the bin of each position (row, 3), consecutive along z."""
        x, y, z = np.floor((place - self.origin) / self.width).astype(np.int64).T
        x, y, z = x + self.pad[0], y + self.pad[1], z + self.pad[2]
        return np.asarray((x * self.rows + y) * self.layers + z, dtype=np.int64)

    def columns(self, cutoff: float) -> Iterator[tuple[int, int]]:
        """Give, for each column near a bin, the distance in numbers and the reach in layers."""
        for a in range(-self.pad[0], self.pad[0] + 1):
            for b in range(-self.pad[1], self.pad[1] + 1):
                gap = np.maximum(np.abs([a, b]) - 1, 0) * self.width[:2]
                chord = np.sqrt(max(cutoff * cutoff - float(gap @ gap), 0.0))
                yield int((a * self.rows + b) * self.layers), int(np.ceil(chord / self.width[2]))


def _grid(position: _Floats, cutoff: float) -> _Grid:
    """Choose bins for images."""
    extent = np.ptp(position, axis=0)
    width = np.maximum(cutoff / _PER_CUTOFF, extent / _MOST_BINS)
    # Empty bins around the occupied ones keep a reach over the edge out of the next column.
    pad = np.ceil(cutoff / width).astype(np.int64)
    _, rows, layers = np.floor(extent / width).astype(np.int64) + 1 + 2 * pad
    return _Grid(position.min(axis=0), width, int(rows), int(layers), pad)


def _blocks(count: _Indices) -> Iterator[slice]:
    """Cut rows into runs of about as many candidates as may be held at once."""
    total = np.cumsum(count)
    cuts = np.searchsorted(total, np.arange(_ROWS, total[-1], _ROWS), "right")
    yield from itertools.starmap(slice, itertools.pairwise(np.unique([0, *cuts, len(count)])))


_SEARCHES = {"numpy": _numpy, "vesin": _vesin}
