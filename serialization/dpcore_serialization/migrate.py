"""Older versions of the file format, brought up to date."""

from collections.abc import Callable, Mapping
from typing import Any

FORMAT = 1

Arrays = Mapping[str, Any]

# From each older format to the next one.
STEPS: dict[int, Callable[[Any, Arrays], tuple[Any, Arrays]]] = {}


def migrate(version: int, spec: Any, arrays: Arrays) -> tuple[Any, Arrays]:
    """Return a model description and its arrays in the current format."""
    for step in range(version, FORMAT):
        spec, arrays = STEPS[step](spec, arrays)
    return spec, arrays
