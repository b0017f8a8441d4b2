"""Steps of Adam on NumPy arrays."""

import ctypes
from collections.abc import Sequence

import numpy as np

from dpcore_kernels.arrays import SUFFIXES, Array, address, check_status


class _Input(ctypes.Structure):
    _fields_ = (
        ("length", ctypes.c_int64),
        ("beta1", ctypes.c_double),
        ("beta2", ctypes.c_double),
        ("kept_mean", ctypes.c_double),
        ("kept_square", ctypes.c_double),
        ("rate", ctypes.c_double),
        ("eps", ctypes.c_double),
        ("vector", ctypes.c_void_p),
        ("gradient", ctypes.c_void_p),
        ("mean", ctypes.c_void_p),
        ("square", ctypes.c_void_p),
    )


class AdamKernels:
    """Steps of the optimizer in one pass over the memory."""

    def __init__(self, cdll: ctypes.CDLL) -> None:
        self._cdll = cdll

    def step(
        self,
        arrays: Sequence[Array],
        betas: tuple[float, float],
        kept: tuple[float, float],
        rate: float,
        eps: float,
    ) -> list[Array]:
        """Return parameters, mean of the gradient and mean of its square after a step.

        Args:
            arrays: parameters, gradient, mean and mean square before it, ``(parameter,)`` of one dtype.
            betas: shares of the means that are kept in a step.
            kept: these to the power of the number of steps, this one among them.
            rate: the learning rate.
            eps: what is added to the root of the mean square.

        Raises:
            ValueError: the arrays do not have one length.
        """
        first, dtype = arrays[0], arrays[0].dtype
        if any(x.shape != first.shape or x.ndim != 1 for x in arrays):
            raise ValueError("the sizes of the kernels' arrays do not fit each other")
        given = _Input(len(first), *betas, *kept, rate, eps, *(address(x, dtype) for x in arrays))
        found = [np.empty_like(first) for _ in range(3)]
        function = getattr(self._cdll, f"dpk_adam_{SUFFIXES[dtype]}")
        pointers = (ctypes.c_void_p(address(x, dtype)) for x in found)
        check_status(function(ctypes.byref(given), *pointers))
        return found
