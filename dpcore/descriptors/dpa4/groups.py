"""The settings of DPA-4 in groups."""

import dataclasses as dc
from typing import Any

from dpcore.descriptors.dpa4.settings import (
    DegreeSettings,
    EdgeSettings,
    FeedSettings,
    MessageSettings,
    NetworkSettings,
    error,
)
from dpcore.errors import suggest
from dpcore.tree import Module

GROUPS = {
    "edges": EdgeSettings,
    "degrees": DegreeSettings,
    "messages": MessageSettings,
    "feeds": FeedSettings,
    "networks": NetworkSettings,
}


def grouped(settings: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the groups of settings, which may be given as such or key by key, and the others."""
    found, rest = dict[str, Any](), dict(settings)
    for name, kind in GROUPS.items():
        keys = [f.name for f in dc.fields(kind) if f.name in rest]
        given = {key: rest.pop(key) for key in keys}
        found[name] = rest.pop(name) if name in rest else kind(**given)
    return found, rest


def check_rest(cls: type[Module], rest: dict[str, Any]) -> None:
    """Refuse settings that there are not."""
    known = [f.name for f in dc.fields(cls) if "doc" in f.metadata]
    known += [f.name for kind in GROUPS.values() for f in dc.fields(kind)]
    for key in rest:
        if key not in known:
            raise error(key, f"there is no such setting{suggest(key, known)}")


def check_edges(edges: EdgeSettings, ntypes: int) -> None:
    """Raise a one-line error for types that do not exist."""
    for pair in edges.exclude_types:
        if not all(0 <= t < ntypes for t in pair):
            raise error("exclude_types", f"{list(pair)} names a type outside 0 … {ntypes - 1}")
