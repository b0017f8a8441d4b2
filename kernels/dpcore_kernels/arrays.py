"""NumPy arrays as the C interface takes them."""

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

SUFFIXES = {np.dtype(np.float64): "f64", np.dtype(np.float32): "f32"}

# Of src/kernels.h.
_NO_MEMORY = 1


def address(array: Array, dtype: Any) -> int:
    """Return the address of an array.

    Raises:
        ValueError: it is not laid out as the kernels expect it.
    """
    if array.dtype != dtype or not array.flags.c_contiguous:
        raise ValueError(f"a contiguous array of {np.dtype(dtype)} is needed, not {array.dtype}")
    return array.ctypes.data


def addresses(arrays: Sequence[Array]) -> Any:
    """Return the addresses of int64 arrays as a C array, which must live as long as it is used."""
    return (ctypes.c_void_p * len(arrays))(*(address(array, np.int64) for array in arrays))


def check_status(status: int) -> None:
    """Raise what the status of a kernel stands for.

    Raises:
        MemoryError: there was not enough memory.
        ValueError: the input is none that the kernel takes.
    """
    if status == _NO_MEMORY:
        raise MemoryError("not enough memory for the kernels")
    if status:
        raise ValueError("the kernels refuse their input")
