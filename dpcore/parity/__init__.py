"""Proof that a model gives the same numbers on every backend.

Example:
    In a test suite, with systems of DeePMD-kit's layout or without any::

        from dpcore.parity import assert_parity

        def test_model():
            assert_parity("model.dp")
"""

from dpcore.parity.check import assert_parity, compare_file, samples_for
from dpcore.parity.compare import compare
from dpcore.parity.generate import generated_samples
from dpcore.parity.quantities import Quantity, Values
from dpcore.parity.result import (
    BackendResult,
    Difference,
    ModelFile,
    ParityResult,
    Seconds,
    Status,
    Tolerance,
)
from dpcore.parity.samples import Sample, system_samples
from dpcore.parity.table import table

__all__ = [
    "BackendResult",
    "Difference",
    "ModelFile",
    "ParityResult",
    "Quantity",
    "Sample",
    "Seconds",
    "Status",
    "Tolerance",
    "Values",
    "assert_parity",
    "compare",
    "compare_file",
    "generated_samples",
    "samples_for",
    "system_samples",
    "table",
]
