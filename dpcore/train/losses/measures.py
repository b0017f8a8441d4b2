"""What a difference costs."""

from typing import Any

from dpcore.train.losses.frames import Measure
from dpcore.xp import as_type_of, namespace


def squared(x: Any) -> Any:
    """Return the squares."""
    return x * x


def absolute(x: Any) -> Any:
    """Return the absolute values; frameworks disagree on the slope at zero, here it is zero."""
    return x * (as_type_of(x > 0.0, x) - as_type_of(x < 0.0, x))


def huber(delta: float) -> Measure:
    """Return what is half the square up to ``delta``, and a straight line beyond."""

    def measure(x: Any) -> Any:
        xp = namespace(x)
        size = xp.abs(x)
        return xp.where(size <= delta, 0.5 * x * x, delta * (size - 0.5 * delta))

    return measure


def smooth(beta: float) -> Measure:
    """Return the absolute value, rounded off below ``beta``: half the square over ``beta``, plus half."""
    if beta == 0.0:
        return absolute
    return lambda x: huber(beta)(x) / beta


MEASURES = {"mse": squared, "mae": absolute}
