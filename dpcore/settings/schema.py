"""The JSON schema of input files, for editors and other programs."""

import json
import typing
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from dpcore.settings.checks import NumberOrAuto, OneOf, Refused
from dpcore.settings.input import input_definition
from dpcore.settings.older import moved_keys

if TYPE_CHECKING:
    from dargs import Argument, Variant

Schema = dict[str, Any]

_KINDS = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
    type(None): "null",
}
# Keys that may hold the name of a shared section, and the parts that share.
_NAMED = ("type_map", "descriptor", "fitting_net")
_SHARING = ("models", "model_dict")


def input_schema() -> Schema:
    """Return the JSON schema of input files as they are written today, which knows all keys."""
    made = _Maker()
    single = made.section(input_definition())
    several = made.section(input_definition(several=True))
    has_branches = {"properties": {"model": {"required": ["model_dict"]}}, "required": ["model"]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "input of training",
        "type": "object",
        "if": has_branches,
        "then": several,
        "else": single,
        "$defs": made.definitions,
    }


class _Maker:
    """Makes schemas; sections that occur at several places are written once."""

    def __init__(self) -> None:
        self.definitions: dict[str, Schema] = {}

    def value(self, entry: "Argument", *, shared: bool) -> Schema:
        """Return the schema of the value of a key."""
        sections = bool(entry.sub_fields or entry.sub_variants)
        if entry.name == "model" and "model_dict" in entry.sub_fields:
            return self._branches(entry)
        if not sections:
            return _plain(entry, shared=shared)
        shared = shared or entry.name in _SHARING
        inner = self.section(entry, shared=shared)
        if entry.repeat:
            inner = _named(inner) if entry.name == "list" and shared else inner
            inner = _several(inner, mapping=dict in _kinds(entry))
        elif type(None) in _kinds(entry):
            inner = {"anyOf": [inner, {"type": "null"}]}
        return _named(inner) if shared and entry.name in _NAMED else inner

    def section(self, entry: "Argument", *, shared: bool = False) -> Schema:
        """Return a reference to the schema of a section."""
        cases = list(_cases(entry))
        if len(cases) == 1:
            found = self._case(entry.name, cases[0][1], shared=shared)
        else:
            found = self._choice(entry, cases, shared=shared)
        return self._once(entry.name, {"description": entry.doc, **found} if entry.doc else found)

    def _once(self, name: str, schema: Schema) -> Schema:
        """Return a reference to a schema that is written under some name."""
        text, number, key = json.dumps(schema), 1, name
        while key in self.definitions and json.dumps(self.definitions[key]) != text:
            number += 1
            key = f"{name}_{number}"
        self.definitions[key] = schema
        return {"$ref": f"#/$defs/{key}"}

    def _case(self, name: str, fields: dict[str, "Argument"], *, shared: bool) -> Schema:
        """Return the schema of a section of which all keys are known."""
        properties: Schema = {"$schema": {"type": "string"}}
        for key, field in fields.items():
            made = self.value(field, shared=shared)
            properties |= dict.fromkeys((key, *field.alias), made)
        properties |= {
            key: {"deprecated": True} for key in moved_keys(name) if key not in properties
        }
        found: Schema = {
            "type": "object",
            "properties": properties,
            "patternProperties": {"^_": {}},
            "additionalProperties": False,
        }
        # Keys of a branch may stand beside model_dict, for all branches.
        needed = [] if shared else [f for f in fields.values() if not f.optional]
        required = [field.name for field in needed if not field.alias]
        if required:
            found["required"] = required
        either = [
            {"anyOf": [{"required": [key]} for key in (field.name, *field.alias)]}
            for field in needed
            if field.alias
        ]
        return found | ({"allOf": either} if either else {})

    def _choice(self, entry: "Argument", cases: list[Any], *, shared: bool) -> Schema:
        """Return the schema of a section whose keys depend on its type."""
        (variant,) = entry.sub_variants.values()
        flag, rules = variant.flag_name, []
        names = [name for chosen, _ in cases for name in (chosen.name, *chosen.alias)]
        for chosen, fields in cases:
            own = self._case(entry.name, fields, shared=shared)
            own["properties"][flag] = {"enum": [chosen.name, *chosen.alias]}
            then = self._once(f"{entry.name}_{chosen.name}", own)
            asked = {
                "properties": {flag: {"enum": [chosen.name, *chosen.alias]}},
                "required": [flag],
            }
            if chosen.name == variant.default_tag:
                asked = {"anyOf": [asked, {"not": {"required": [flag]}}]}
            rules.append({"if": asked, "then": then})
        found: Schema = {"type": "object", "properties": {flag: {"enum": names}}, "allOf": rules}
        return found if variant.optional else found | {"required": [flag]}

    def _branches(self, entry: "Argument") -> Schema:
        """Return the schema of the model section of a multi-task model."""
        branch = entry.sub_fields["model_dict"]
        common: dict[str, Schema] = {}
        for _, fields in _cases(branch):
            for key, field in fields.items():
                common.setdefault(key, self.value(field, shared=True))
        descriptor = common["descriptor"]
        content = {"anyOf": [{"type": "array"}, descriptor, common["fitting_net"]]}
        own = {
            "model_dict": self.value(branch, shared=True),
            "shared_dict": {"type": "object", "additionalProperties": content},
        }
        found: Schema = {
            "type": "object",
            "properties": common | own,
            "patternProperties": {"^_": {}},
            "additionalProperties": False,
            "required": ["model_dict"],
        }
        return found


def _cases(entry: "Argument") -> Iterator[tuple["Argument", dict[str, "Argument"]]]:
    """Yield the types of a section that are supported, with the definitions of all keys."""
    if not entry.sub_variants:
        yield entry, dict(entry.sub_fields)
        return
    (variant,) = entry.sub_variants.values()
    for chosen in variant.choice_dict.values():
        if not isinstance(chosen.extra_check, Refused):
            yield (
                chosen,
                {**entry.sub_fields, variant.flag_name: _flag(variant), **chosen.sub_fields},
            )


def _flag(variant: "Variant") -> "Argument":
    flag = variant.dummy_argument()
    flag.doc = "which keys there are"
    return flag


def _kinds(entry: "Argument") -> set[Any]:
    return {typing.get_origin(kind) or kind for kind in entry.dtype}


def _plain(entry: "Argument", *, shared: bool) -> Schema:
    """Return the schema of a value that is no section."""
    from dargs.dargs import _Flags

    test = entry.extra_check
    found: Schema = {"description": entry.doc} if entry.doc else {}
    if isinstance(test, Refused):
        return {"description": test.reason, "enum": list(test.besides)}
    if isinstance(test, OneOf):
        return found | {"enum": list(test.values)}
    kinds = _kinds(entry)
    words = [word for kind, word in _KINDS.items() if kind in kinds]
    if "number" in words and "integer" in words:
        words.remove("integer")
    if entry.name == "preset_out_bias":
        words.append("object")
    if shared and entry.name in _NAMED:
        words.append("string")
    found["type"] = words[0] if len(words) == 1 else words
    if isinstance(test, NumberOrAuto):
        found["pattern"] = r"^auto(:[0-9]+(\.[0-9]*)?)?$"
    if entry.default is not _Flags.NONE:
        found["default"] = entry.default
    return found


def _named(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "string", "description": "a name in shared_dict"}]}


def _several(schema: Schema, *, mapping: bool) -> Schema:
    if mapping:
        return {"type": "object", "patternProperties": {"^_": {}}, "additionalProperties": schema}
    return {"type": "array", "items": schema}
