"""One-line errors for settings as they were written, before defaults are filled in."""

import math
import typing
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dpcore.errors import DPError, suggest
from dpcore.settings.checks import Check, Refused, refusal

if TYPE_CHECKING:
    from dargs import Argument, Variant

_WORDS = {
    bool: "true or false",
    int: "an integer",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "a section",
    type(None): "null",
}


def is_comment(key: object) -> bool:
    """Return whether a key is no setting but a remark."""
    return isinstance(key, str) and (key.startswith("_") or key == "$schema")


def complete(definition: "Argument", given: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return settings with all defaults filled in, by their own names, without remarks.

    Args:
        definition: what they may be.
        given: the settings as they were written.
        where: their key, for messages; empty for the whole file.

    Raises:
        DPError: an unknown, missing, refused or repeated key, or a value of a wrong kind.
    """
    check(definition, given, where)
    before, found = None, {key: value for key, value in given.items() if key != "$schema"}
    # A section that is not there at all has its defaults filled in once it is.
    while found != before:
        before, found = found, definition.normalize_value(found, trim_pattern="_*")
    return found


def check(definition: "Argument", value: Any, where: str) -> None:
    """Check a value as it was written, with whatever is below it.

    Args:
        definition: what it may be.
        value: the value.
        where: its key, for messages; empty for the whole file.

    Raises:
        DPError: an unknown, missing, refused or repeated key, or a value of a wrong kind.
    """
    _check_value(definition, value, where)
    if definition.repeat:
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            if not is_comment(key):
                _check_section(definition, item, f"{where}.{key}")
    elif isinstance(value, dict) and (definition.sub_fields or definition.sub_variants):
        _check_section(definition, value, where)


def _check_value(definition: "Argument", value: Any, where: str) -> None:
    kinds = {_plain(kind) for kind in definition.dtype}
    if not any(_is(value, kind) for kind in kinds):
        order = [
            word for kind, word in _WORDS.items() if kind in kinds and not _implied(kind, kinds)
        ]
        raise DPError(f"{where}: {value!r} is of a wrong kind; allowed: {' or '.join(order)}")
    if (problem := _unusable(value)) is not None:
        raise DPError(f"{where}: {value!r} {problem}")
    test = typing.cast("Check | None", definition.extra_check)
    if test is not None and not test(value):
        raise DPError(f"{where}: {test.complaint(value)}")


def _unusable(value: Any) -> str | None:
    """Return what is wrong with a number or a text, or with one in a list, whatever it is for."""
    if isinstance(value, list):
        return next((problem for item in value if (problem := _unusable(item))), None)
    if isinstance(value, float) and not math.isfinite(value):
        return "is not finite"
    return "holds a null character" if isinstance(value, str) and "\0" in value else None


def _implied(kind: Any, kinds: set[Any]) -> bool:
    return kind is int and float in kinds


def _plain(kind: Any) -> Any:
    return typing.get_origin(kind) or kind


def _is(value: Any, kind: Any) -> bool:
    if kind in {int, float}:
        allowed = (int, float) if kind is float else int
        return isinstance(value, allowed) and not isinstance(value, bool)
    return isinstance(value, kind)


def _check_section(definition: "Argument", section: Any, where: str) -> None:
    if not isinstance(section, dict):
        raise DPError(f"{where}: {section!r} is of a wrong kind; allowed: a section")
    fields = fields_of(definition, section, where)
    inside = f"{where}." if where else ""
    names = {name: key for key, field in fields.items() for name in (key, *field.alias)}
    found: dict[str, str] = {}
    for name in section:
        if is_comment(name) and name not in names:
            continue
        if name not in names:
            allowed = (name for name, key in names.items() if not refusal(fields[key]))
            raise DPError(f"{inside}{name}: unknown key{suggest(str(name), allowed)}")
        key = names[name]
        if key in found:
            raise DPError(
                f"{inside}{name}: {found[key]} is given too, which means the same; keep one of them"
            )
        found[key] = name
    for key, field in fields.items():
        if key in found:
            check(field, section[found[key]], f"{inside}{found[key]}")
        elif not field.optional:
            raise DPError(f"{inside}{key}: missing; {field.doc or 'it is needed'}")


def fields_of(
    definition: "Argument", section: Mapping[str, Any], where: str
) -> dict[str, "Argument"]:
    """Return the definitions of the keys of a section, as its types say.

    Raises:
        DPError: a type that is missing, unknown or refused.
    """
    fields = dict(definition.sub_fields)
    for variant in definition.sub_variants.values():
        chosen = _choice(variant, section, where)
        fields[variant.flag_name] = variant.dummy_argument()
        fields |= fields_of(chosen, section, where)
    return fields


def _choice(variant: "Variant", section: Mapping[str, Any], where: str) -> "Argument":
    key = f"{where}.{variant.flag_name}" if where else variant.flag_name
    given = section.get(variant.flag_name, variant.default_tag or None)
    names = {**{name: name for name in variant.choice_dict}, **variant.choice_alias}
    if given is None:
        raise DPError(f"{key}: missing; allowed: {', '.join(sorted(variant.choice_dict))}")
    if not isinstance(given, str) or given not in names:
        raise DPError(f"{key}: {given!r} is unknown{suggest(str(given), _used(variant))}")
    chosen = variant.choice_dict[names[given]]
    if isinstance(chosen.extra_check, Refused):
        raise DPError(f"{key}: {given!r}: {chosen.extra_check.reason}")
    return chosen


def _used(variant: "Variant") -> list[str]:
    return [n for n, c in variant.choice_dict.items() if not isinstance(c.extra_check, Refused)]
