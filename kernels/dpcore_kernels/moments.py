"""The fused descriptor kernels on NumPy arrays."""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dpcore_kernels.arrays import SUFFIXES, Array, address, addresses, check_status

_PAIR_COLUMNS = 24
EMBEDDINGS = {"table": 0, "net": 1, "series": 2}


@dataclass(frozen=True)
class MomentProblem:
    """What all orders of the kernels take; ``src/kernels.h`` explains it.

    Attributes:
        embedding: ``table``, ``net`` or ``series``.
        width: number of features.
        widest: width of the widest layer of a net.
        rcut_smth, rcut, protection: of the environment matrix, Å.
        layout: sizes of the blocks, ``(block, 4)`` int64.
        count: neighbours of the centres of each block, ``(centre,)`` int64 each.
        pairs: settings of each pair of types, ``(pair, 24)`` float64.
        data: tables, nets or series, ``(n,)``.
        empty: what empty places add, ``(row, 4, width)``; nothing where there are no rows.
        displacement: ``(edge, 3)``, Å; it and the two before have one dtype.
    """

    embedding: str
    width: int
    widest: int
    rcut_smth: float
    rcut: float
    protection: float
    layout: Array
    count: Sequence[Array]
    pairs: Array
    data: Array
    empty: Array
    displacement: Array

    @property
    def rows(self) -> int:
        """Number of centres."""
        return int(self.layout[-1, 0] + self.layout[-1, 3]) if len(self.layout) else 0

    def check(self) -> None:
        """Raise a ValueError for sizes that do not fit each other."""
        centres, widths = self.layout[:, 0], self.layout[:, 1]
        fits = (
            self.layout.shape[1:] == (4,)
            and [len(count) for count in self.count] == centres.tolist()
            and self.displacement.shape == (int(centres @ widths), 3)
            and self.pairs.shape[1:] == (_PAIR_COLUMNS,)
            and self.empty.shape[1:] == (4, self.width)
        )
        if not fits:
            raise ValueError("the sizes of the kernels' arrays do not fit each other")


class _Input(ctypes.Structure):
    _fields_ = (
        ("blocks", ctypes.c_int64),
        ("width", ctypes.c_int64),
        ("embedding", ctypes.c_int64),
        ("widest", ctypes.c_int64),
        ("rcut_smth", ctypes.c_double),
        ("rcut", ctypes.c_double),
        ("protection", ctypes.c_double),
        ("layout", ctypes.c_void_p),
        ("count", ctypes.c_void_p),
        ("pairs", ctypes.c_void_p),
        ("pair_rows", ctypes.c_int64),
        ("empty_rows", ctypes.c_int64),
        ("data", ctypes.c_void_p),
        ("data_length", ctypes.c_int64),
        ("empty", ctypes.c_void_p),
        ("displacement", ctypes.c_void_p),
    )


class MomentKernels:
    """Sums over neighbours of environment row times embedding, with two derivatives."""

    def __init__(self, cdll: ctypes.CDLL) -> None:
        self._cdll = cdll

    def problem(self, **fields: Any) -> MomentProblem:
        """Return what the kernels take."""
        return MomentProblem(**fields)

    def moments(self, problem: MomentProblem) -> Array:
        """Return the moments, ``(centre, 4, width)``."""
        out = np.empty((problem.rows, 4, problem.width), problem.displacement.dtype)
        self._call("moments", problem, out)
        return out

    def first(self, problem: MomentProblem, weight: Array) -> Array:
        """Return the derivative of ``sum(moments * weight)`` by the displacements, ``(edge, 3)``."""
        self._check_shapes(problem, weight, problem.displacement)
        out = np.empty_like(problem.displacement)
        self._call("moments_first", problem, weight, out)
        return out

    def second(
        self, problem: MomentProblem, weight: Array, direction: Array
    ) -> tuple[Array, Array]:
        """Return the derivatives of ``sum(first * direction)`` by displacements and weight."""
        self._check_shapes(problem, weight, direction)
        by_displacement = np.empty_like(problem.displacement)
        by_weight = np.empty_like(weight)
        self._call("moments_second", problem, weight, direction, by_displacement, by_weight)
        return by_displacement, by_weight

    def learn(self, problem: MomentProblem, weight: Array) -> Array:
        """Return the derivative by the data, of series, of ``sum(moments * weight)``, ``(n,)``."""
        self._check_shapes(problem, weight, problem.displacement)
        out = np.empty_like(problem.data)
        self._call("moments_learn", problem, weight, out)
        return out

    def learn_first(
        self, problem: MomentProblem, weight: Array, direction: Array
    ) -> tuple[Array, Array]:
        """Return the derivatives by weight and data, of series, of ``sum(first * direction)``."""
        self._check_shapes(problem, weight, direction)
        by_weight, by_data = np.empty_like(weight), np.empty_like(problem.data)
        self._call("moments_learn_first", problem, weight, direction, by_weight, by_data)
        return by_weight, by_data

    def _check_shapes(self, problem: MomentProblem, weight: Array, direction: Array) -> None:
        edges = problem.displacement.shape
        if weight.shape != (problem.rows, 4, problem.width) or direction.shape != edges:
            raise ValueError("the sizes of the kernels' arrays do not fit each other")

    def _call(self, name: str, problem: MomentProblem, *arrays: Array) -> None:
        dtype = problem.displacement.dtype
        problem.check()
        count = addresses(problem.count)
        given = _Input(
            len(problem.layout),
            problem.width,
            EMBEDDINGS[problem.embedding],
            problem.widest,
            problem.rcut_smth,
            problem.rcut,
            problem.protection,
            address(problem.layout, np.int64),
            ctypes.addressof(count),
            address(problem.pairs, np.float64),
            len(problem.pairs),
            len(problem.empty),
            address(problem.data, dtype),
            problem.data.size,
            address(problem.empty, dtype),
            address(problem.displacement, dtype),
        )
        function = getattr(self._cdll, f"dpk_{name}_{SUFFIXES[dtype]}")
        pointers = (ctypes.c_void_p(address(array, dtype)) for array in arrays)
        check_status(function(ctypes.byref(given), *pointers))
