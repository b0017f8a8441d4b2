"""Floating precisions by DeePMD-kit's names."""

from typing import Any

import numpy as np

from dpcore.errors import DPError, suggest

PRECISIONS = ("default", "float16", "bfloat16", "float32", "float64")
ALIASES = {"default": "float64", "half": "float16", "single": "float32", "double": "float64"}


def precision_name(precision: str) -> str:
    """Return the dtype name that a ``precision`` setting means; ``default`` is float64."""
    name = ALIASES.get(precision.lower(), precision.lower())
    if name not in PRECISIONS:
        raise DPError(f"unknown precision {precision!r}{suggest(precision, PRECISIONS)}")
    return name


def numpy_dtype(precision: str) -> np.dtype[Any]:
    """Return the NumPy dtype of a ``precision`` setting."""
    name = precision_name(precision)
    if name == "bfloat16":
        import ml_dtypes

        bfloat16: np.dtype[Any] = np.dtype(ml_dtypes.bfloat16)
        return bfloat16
    return np.dtype(name)
