"""Finding and loading the shared library."""

import ctypes
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dpcore_kernels.adam import AdamKernels
from dpcore_kernels.forces import ForceKernels
from dpcore_kernels.moments import MomentKernels
from dpcore_kernels.neighbours import NeighbourKernels

log = logging.getLogger(__name__)

# Of src/kernels.h.
INTERFACE = 4
SUFFIX = {"win32": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so")


class Library:
    """The loaded kernels.

    Attributes:
        cdll: the shared library.
        interface: version of the functions.
        isa: the instruction set in use.
        moments: the fused descriptor kernels.
        forces: forces and virials.
        adam: steps of the optimizer.
        neighbours: neighbour search and layout.

    Raises:
        OSError: the library is not there, or is of another version than this package.
    """

    def __init__(self, path: Path) -> None:
        with _short_spins():
            self.cdll = ctypes.CDLL(str(path))
        self.cdll.dpk_isa.restype = ctypes.c_char_p
        found = self.cdll.dpk_interface()
        if found != INTERFACE:
            raise OSError(
                f"{path} has interface {found}, not {INTERFACE}: reinstall dpcore-kernels"
            )
        self.interface: int = found
        self.isa: str = self.cdll.dpk_isa().decode()
        wanted = os.environ.get("DPCORE_KERNELS_ISA") or self.isa
        if wanted != self.isa:
            log.warning("DPCORE_KERNELS_ISA=%s is not to be had here: %s is used", wanted, self.isa)
        self.moments = MomentKernels(self.cdll)
        self.forces = ForceKernels(self.cdll)
        self.adam = AdamKernels(self.cdll)
        self.neighbours = NeighbourKernels(self.cdll)


@contextmanager
def _short_spins() -> Iterator[None]:
    """Let idle threads of an OpenMP runtime that is loaded now sleep soon.

    Others need the cores between two calls: the threads of BLAS or of XLA. A runtime that is loaded
    already, or that the user has set up, stays as it is.
    """
    if {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & os.environ.keys():
        yield
        return
    os.environ["GOMP_SPINCOUNT"] = "2000"
    try:
        yield
    finally:
        del os.environ["GOMP_SPINCOUNT"]


library = Library(Path(__file__).parent / f"libdpcore_kernels{SUFFIX}")
