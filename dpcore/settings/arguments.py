"""Definitions of settings, generated from the fields of the modules they configure."""

import dataclasses as dc
import types
import typing
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeGuard

from dpcore.errors import DPError, suggest
from dpcore.settings.checks import OneOf, Seed, Widths
from dpcore.tree import Module, Settings, check_kinds

if TYPE_CHECKING:
    from dargs import Argument


# What is checked by the name of a setting, which means the same in all modules.
_CHECKS = {"neuron": Widths(), "seed": Seed()}


def arguments(cls: type[Module], **defaults: Any) -> list["Argument"]:
    """Return the definitions of a module's settings, some with other defaults."""
    hints, entries = typing.get_type_hints(cls), list["Argument"]()
    for field in dc.fields(cls):
        hint = hints[field.name]
        if "doc" in field.metadata:
            entries.append(_argument(field, hint, defaults))
        elif is_group(hint):
            entries += arguments(hint)
    return entries


def is_group(hint: Any) -> TypeGuard[type[Settings]]:
    """Return whether an annotation is that of a group of settings."""
    return isinstance(hint, type) and issubclass(hint, Settings)


def group_of(hint: Any) -> type[Settings] | None:
    """Return the group of settings that an annotation is of, alone or where it may be absent."""
    return next((part for part in (hint, *typing.get_args(hint)) if is_group(part)), None)


def _argument(field: "dc.Field[Any]", hint: Any, defaults: Mapping[str, Any]) -> "Argument":
    from dargs import Argument

    required = field.default is dc.MISSING
    about = {"optional": not required, "doc": field.metadata["doc"]}
    about["alias"] = list(field.metadata["aliases"])
    group = group_of(hint)
    if group is not None:
        about |= {} if is_group(hint) or required else {"default": None}
        kinds = [dict] if is_group(hint) else [dict, None]
        return Argument(field.name, kinds, arguments(group), **about)
    about["extra_check"] = field.metadata.get("check") or _CHECKS.get(field.name) or _choice(hint)
    default = defaults.get(field.name, None if required else field.default)
    if not field.metadata.get("unset"):
        about["default"] = _plain(default)
    return Argument(field.name, _kinds(hint), **about)


def seed_argument() -> "Argument":
    """Return the definition of the seed of a component."""
    from dargs import Argument

    kinds, about = [int, list, None], "random seed"
    return Argument("seed", kinds, optional=True, default=None, doc=about, extra_check=Seed())


def values_of(cls: type[Module], settings: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return the settings of a module among those given, with tuples in place of lists."""
    hints, values = typing.get_type_hints(cls), dict[str, Any]()
    for field in dc.fields(cls):
        key, hint, documented = field.name, hints[field.name], "doc" in field.metadata
        group = group_of(hint)
        if group is not None:
            inside = settings.get(key) if documented else settings
            if isinstance(inside, Mapping):
                values[key] = group(
                    **values_of(group, inside, f"{where}.{key}" if documented else where)
                )
        elif documented and key in settings:
            values[key] = as_tuples(settings[key])
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


def _choice(hint: Any) -> OneOf | None:
    """Return the check that an annotation of a few values makes."""
    parts = [hint, *typing.get_args(hint)] if isinstance(hint, types.UnionType) else [hint]
    found = [v for p in parts if typing.get_origin(p) is typing.Literal for v in typing.get_args(p)]
    if not found:
        return None
    return OneOf((*found, None) if type(None) in parts else tuple(found))


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
