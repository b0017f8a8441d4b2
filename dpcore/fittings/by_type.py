"""Values of the centres, by their type."""

from collections.abc import Iterable
from typing import Any

from dpcore.batch import Batch, centre_types
from dpcore.xp import namespace, shape


def zeroed(values: Any, batch: Batch, types: Iterable[int]) -> Any:
    """Return values of the centres, ``(centre, …)``, with those of some types set to zero."""
    xp, chosen = namespace(values), centre_types(batch)
    for t in types:
        here = xp.reshape(chosen == t, (-1, *[1] * (len(shape(values)) - 1)))
        values = xp.where(here, xp.zeros_like(values), values)
    return values


def of_types(values: Any, batch: Batch) -> Any:
    """Return the row of ``values (type, …)`` that belongs to each centre, ``(centre, …)``."""
    return namespace(values).take(values, centre_types(batch), axis=0)


def as_row(numbers: Iterable[float], like: Any) -> Any:
    """Return plain numbers as an array of the kind and dtype of ``like``, ``(number,)``."""
    zero = namespace(like).zeros((1,), like=like)
    return namespace(like).concat([zero + float(x) for x in numbers], axis=0)
