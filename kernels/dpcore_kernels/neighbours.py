"""The neighbour search on NumPy arrays."""

import ctypes
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_NO_MEMORY, _BAD_INPUT = 1, 2
_FILL = {
    np.dtype(np.float64): "dpk_block_fill_f64",
    np.dtype(np.float32): "dpk_block_fill_f32",
}


@dataclass(frozen=True)
class FoundNeighbours:
    """The neighbours of all atoms, by centre and type, nearest first.

    Attributes:
        start: the neighbours of type t around atom c are the rows from ``start[c * types + t]`` to
            the next, ``(atom * types + 1,)`` int64.
        neighbour: ``(row,)`` int32.
        displacement: from the centre, ``(row, 3)`` float64, Å.
        overfull: the largest number of neighbours beyond ``sel``.
        coincident: the first two atoms at the same place, if there are some, be they neighbours or not.
    """

    start: Array
    neighbour: Array
    displacement: Array
    overfull: int
    coincident: tuple[int, int] | None


class Edges(Protocol):
    """The neighbours of ``types`` types, laid out as in `FoundNeighbours`."""

    @property
    def types(self) -> int: ...  # noqa: D102
    @property
    def start(self) -> Array: ...  # noqa: D102
    @property
    def neighbour(self) -> Array: ...  # noqa: D102
    @property
    def displacement(self) -> Array: ...  # noqa: D102


class _Frame(ctypes.Structure):
    _fields_ = (
        ("atoms", ctypes.c_int64),
        ("types", ctypes.c_int64),
        ("total", ctypes.c_int64),
        ("cutoff", ctypes.c_double),
        ("coord", ctypes.c_void_p),
        ("type", ctypes.c_void_p),
        ("cell", ctypes.c_void_p),
        ("periodic", ctypes.c_void_p),
        ("sel", ctypes.c_void_p),
        ("allowed", ctypes.c_void_p),
    )


class _Finding(ctypes.Structure):
    _fields_ = (
        ("overfull", ctypes.c_int64),
        ("centre", ctypes.c_int64),
        ("neighbour", ctypes.c_int64),
    )


class _Block(ctypes.Structure):
    _fields_ = (
        ("members", ctypes.c_int64),
        ("rows", ctypes.c_int64),
        ("width", ctypes.c_int64),
        ("types", ctypes.c_int64),
        ("type", ctypes.c_int64),
        ("cutoff", ctypes.c_double),
        ("member", ctypes.c_void_p),
        ("start", ctypes.c_void_p),
        ("neighbour", ctypes.c_void_p),
        ("displacement", ctypes.c_void_p),
    )


class NeighbourKernels:
    """Neighbour lists and the blocks they are laid out in."""

    def __init__(self, cdll: ctypes.CDLL) -> None:
        self._cdll = cdll
        for name in ("dpk_search_open", "dpk_search_write", *_FILL.values()):
            getattr(cdll, name).argtypes = [ctypes.c_void_p] * 4
        cdll.dpk_search_close.argtypes = [ctypes.c_void_p]
        cdll.dpk_search_close.restype = None

    def search(
        self,
        *,
        coord: Array,
        types: Array,
        cell: Array,
        periodic: Array,
        cutoff: float,
        sel: Array,
        total: int,
        allowed: Array,
    ) -> FoundNeighbours | None:
        """Find the neighbours that a model asks for.

        Args:
            coord: ``(atom, 3)`` float64, finite, Å.
            types: ``(atom,)`` int64.
            cell: lattice vectors in rows, ``(3, 3)`` float64 with a volume, Å.
            periodic: which lattice vectors are periods, ``(3,)`` bool.
            cutoff: Å.
            sel: the most neighbours of each type, ``(type,)`` int64.
            total: the most neighbours of all types.
            allowed: whether the second type may be a neighbour of the first, ``(type, type)`` bool.

        Returns:
            The neighbours, or None where atoms are so far away that images cannot be counted exactly.

        Raises:
            MemoryError: there is not enough memory.
            ValueError: arrays of other types.
        """
        frame = _Frame(
            atoms=len(coord),
            types=len(sel),
            total=total,
            cutoff=cutoff,
            coord=_address(coord, np.float64),
            type=_address(types, np.int64),
            cell=_address(cell, np.float64),
            periodic=_address(periodic, np.bool_),
            sel=_address(sel, np.int64),
            allowed=_address(allowed, np.bool_),
        )
        count = np.zeros(len(coord) * len(sel), np.int64)
        finding, search = _Finding(), ctypes.c_void_p()
        status = self._cdll.dpk_search_open(
            ctypes.byref(frame),
            ctypes.byref(search),
            _address(count, np.int64),
            ctypes.byref(finding),
        )
        if status == _BAD_INPUT:
            return None
        if status == _NO_MEMORY:
            raise MemoryError("not enough memory for the neighbour search")
        try:
            return self._found(search, count, finding)
        finally:
            self._cdll.dpk_search_close(search)

    def fill(
        self,
        edges: Edges,
        kind: int,
        centres: Array,
        cutoff: float,
        *,
        displacement: Array,
        index: Array,
        count: Array,
    ) -> None:
        """Lay out the neighbours of one type around some centres in rows of one width.

        Args:
            edges: the neighbours.
            kind: their type.
            centres: ``(centre,)`` int64.
            cutoff: length of the displacements in padding, Å.
            displacement: where to write, ``(row, width, 3)`` float64 or float32, Å.
            index: where to write the neighbours, ``(row, width)`` int64; 0 in padding.
            count: where to write their numbers, ``(row,)`` int64; 0 in rows beyond the centres.

        Raises:
            ValueError: arrays of other types.
        """
        rows, width = index.shape
        block = _Block(
            members=len(centres),
            rows=rows,
            width=width,
            types=edges.types,
            type=kind,
            cutoff=cutoff,
            member=_address(centres, np.int64),
            start=_address(edges.start, np.int64),
            neighbour=_address(edges.neighbour, np.int32),
            displacement=_address(edges.displacement, np.float64),
        )
        getattr(self._cdll, _FILL[displacement.dtype])(
            ctypes.byref(block),
            _address(displacement, displacement.dtype),
            _address(index, np.int64),
            _address(count, np.int64),
        )

    def _found(self, search: ctypes.c_void_p, count: Array, finding: _Finding) -> FoundNeighbours:
        start = np.zeros(len(count) + 1, np.int64)
        np.cumsum(count, out=start[1:])
        neighbour, displacement = np.empty(start[-1], np.int32), np.empty((start[-1], 3))
        self._cdll.dpk_search_write(
            search,
            _address(start, np.int64),
            _address(neighbour, np.int32),
            _address(displacement, np.float64),
        )
        same = (finding.centre, finding.neighbour) if finding.centre >= 0 else None
        return FoundNeighbours(start, neighbour, displacement, finding.overfull, same)


def _address(array: Array, dtype: Any) -> int:
    """Return the address of an array that is laid out as the kernels expect it."""
    if array.dtype != dtype or not array.flags.c_contiguous:
        raise ValueError(f"a contiguous array of {np.dtype(dtype)} is needed, not {array.dtype}")
    return array.ctypes.data
