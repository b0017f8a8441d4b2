"""Kinds of settings beside plain ones."""

import dataclasses as dc
from typing import Any

from dpcore.settings.checks import Refused


def unset(*, doc: str, aliases: tuple[str, ...] = ()) -> Any:
    """Declare a setting that has no default: what it asks for is not done unless it is given."""
    return dc.field(default=None, metadata={"doc": doc, "aliases": aliases, "unset": True})


def limited(default: Any, *, doc: str, check: Refused) -> Any:
    """Declare a setting of which only some values are supported."""
    return dc.field(default=default, metadata={"doc": doc, "aliases": (), "check": check})
