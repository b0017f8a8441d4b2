"""Sums of what several kinds of label cost."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dpcore.errors import DPError
from dpcore.train.losses.frames import Frames
from dpcore.train.losses.loss import LossValue
from dpcore.xp import as_type_of

if TYPE_CHECKING:
    from dpcore.train.losses.loss import Loss


@dataclass(frozen=True)
class Prefactor:
    """How much a kind of label counts.

    Attributes:
        start: factor at the start.
        limit: factor that it goes to.
    """

    start: float
    limit: float

    @classmethod
    def of(cls, loss: "Loss", key: str) -> "Prefactor":
        """Return a prefactor of a loss."""
        return cls(getattr(loss, f"start_pref_{key}"), getattr(loss, f"limit_pref_{key}"))

    def __bool__(self) -> bool:
        return self.start != 0.0 or self.limit != 0.0

    def at(self, pace: Any) -> Any:
        """Return the factor at some pace."""
        return self.limit + (self.start - self.limit) * pace


@dataclass(frozen=True)
class Term:
    """What one kind of label costs.

    Attributes:
        prefactor: factor on the cost.
        cost: what each frame costs, ``(frame,)``.
        errors: the errors that are shown.
    """

    prefactor: Prefactor
    cost: Any
    errors: Mapping[str, Any] = field(default_factory=dict)


def total(terms: Iterable[Term], frames: Frames, pace: Any) -> LossValue:
    """Return the sum of what all kinds of label cost."""
    pace = as_type_of(pace, frames.there)
    value, errors = 0.0 * pace, dict[str, Any]()
    for term in terms:
        value = value + term.prefactor.at(pace) * frames.mean(term.cost)
        errors |= term.errors
    return LossValue(value, errors)


def check_prefactors(loss: "Loss", keys: Iterable[str]) -> None:
    """Refuse prefactors below zero, and a loss with none above.

    Args:
        loss: the loss.
        keys: names of its prefactors.
    """
    keys = list(keys)
    for key in keys:
        value = getattr(loss, key)
        if not (math.isfinite(value) and value >= 0.0):
            raise DPError(f"loss.{key}: {value}; a prefactor is 0 or above")
    if not any(getattr(loss, key) for key in keys):
        first, *others = keys
        raise DPError(
            f"loss.{first}: 0, as are {', '.join(others)}, so that nothing costs; set one above 0"
        )


def both_ends(kinds: Iterable[str]) -> list[str]:
    """Return the names of the settings that are prefactors of some kinds of label."""
    return [f"{end}_pref_{kind}" for kind in kinds for end in ("start", "limit")]
