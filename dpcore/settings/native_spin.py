"""Spins that a descriptor is told of, in place of virtual atoms."""

import dataclasses as dc
from typing import Any

from dpcore.descriptors import DESCRIPTORS
from dpcore.errors import DPError
from dpcore.settings.arguments import canonical

Settings = dict[str, Any]


def check_scheme(settings: Settings, scheme: str) -> None:
    """Raise a one-line error for a scheme that the descriptor has not.

    Args:
        settings: the complete section of a standard model.
        scheme: how spins enter.
    """
    kind = canonical(DESCRIPTORS, settings["descriptor"]["type"])
    if scheme == "native" and not takes_spins(kind):
        raise DPError(
            f"model.spin.scheme: 'native' is not possible with the descriptor {kind}; use 'deepspin'"
        )


def takes_spins(kind: str) -> bool:
    """Return whether a descriptor can be told of spins."""
    return any(field.name == "use_spin" for field in dc.fields(DESCRIPTORS[kind]))


def with_spins(settings: Settings, use_spin: tuple[bool, ...]) -> Settings:
    """Return the section of a model whose descriptor is told of spins.

    Args:
        settings: the complete section of a standard model.
        use_spin: whether atoms of each type have spins.
    """
    descriptor = settings["descriptor"]
    if descriptor.get("use_spin") is not None:
        raise DPError("descriptor.use_spin: spin.use_spin tells it; leave it out")
    rest = {key: value for key, value in settings.items() if key != "spin"}
    return rest | {"descriptor": descriptor | {"use_spin": list(use_spin)}}
