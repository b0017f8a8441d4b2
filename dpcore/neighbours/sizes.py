"""How far a batch is padded: not at all, to sizes that recur, or to sizes that an export can vary."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

Name = tuple[str | int, ...]
"""What an axis is: ``atom``, ``frame``, ``centre`` by type, ``neighbour`` or ``edge`` by selection."""

# An axis of length 0 or 1 is a constant to tracers, so exported programs are given at least this.
_VARIABLE = 2
# Parts of the names of axes that belong to a group of centres: the third is its type.
_OF_GROUP = 4


@dataclass(frozen=True)
class Need:
    """How long an axis is to be.

    Attributes:
        least: rows that it must hold.
        most: rows that it may have; None for any number.
        fixed: whether it has as many as it may.
    """

    least: int
    most: int | None = None
    fixed: bool = False


class Sizes(Protocol):
    """The lengths that the axes of a batch are padded to."""

    def lengths(self, needs: Mapping[Name, Need]) -> dict[Name, int]:
        """Return the lengths of all axes of a batch; without those of groups of length 0."""
        ...


class SizesByAxis:
    """Base of sizes that are chosen for each axis alone."""

    def axis(self, name: Name, needed: int, limit: int | None = None) -> int:
        """Return the length of a named axis that must hold ``needed`` rows and never more than ``limit``."""
        raise NotImplementedError

    def lengths(self, needs: Mapping[Name, Need]) -> dict[Name, int]:
        """Return the lengths of all axes of a batch; without those of groups of length 0."""
        out: dict[Name, int] = {}
        for name, need in needs.items():
            if need.fixed:
                out[name] = need.least
            elif len(name) < _OF_GROUP or out["centre", name[2]]:
                out[name] = self.axis(name, need.least, need.most)
        return out


class ExactSizes(SizesByAxis):
    """No padding, for backends that run operation by operation."""

    def axis(self, name: Name, needed: int, limit: int | None = None) -> int:  # noqa: ARG002
        """Return ``needed``."""
        return needed


class RecurringSizes(SizesByAxis):
    """Sizes that stay the same along a trajectory, so that compiled functions are used again.

    A length is kept while it suffices and is not several times too long; a new one has some room to grow.

    Args:
        exported: pad for an exported program too, in which every type has its group.
    """

    def __init__(self, *, exported: bool = False) -> None:
        self._shortest = _VARIABLE if exported else 0
        self._kept: dict[Name, int] = {}

    def axis(self, name: Name, needed: int, limit: int | None = None) -> int:
        """Return a length from few, at least ``needed``."""
        needed = max(needed, self._shortest)
        kept = self._kept.get(name, 0)
        if not needed <= kept <= 3 * needed:
            kept = _padded(name, Need(needed))
        self._kept[name] = kept
        return kept if limit is None else min(kept, limit)


class ExportSizes(SizesByAxis):
    """Sizes that an exported program accepts: every group present, no axis shorter than two."""

    def axis(self, name: Name, needed: int, limit: int | None = None) -> int:  # noqa: ARG002
        """Return ``needed``, or two if that is less and the limit allows it."""
        length = max(needed, _VARIABLE)
        return length if limit is None else min(length, limit)


class FewSizes:
    """Sizes of batches that differ from one to the next, in as few shapes as can be.

    For backends that compile a program for each shape. A batch has the shape of an earlier one if it fits
    into it, and if the shape is not several times larger than it and than batches are in the mean. Otherwise
    the shape that it nearly fits is made large enough, or it has one of its own, with room for others.
    """

    def __init__(self) -> None:
        self._shapes: list[dict[Name, int]] = []
        self._batches, self._done = 0, 0

    def lengths(self, needs: Mapping[Name, Need]) -> dict[Name, int]:
        """Return the lengths of all axes of a batch."""
        own = _work({name: need.least for name, need in needs.items()})
        self._batches, self._done = self._batches + 1, self._done + own
        # What counts is the work of all batches: a few small ones may take as long as others.
        bound = _WASTE * max(_SMALL, own, self._done / self._batches)
        fitting = [shape for shape in self._shapes if _fits(needs, shape)]
        chosen = min(fitting, key=_work, default=None)
        if chosen is None or _work(chosen) > _KEPT * bound:
            chosen = self._enlarged(needs, bound)
        return chosen

    def _enlarged(self, needs: Mapping[Name, Need], bound: float) -> dict[Name, int]:
        """Return a new shape, in place of one that it holds if that does not make it too large."""
        larger = [
            (number, {name: _grown(length, needs[name]) for name, length in shape.items()})
            for number, shape in enumerate(self._shapes)
            if shape.keys() == needs.keys()
        ]
        number, best = min(larger, key=lambda each: _work(each[1]), default=(-1, {}))
        if number < 0 or _work(best) > bound:
            own = {name: _padded(name, need) for name, need in needs.items()}
            self._shapes.append(own)
            return own
        self._shapes[number] = best
        return best


# How many times more work a batch may be than it is without padding, how many times more a shape that there is
# already (or shapes would come and go with the mean), what a centre is in neighbours, and how much work is too
# little to count.
_WASTE, _KEPT, _CENTRE, _SMALL = 3.0, 1.5, 32, 1024


def _work(shape: Mapping[Name, int]) -> int:
    """Return how much work a batch is, in neighbours."""
    centres = {name[1:]: length for name, length in shape.items() if name[0] == "centre"}
    total = sum(centres.values())
    rows = sum(
        length * centres.get(name[2:3], total)
        for name, length in shape.items()
        if name[0] == "neighbour"
    )
    edges = sum(length for name, length in shape.items() if name[0] == "edge")
    return _CENTRE * total + rows + edges


def _fits(needs: Mapping[Name, Need], shape: Mapping[Name, int]) -> bool:
    return shape.keys() == needs.keys() and all(n.least <= shape[name] for name, n in needs.items())


def _padded(name: Name, need: Need) -> int:
    """Return the length of an axis with some room where the need fluctuates."""
    if need.fixed:
        return need.least
    # Neighbour counts fluctuate by a few even where they are small.
    room = need.least // 8 + 2 if name[0] == "neighbour" and need.least else 0
    return _limited(_rounded(need.least + room), need)


def _grown(length: int, need: Need) -> int:
    """Return a length that has to be larger: so much that this does not happen again and again."""
    if need.least <= length:
        return length
    return _limited(_rounded(need.least + need.least // 4), need)


def _limited(length: int, need: Need) -> int:
    return length if need.most is None else min(length, need.most)


def _rounded(n: int) -> int:
    """Round up, in steps of at most an eighth of ``n``."""
    step = max(4, 1 << max(n.bit_length() - 4, 0)) if n else 1
    return -(-n // step) * step
