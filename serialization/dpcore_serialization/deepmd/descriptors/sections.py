"""Groups of settings, as tables without groups."""

import dataclasses as dc
import typing
from typing import Any, TypeVar

from dpcore.errors import DPError
from dpcore.settings.arguments import is_group, values_of
from dpcore.tree import Settings
from dpcore_serialization.deepmd.fields import Fields, as_list

Group = TypeVar("Group", bound=Settings)


def read_section(data: Any, path: str, kind: type[Group]) -> Group:
    """Read settings from a table; keys with a default may be missing."""
    with Fields(data, path) as fields:
        given = {key: fields.take(key, default) for key, default in _defaults(kind).items()}
    for key, value in given.items():
        if value is dc.MISSING:
            raise DPError(f"{path}: the key {key!r} is missing")
    return kind(**values_of(kind, given, path))


def write_section(settings: Settings) -> dict[str, Any]:
    """Return the table of settings."""
    found: dict[str, Any] = {}
    for field in dc.fields(settings):
        value = getattr(settings, field.name)
        if isinstance(value, Settings):
            found |= write_section(value)
        else:
            found[field.name] = as_list(value)
    return found


def _defaults(kind: type[Settings]) -> dict[str, Any]:
    hints, found = typing.get_type_hints(kind), dict[str, Any]()
    for field in dc.fields(kind):
        hint = hints[field.name]
        found |= _defaults(hint) if is_group(hint) else {field.name: field.default}
    return found
