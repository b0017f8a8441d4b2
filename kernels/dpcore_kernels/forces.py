"""Forces and virials from the derivatives by the displacements, on NumPy arrays."""

import ctypes
from collections.abc import Sequence

import numpy as np

from dpcore_kernels.arrays import SUFFIXES, Array, address, addresses, check_status


class _Input(ctypes.Structure):
    _fields_ = (
        ("blocks", ctypes.c_int64),
        ("atoms", ctypes.c_int64),
        ("layout", ctypes.c_void_p),
        ("count", ctypes.c_void_p),
        ("index", ctypes.c_void_p),
        ("place", ctypes.c_void_p),
        ("displacement", ctypes.c_void_p),
        ("slope", ctypes.c_void_p),
    )


class ForceKernels:
    """Sums of pulls over the edges of each atom."""

    def __init__(self, cdll: ctypes.CDLL) -> None:
        self._cdll = cdll

    def forces(
        self,
        layout: Array,
        count: Sequence[Array],
        index: Sequence[Array],
        place: Array,
        atoms: int,
        displacement: Array,
        slope: Array,
    ) -> tuple[Array, Array]:
        """Return forces, ``(atom, 3)``, and atomic virials, ``(atom, 9)``.

        Args:
            layout: sizes of the blocks, ``(block, 4)`` int64.
            count: neighbours of the centres of each block, ``(centre,)`` int64 each.
            index: the atom of each neighbour of each block, ``(centre, width)`` int64 each.
            place: the atom of each centre, ``(centre,)`` int64.
            atoms: number of atoms.
            displacement: ``(edge, 3)``, Å.
            slope: the energy's derivative by it, eV/Å, of the same dtype.
        """
        dtype = displacement.dtype
        force, virial = np.empty((atoms, 3), dtype), np.empty((atoms, 9), dtype)
        counts, indices = addresses(count), addresses(index)
        given = _Input(
            len(layout),
            atoms,
            address(layout, np.int64),
            ctypes.addressof(counts),
            ctypes.addressof(indices),
            address(place, np.int64),
            address(displacement, dtype),
            address(slope, dtype),
        )
        function = getattr(self._cdll, f"dpk_forces_{SUFFIXES[dtype]}")
        outputs = (ctypes.c_void_p(address(x, dtype)) for x in (force, virial))
        check_status(function(ctypes.byref(given), *outputs))
        return force, virial
