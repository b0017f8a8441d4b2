"""The keys of input files for people to read, generated from their definitions."""

import dataclasses as dc
import json
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dpcore.settings.checks import NumberOrAuto, OneOf, Refused, refusal
from dpcore.settings.input import input_definition

if TYPE_CHECKING:
    from dargs import Argument, Variant

_KINDS = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "text",
    list: "list",
    dict: "section",
    type(None): "null",
}
# What only multi-task models have.
_OWN = ("data_dict", "model_prob", "num_epoch_dict")


@dataclass(frozen=True)
class Key:
    """A key of a section.

    Attributes:
        name: its name.
        aliases: other names of it.
        kind: what its value may be.
        default: the value where none is given, as JSON; None where there is none.
        required: whether it has to be given.
        doc: what it means, or why it is refused.
        refused: whether it is known only to be refused.
    """

    name: str
    aliases: tuple[str, ...]
    kind: str
    default: str | None
    required: bool
    doc: str
    refused: bool = False


@dataclass(frozen=True)
class Section:
    """The keys of a section, for one type of it.

    Attributes:
        path: the keys that lead to it, with types in brackets.
        doc: what it is for.
        keys: its keys.
        like: the section whose keys it has, where these are described.
    """

    path: str
    doc: str
    keys: tuple[Key, ...]
    like: str | None = None

    @property
    def plain(self) -> str:
        """The keys that lead to it, without types."""
        return ".".join(part.partition("[")[0] for part in self.path.split("."))


def described() -> list[Section]:
    """Return all sections of input files, those of multi-task models last."""
    from dargs import Argument

    seen: dict[str, str] = {}
    found = [s for e in _sections(input_definition()) for s in _walk(e, e.name, seen)]
    several = {entry.name: entry for entry in _sections(input_definition(several=True))}
    training = several["training"].sub_fields
    own = Argument("training", dict, [training[key] for key in _OWN], doc="of multi-task models")
    model = several["model"]
    for entry in (model, several["learning_rate_dict"], several["loss_dict"], own):
        found += _walk(entry, entry.name, seen)
    return found


def selected(sections: list[Section], wanted: str) -> list[Section]:
    """Return the part of sections that a key names.

    Args:
        sections: the sections.
        wanted: a section, a key with the sections that it is in (``training.seed``), or a key alone.
    """
    inside = [s for s in sections if _leads_to(s.path, wanted) or _leads_to(s.plain, wanted)]
    if inside:
        return [s for s in inside if s.like is None] or inside
    where, _, name = wanted.rpartition(".")
    found = []
    for section in sections:
        keys = tuple(key for key in section.keys if name in {key.name, *key.aliases})
        if keys and (not where or where in {section.path, section.plain}):
            found.append(dc.replace(section, keys=keys))
    return found


def _leads_to(path: str, wanted: str) -> bool:
    """Return whether a section, or one that it is in, is called so."""
    return f".{wanted}." in f".{path}."


def _sections(definition: "Argument") -> Iterator["Argument"]:
    return (entry for entry in definition.sub_fields.values() if refusal(entry) is None)


def _walk(entry: "Argument", path: str, seen: dict[str, str]) -> Iterator[Section]:
    """Yield a section and all in it; one that is like another is not described again."""
    text = _signature(entry)
    if text in seen:
        yield Section(path, "", (), seen[text])
        return
    seen[text] = path
    common, variants = list(entry.sub_fields.values()), list(entry.sub_variants.values())
    yield Section(path, entry.doc, (*map(_flag, variants), *map(_key, common)))
    yield from _inside(common, path, seen)
    for variant in variants:
        # What is most used comes first; types that another section has are described there.
        first = variant.choice_dict.get(variant.default_tag)
        for choice in sorted(variant.choice_dict.values(), key=lambda c: _rank(c, first)):
            text, here = f"[{choice.name}]{_signature(choice)}", f"{path}[{choice.name}]"
            if isinstance(choice.extra_check, Refused) or text in seen:
                continue
            seen[text] = here
            fields = list(choice.sub_fields.values())
            yield Section(here, choice.doc, tuple(map(_key, fields)))
            yield from _inside(fields, here, seen)


def _rank(choice: "Argument", first: "Argument | None") -> int:
    """Return 0 for what is most used, 2 for what is made of others, and 1 for the rest."""
    return 0 if choice is first else 1 + any(field.repeat for field in choice.sub_fields.values())


def _inside(fields: list["Argument"], path: str, seen: dict[str, str]) -> Iterator[Section]:
    for field in fields:
        if field.sub_fields or field.sub_variants:
            yield from _walk(field, f"{path}.{field.name}", seen)


def _signature(entry: "Argument") -> str:
    """Return a text that is the same for sections with the same keys."""
    keys = [repr(_key(field)) + _signature(field) for field in entry.sub_fields.values()]
    for variant in entry.sub_variants.values():
        keys += [f"{n}:{_signature(c)}" for n, c in variant.choice_dict.items()]
    return "|".join(keys)


def _flag(variant: "Variant") -> Key:
    """Return the key that says of which type a section is."""
    good, bad = list[str](), list[str]()
    aliases = {name: choice.alias for name, choice in variant.choice_dict.items()}
    for name, choice in variant.choice_dict.items():
        if isinstance(choice.extra_check, Refused):
            bad.append(f"{name} is refused: {choice.extra_check.reason}")
        else:
            good.append(name + (f" (also {', '.join(aliases[name])})" if aliases[name] else ""))
    doc = "; ".join(["which further keys there are", *bad])
    default = json.dumps(variant.default_tag) if variant.default_tag else None
    kind = ", ".join(good)
    return Key(variant.flag_name, (), kind, default, required=default is None, doc=doc)


def _key(entry: "Argument") -> Key:
    from dargs.dargs import _Flags

    test, aliases = entry.extra_check, tuple(entry.alias)
    refused = refusal(entry)
    if refused is not None:
        return Key(entry.name, aliases, "", None, required=False, doc=refused.reason, refused=True)
    doc = entry.doc
    if isinstance(test, OneOf):
        kind = ", ".join(json.dumps(value) for value in test.values)
    elif isinstance(test, Refused):
        kind = ", ".join(json.dumps(value) for value in test.besides if value is not None)
        doc = f"{doc}; other values are refused: {test.reason}"
    else:
        kind = _kind(entry)
        kind += (
            " ('auto' or 'auto:1.1': found from the data)" if isinstance(test, NumberOrAuto) else ""
        )
    default = None if entry.default is _Flags.NONE else json.dumps(entry.default)
    required = not entry.optional
    return Key(entry.name, aliases, kind, None if required else default, required, doc)


def _kind(entry: "Argument") -> str:
    kinds: set[Any] = {typing.get_origin(kind) or kind for kind in entry.dtype}
    if float in kinds:
        kinds.discard(int)
    words = [word for kind, word in _KINDS.items() if kind in kinds]
    if entry.repeat:
        words = ["sections by name" if dict in kinds else "list of sections"]
    return " or ".join(words)
