"""What a descriptor tells all of its parts."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self


@dataclass(frozen=True)
class Common:
    """Settings that all parts share.

    Attributes:
        precision: precision of the parameters.
        trainable: whether they are trained.
        smooth: whether everything is switched off towards the cutoffs.
        exclude_types: pairs of types that do not interact.
        env_protection: what is added to distances that are divided by, Å.
    """

    precision: str = "default"
    trainable: bool = True
    smooth: bool = True
    exclude_types: tuple[tuple[int, int], ...] = ()
    env_protection: float = 0.0

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Self:
        """Return these settings among others."""
        return cls(**{f.name: settings[f.name] for f in fields(cls) if f.name in settings})

    @property
    def excluded(self) -> frozenset[tuple[int, int]]:
        """Pairs of types that do not interact, in both orders."""
        return frozenset((a, b) for pair in self.exclude_types for a, b in (pair, pair[::-1]))

    @property
    def told(self) -> dict[str, Any]:
        """What networks are told."""
        return {"precision": self.precision, "trainable": self.trainable}

    @property
    def of_blocks(self) -> dict[str, Any]:
        """What descriptors of environment rows are told."""
        environment = {"exclude_types": self.exclude_types, "env_protection": self.env_protection}
        return self.told | environment | {"concat_output_tebd": False}
