"""Definitions of settings, generated from the fields of the modules they configure."""

import dataclasses as dc
import types
import typing
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dpcore.errors import DPError, suggest
from dpcore.tree import Module, check_kinds

if TYPE_CHECKING:
    from dargs import Argument


def arguments(cls: type[Module], **defaults: Any) -> list["Argument"]:
    """Return the definitions of a module's settings, some with other defaults."""
    from dargs import Argument

    hints = typing.get_type_hints(cls)
    return [
        Argument(
            field.name,
            _kinds(hints[field.name]),
            optional=field.default is not dc.MISSING,
            default=_plain(
                defaults.get(field.name, None if field.default is dc.MISSING else field.default)
            ),
            alias=list(field.metadata["aliases"]),
            doc=field.metadata["doc"],
        )
        for field in dc.fields(cls)
        if "doc" in field.metadata
    ]


def seed_argument() -> "Argument":
    """Return the definition of the seed of a component."""
    from dargs import Argument

    return Argument("seed", [int, list, None], optional=True, default=None, doc="random seed")


def values_of(cls: type[Module], settings: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return the settings of a module among those given, with tuples in place of lists."""
    names = {f.name for f in dc.fields(cls) if "doc" in f.metadata}
    values = {key: as_tuples(value) for key, value in settings.items() if key in names}
    check_kinds(cls, values, where)
    return values


def canonical(components: Mapping[str, Any], name: str) -> str:
    """Return the name of a component from that name or an alias of it."""
    for kind, component in components.items():
        if name in {kind, *component.aliases}:
            return kind
    raise DPError(f"type: {name!r} is unknown{suggest(name, components)}")


def as_tuples(value: Any) -> Any:
    """Return nested lists as nested tuples."""
    return tuple(map(as_tuples, value)) if isinstance(value, list) else value


def _plain(value: Any) -> Any:
    return [_plain(v) for v in value] if isinstance(value, tuple) else value


def _kinds(hint: Any) -> list[Any]:
    """Return the kinds of JSON value that an annotation allows."""
    origin = typing.get_origin(hint)
    if origin in {typing.Union, types.UnionType}:
        return [kind for part in typing.get_args(hint) for kind in _kinds(part)]
    if hint is type(None):
        return [None]
    if origin is tuple:
        return [list]
    if origin is typing.Literal:
        return list({type(value) for value in typing.get_args(hint)})
    return [float, int] if hint is float else [hint]
