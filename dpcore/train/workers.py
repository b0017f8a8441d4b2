"""Several processes that train one model together."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self

from dpcore.backend.adapter import Adapter
from dpcore.errors import DPError


@dataclass(frozen=True)
class Place:
    """Which of the processes this one is, as ``torchrun`` tells each.

    Attributes:
        rank: its number.
        size: how many there are.
        local_rank: its number on its machine.
        address: where process 0 listens.
        port: on which port.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    address: str = "127.0.0.1"
    port: int = 29500

    @classmethod
    def from_environment(cls, told: Mapping[str, str] | None = None) -> Self:
        """Return the place that the environment variables of ``torchrun`` describe; alone without them.

        Raises:
            DPError: a variable is no number, or does not fit the others.
        """
        told = os.environ if told is None else told
        rank, size = _number(told, "RANK", 0), _number(told, "WORLD_SIZE", 1)
        if not 0 <= rank < size:
            raise DPError(f"RANK={rank}, WORLD_SIZE={size}: ranks go from 0 to WORLD_SIZE - 1")
        return cls(
            rank,
            size,
            _number(told, "LOCAL_RANK", rank),
            told.get("MASTER_ADDR", cls.address),
            _number(told, "MASTER_PORT", cls.port),
        )


def _number(told: Mapping[str, str], name: str, default: int) -> int:
    text = told.get(name, str(default))
    if not text.isdecimal():
        raise DPError(f"{name}={text!r}: the environment variable must be a whole number")
    return int(text)


class Workers(Protocol):
    """The processes, and what they tell each other.

    Attributes:
        place: which of them this is.
    """

    place: Place

    def mean(self, x: Any) -> Any:
        """Return the mean over all processes of an array of the framework."""
        ...

    def close(self) -> None:
        """Take leave of the others."""
        ...


class Alone:
    """One process."""

    place = Place()

    def mean(self, x: Any) -> Any:
        """Return the array itself."""
        return x

    def close(self) -> None:
        """Do nothing."""


def meet(adapter: Adapter, place: Place, device: str | None) -> Workers:
    """Return the processes that train together, all of whom have come.

    Raises:
        DPError: the backend trains in one process alone.
    """
    if place.size == 1:
        return Alone()
    start = getattr(adapter, "workers", None)
    if start is None:
        raise DPError(
            f"WORLD_SIZE={place.size}: the {adapter.name} backend trains in one process; choose another backend"
        )
    workers: Workers = start(place, device)
    return workers
