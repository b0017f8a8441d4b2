"""Axes of a frame that turns with the neighbours of an atom."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any

from dpcore.errors import DPError
from dpcore.xp import as_type_of, namespace

# A second axis whose cosine with the first is within this of -1 gives way to the next neighbour.
_STRAIGHT = 1e-4
# Squared cosines this close to 1 leave no direction for the second axis.
_PARALLEL = 1e-14
# Neighbours of one type that may be an axis chosen among several types.
_NEAREST = 3
_FAR = 1e30


@dataclass(frozen=True)
class Axis:
    """Which neighbour an axis points to.

    Attributes:
        radial: whether it is one of those that are described by their distance alone.
        place: its place among them; with ``other_than``, its order by distance.
        other_than: the type that the nearest of all other types are sorted without, or None where the
            place itself is given.
    """

    radial: bool
    place: int
    other_than: int | None = None


@dataclass(frozen=True)
class Listed:
    """The neighbours of some centres in the places of a descriptor.

    Attributes:
        vectors: vectors to them, ``(centre, place, 3)``, Å.
        there: whether a place has a neighbour, ``(centre, place)``.
        sel: number of places of each type.
    """

    vectors: Any
    there: Any
    sel: tuple[int, ...]


def axes_of(rule: Sequence[int], sels: tuple[tuple[int, ...], tuple[int, ...]]) -> list[Axis]:
    """Return the two axes of a centre type.

    Args:
        rule: class, type and order of either axis' neighbour; empty for the two nearest of all.
        sels: number of places of each type for neighbours of class 0 and 1.

    Raises:
        DPError: there is no such class, type or place.
    """
    if not rule:
        radial = sum(sels[0]) < 2
        if sum(sels[radial]) < 2:
            raise DPError(
                "descriptor.axis_rule: there are no rules, and no two places in sel_a or in sel_r"
            )
        return [Axis(radial, 0), Axis(radial, 1)]
    return [_axis(rule[i : i + 3], sels) for i in (0, 3)]


def _axis(rule: Sequence[int], sels: tuple[tuple[int, ...], tuple[int, ...]]) -> Axis:
    kind, neighbour, order = rule
    if kind not in {0, 1}:
        raise DPError(f"descriptor.axis_rule: there is no class {kind}; allowed: 0 and 1")
    sel = sels[kind]
    if neighbour >= len(sel):
        raise DPError(
            f"descriptor.axis_rule: there is no type {neighbour}; allowed: up to {len(sel) - 1}"
        )
    # Classes count the types to leave out from different numbers on, as DeePMD-kit does.
    other_than = -neighbour - 1 + kind
    allowed = sel[neighbour] if neighbour >= 0 else len(_candidates(sel, other_than))
    if not 0 <= order < allowed:
        raise DPError(
            f"descriptor.axis_rule: order {order} in the rule {list(rule)}, but there are {allowed} places"
        )
    if neighbour < 0:
        return Axis(bool(kind), order, other_than)
    return Axis(bool(kind), sum(sel[:neighbour]) + order)


def frame(lists: tuple[Listed, Listed], axes: Sequence[Axis]) -> tuple[Any, Any]:
    """Return the axes of a frame at each centre.

    Args:
        lists: the neighbours of class 0 and 1.
        axes: where the first axis points, and where the second does less its part along the first.

    Returns:
        orthogonal unit vectors, ``(centre, 3, 3)``, and whether the centre has the neighbours that define
        them, ``(centre,)``; the vectors are some others where it has not.
    """
    first, second = axes
    d0, there0 = _pick(lists[first.radial], first)
    d1, there1 = _pick(lists[second.radial], second)
    spare = replace(second, place=second.place + 1)
    d2, there2 = _pick(lists[second.radial], spare)
    xp, there = namespace(d0), there0 & there1
    straight = there & there2 & (_cosine(d0, d1, there) < _STRAIGHT - 1.0)
    d1 = xp.where(straight[:, None], d2, d1)
    there = there & (_cosine(d0, d1, there) ** 2 < 1.0 - _PARALLEL)
    one, zero = xp.ones_like(d0[:, :1]), xp.zeros_like(d0[:, :1])
    d0 = xp.where(there[:, None], d0, xp.concat([one, zero, zero], axis=1))
    d1 = xp.where(there[:, None], d1, xp.concat([zero, one, zero], axis=1))
    x = _unit(d0)
    y = _unit(d1 - xp.sum(x * d1, axis=1, keepdims=True) * x)
    return xp.stack([x, y, _cross(x, y)], axis=1), there


def _pick(listed: Listed, axis: Axis) -> tuple[Any, Any]:
    """Return the vectors to the neighbours of an axis, ``(centre, 3)``, and whether they are there."""
    vectors, there = listed.vectors, listed.there
    if axis.other_than is None:
        place = min(axis.place, sum(listed.sel) - 1)
        found = there[:, place] if place == axis.place else there[:, place] & ~there[:, place]
        return vectors[:, place, :], found
    xp, places = namespace(vectors), _candidates(listed.sel, axis.other_than)
    vectors = xp.stack([vectors[:, p, :] for p in places], axis=1)
    there = xp.stack([there[:, p] for p in places], axis=1)
    square = xp.stop_gradient(xp.sum(vectors * vectors, axis=2))
    square = xp.where(there, square, _FAR * xp.ones_like(square))
    chosen = _before([square[:, i] for i in range(len(places))]) == axis.place
    picked = xp.sum(vectors * as_type_of(chosen, vectors)[:, :, None], axis=1)
    return picked, xp.any(chosen & there, axis=1)


def _candidates(sel: tuple[int, ...], other_than: int) -> list[int]:
    """Return the places of the nearest neighbours of each type but one."""
    starts = accumulate(sel, initial=0)
    return [
        first + k
        for t, (first, n) in enumerate(zip(starts, sel, strict=False))
        if t != other_than
        for k in range(min(n, _NEAREST))
    ]


def _before(columns: Sequence[Any]) -> Any:
    """Return how many of its row come before each number, ``(row, n)``; equal ones keep their order."""
    counts = []
    for i, mine in enumerate(columns):
        earlier = [as_type_of(other <= mine, mine) for other in columns[:i]]
        later = [as_type_of(other < mine, mine) for other in columns[i + 1 :]]
        counts.append(sum(earlier + later, start=namespace(mine).zeros_like(mine)))
    return namespace(columns[0]).stack(counts, axis=1)


def _cosine(a: Any, b: Any, there: Any) -> Any:
    """Return the cosines of the angles between vectors, ``(centre,)``; 0 where they are not there."""
    xp = namespace(a)
    a, b = xp.stop_gradient(a), xp.stop_gradient(b)
    product = xp.sum(a * b, axis=1)
    norm = xp.sum(a * a, axis=1) * xp.sum(b * b, axis=1)
    norm = xp.where(there, norm, xp.ones_like(norm))
    return xp.where(there, product / xp.sqrt(norm), xp.zeros_like(product))


def _unit(a: Any) -> Any:
    xp = namespace(a)
    return a / xp.sqrt(xp.sum(a * a, axis=1, keepdims=True))


def _cross(a: Any, b: Any) -> Any:
    xp = namespace(a)
    (a0, a1, a2), (b0, b1, b2) = ([v[:, i : i + 1] for i in range(3)] for v in (a, b))
    return xp.concat([a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, a0 * b1 - a1 * b0], axis=1)
