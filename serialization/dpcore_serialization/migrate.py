"""Older versions of the file format, brought up to date."""

from collections.abc import Callable, Mapping
from typing import Any

FORMAT = 2

Arrays = Mapping[str, Any]


def _to_2(spec: Any, arrays: Arrays) -> tuple[Any, Arrays]:
    """Energy models have become standard models with a fitting of the energy."""
    return {**spec, "@type": "standard"}, arrays


# From each older format to the next one.
STEPS: dict[int, Callable[[Any, Arrays], tuple[Any, Arrays]]] = {1: _to_2}


def migrate(version: int, spec: Any, arrays: Arrays) -> tuple[Any, Arrays]:
    """Return a model description and its arrays in the current format."""
    for step in range(version, FORMAT):
        spec, arrays = STEPS[step](spec, arrays)
    return spec, arrays
