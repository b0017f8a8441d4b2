"""Evaluation in fewer passes: tables in place of networks, and kernels in place of array code."""

from dpcore.fused.moments import FusedMoments, fused_moments
from dpcore.fused.table import Table, TabulatedNet

__all__ = ["FusedMoments", "Table", "TabulatedNet", "fused_moments"]
