"""The CPU kernels of dpcore: a shared library, loaded by ctypes, for NumPy arrays."""

from dpcore_kernels.library import Library, library
from dpcore_kernels.moments import MomentKernels, MomentProblem

__all__ = ["Library", "MomentKernels", "MomentProblem", "library"]
