"""How far a batch is padded: not at all, to sizes that recur, or to sizes that an export can vary."""

from typing import Protocol

# An axis of length 0 or 1 is a constant to tracers, so exported programs are given at least this.
_VARIABLE = 2


class Sizes(Protocol):
    """The lengths that the axes of a batch are padded to."""

    def axis(self, name: tuple[str | int, ...], needed: int, limit: int | None = None) -> int:
        """Return the length of a named axis that must hold ``needed`` rows and never more than ``limit``."""
        ...


class ExactSizes:
    """No padding, for backends that run operation by operation."""

    def axis(self, name: tuple[str | int, ...], needed: int, limit: int | None = None) -> int:  # noqa: ARG002
        """Return ``needed``."""
        return needed


class RecurringSizes:
    """Sizes that stay the same along a trajectory, so that compiled functions are used again.

    A length is kept while it suffices and is not several times too long; a new one has some room to grow.

    Args:
        exported: pad for an exported program too, in which every type has its group.
    """

    def __init__(self, *, exported: bool = False) -> None:
        self._shortest = _VARIABLE if exported else 0
        self._kept: dict[tuple[str | int, ...], int] = {}

    def axis(self, name: tuple[str | int, ...], needed: int, limit: int | None = None) -> int:
        """Return a length from few, at least ``needed``."""
        needed = max(needed, self._shortest)
        kept = self._kept.get(name, 0)
        if not needed <= kept <= 3 * needed:
            # Neighbour counts fluctuate by a few even where they are small.
            room = needed // 8 + 2 if name[0] == "neighbour" and needed else 0
            kept = _rounded(needed + room)
        self._kept[name] = kept
        return kept if limit is None else min(kept, limit)


class ExportSizes:
    """Sizes that an exported program accepts: every group present, no axis shorter than two."""

    def axis(self, name: tuple[str | int, ...], needed: int, limit: int | None = None) -> int:  # noqa: ARG002
        """Return ``needed``, or two if that is less and the limit allows it."""
        length = max(needed, _VARIABLE)
        return length if limit is None else min(length, limit)


def _rounded(n: int) -> int:
    """Round up, in steps of at most an eighth of ``n``."""
    step = max(4, 1 << max(n.bit_length() - 4, 0)) if n else 1
    return -(-n // step) * step
