"""How far second derivatives of the energy are from their labels."""

from dataclasses import replace
from typing import Any

from dpcore.train.losses.frames import Deviation, Frames, Measure
from dpcore.train.targets import Target
from dpcore.xp import namespace, shape


def curvature(frames: Frames, predicted: Any, target: Target) -> Deviation:
    """Return the differences of the second derivatives by the coordinates of the atoms of a frame.

    Args:
        frames: the frames.
        predicted: the row of an atom has those by each of its coordinates and by those of each atom of
            its frame, ``(atom, 9 n)`` in the order (own coordinate, other atom, its coordinate), where n
            is the number of atoms of the largest frame.
        target: the labels, likewise.

    Returns:
        the differences by pairs of atoms, 0 beyond the last of a frame, ``(atom, n, 9)``.
    """
    deviation = Deviation.of_each_atom(frames, predicted, target)
    xp, n = namespace(deviation.value), shape(target.value)[1] // 9
    each = xp.reshape(deviation.value, (-1, 3, n, 3))
    others = _others(frames, n)[:, None, :, None]
    each = xp.where(others > 0, each, xp.zeros_like(each))
    return replace(deviation, value=xp.reshape(xp.permute_dims(each, (0, 2, 1, 3)), (-1, n, 9)))


def _others(frames: Frames, n: Any) -> Any:
    """Return 1 for atoms of the frame of an atom that count, 0 beyond its last, ``(atom, n)``."""
    one = namespace(frames.counted).ones_like(frames.counted)
    xp, sizes = namespace(one), frames.sums(one)
    first = xp.cumulative_sum(sizes, axis=0) - sizes
    column = xp.arange(n, like=one)[None, :]
    inside = column < xp.take(sizes, frames.frame, axis=0)[:, None]
    place = xp.take(first, frames.frame, axis=0)[:, None] + column
    place = xp.reshape(xp.astype(xp.where(inside, place, xp.zeros_like(place)), "int64"), (-1,))
    counted = xp.reshape(xp.take(frames.counted, place, axis=0), shape(column + one[:, None]))
    return xp.where(inside, counted, xp.zeros_like(counted))


def pair_cost(deviation: Deviation, measure: Measure) -> Any:
    """Return what each frame costs: the mean over the pairs of its coordinates, ``(frame,)``."""
    return _sums(deviation, measure) / deviation.frames.natoms**2


def pair_error(deviation: Deviation, measure: Measure) -> Any:
    """Return the sum over all pairs that count, and how many these are, ``(2,)``."""
    xp, summed = namespace(deviation.value), _sums(deviation, measure)
    return xp.stack([xp.sum(summed), xp.sum(deviation.frames.sums(deviation.count) ** 2)])


def _sums(deviation: Deviation, measure: Measure) -> Any:
    """Return the sum over the pairs of atoms of each frame, of the means over coordinates."""
    xp = namespace(deviation.value)
    each = xp.sum(xp.mean(measure(deviation.value), axis=2), axis=1)
    return deviation.frames.sums(each)
