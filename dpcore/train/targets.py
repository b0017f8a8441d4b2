"""Labels beside the batch that they belong to."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from dpcore.tree import Tree, buffer


@dataclass(frozen=True)
class Wanted:
    """A label that a loss compares predictions with.

    Attributes:
        name: what its file is called, ``force`` for ``force.npy``.
        per: what it belongs to.
        width: numbers of each atom, or frame, or of each pair of coordinates; 0 for as many as there are.
        needed: refuse systems without it; otherwise their frames do not count.
        default: value where a system has none, which then counts; None for no value.
    """

    name: str
    per: Literal["frame", "atom", "pair"]
    width: int = 1
    needed: bool = False
    default: float | None = None


class Target(Tree):
    """A label of all frames of a batch.

    Attributes:
        name: what its file is called.
        value: ``(frame, n)`` or ``(atom, n)`` on the batch's flat axes, 0 where there is none and in padding.
        there: 1 for frames that have it, 0 for others and padding, ``(frame,)``.
    """

    name: str
    value: Any = buffer()
    there: Any = buffer()


Targets = Mapping[str, Target]
"""The labels of a batch by name; those that no frame has are missing."""
