"""Parts of the pages that are generated from the code, so that they cannot differ from it.

They are written to ``_generated`` before the pages are read, which include them.
"""

import argparse
import dataclasses as dc
import inspect
import json
import os
import re
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.config import Config

from dpcore.backend import Adapter
from dpcore.cli.arguments import COMMANDS, build_parser
from dpcore.descriptors import DESCRIPTORS
from dpcore.errors import DPError
from dpcore.fittings import FITTINGS
from dpcore.models import Model
from dpcore.registry import backend, backend_names, canonical_backend, format_of
from dpcore.settings.arguments import is_group
from dpcore.settings.contradictions import NVNMD
from dpcore.settings.describe import described
from dpcore.settings.render import as_markdown
from dpcore.train.losses import LOSSES
from dpcore.train.optimizers import OPTIMIZERS
from dpcore.train.schedules import SCHEDULES
from dpcore.tree import MODULES, Module, Settings
from dpcore.xp import EXTRA, STANDARD
from dpcore_serialization.deepmd.descriptors import WRITERS as DESCRIPTOR_WRITERS
from dpcore_serialization.deepmd.fittings import WRITERS as FITTING_WRITERS
from dpcore_serialization.deepmd.models import WRITERS as MODEL_WRITERS

Rows = Iterable[tuple[str, ...]]

# How descriptions tell of types, and of values, that are refused.
_TYPE = re.compile(r"(?:^|; )(\w+) is refused: (.*?)(?=; \w+ is refused: |$)")
_OTHERS = "; other values are refused: "


def table(head: tuple[str, ...], rows: Rows) -> str:
    """Return a Markdown table."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def code(values: Iterable[object]) -> str:
    """Return values as a comma-separated list in code type."""
    return ", ".join(f"`{value}`" for value in values)


def settings() -> str:
    """Return a section for each module type: its settings, arrays and parts."""
    # Those of input files of training have a page of their own.
    training = {*LOSSES.values(), *OPTIMIZERS.values(), *SCHEDULES.values()}
    shown = (cls for cls in reversed(MODULES.values()) if cls not in training)
    return "\n\n".join(_module(cls) for cls in shown if not _is_flat(cls))


def training_settings() -> str:
    """Return the keys of input files of training."""
    return as_markdown(described())


def refused() -> str:
    """Return the keys of input files, and types of sections, that are known and refused, with the reasons."""
    found: dict[tuple[str, str], None] = {("`nvnmd`", NVNMD): None}
    for section in described():
        where = _place(section.plain)
        for key in section.keys:
            if key.refused:
                found[f"`{where}.{key.name}`", key.doc] = None
            elif key.name == "type":
                rows = _TYPE.findall(key.doc)
                found |= dict.fromkeys((f"`{where}.type`: `{name}`", why) for name, why in rows)
            elif _OTHERS in key.doc:
                why = key.doc.partition(_OTHERS)[2]
                found[f"`{where}.{key.name}`: other than {key.kind}", why] = None
    # What is a matter of the place alone is told where it is met.
    here = ("a model of this type has no such key", "a part is trained as the whole is")
    return table(("Key", "Why"), [row for row in found if not row[1].startswith(here)])


def effectless() -> str:
    """Return the keys of input files that change nothing, with the reasons."""
    start, found = "without effect: ", dict[tuple[str, str], None]()
    for section in described():
        for key in section.keys:
            if key.doc.startswith(start):
                name = f"`{_place(section.path)}.{key.name}`"
                found[name, key.doc.removeprefix(start)] = None
    return table(("Key", "Why"), found)


def _place(path: str) -> str:
    """Return where a key stands, that of a part of a model as that of the whole."""
    return re.sub(r"^model(\[\w+\])?(\.qm_model)?(\[\w+\])?", "model", path).replace(".list", "")


def _is_flat(cls: type[Module]) -> bool:
    """Return whether settings are a group that lies flat among those of its owners, in whose tables it is."""
    owners = [(owner, typing.get_type_hints(owner)) for owner in MODULES.values()]
    uses = [f for o, hints in owners for f in dc.fields(o) if hints[f.name] is cls]
    return issubclass(cls, Settings) and not any("doc" in field.metadata for field in uses)


def _module(cls: type[Module]) -> str:
    parts = [f"## `{cls.type_name}`", (inspect.getdoc(cls) or "").partition("\n")[0]]
    rows = list(_settings(cls))
    if rows:
        parts.append(table(("Setting", "Kind", "Default", "Meaning"), rows))
    fields, hints = dc.fields(cls), typing.get_type_hints(cls)
    roles = {
        "Trained arrays": [f.name for f in fields if f.metadata.get("role") == "param"],
        "Stored arrays": [f.name for f in fields if f.metadata.get("role") == "buffer"],
        "Parts": [f.name for f in fields if not f.metadata and not is_group(hints[f.name])],
    }
    parts.append("\\\n".join(f"{role}: {code(names)}" for role, names in roles.items() if names))
    return "\n\n".join(parts)


def _settings(cls: type[Module]) -> Iterator[tuple[str, ...]]:
    hints = typing.get_type_hints(cls)
    for field in dc.fields(cls):
        if "doc" not in field.metadata:
            if is_group(hints[field.name]):
                yield from _settings(hints[field.name])
            continue
        missing = field.default is dc.MISSING
        default = "required" if missing else f"`{json.dumps(field.default)}`"
        others = field.metadata["aliases"]
        also = f" (also called {code(others)})" if others else ""
        meaning = field.metadata["doc"] + also
        yield f"`{field.name}`", _kind(hints[field.name]), default, meaning


def _kind(hint: Any, *, many: bool = False) -> str:
    """Return the kind of value that a setting holds, in the words of JSON."""
    end = "s" if many else ""
    if typing.get_origin(hint) in {typing.Union, types.UnionType}:
        text = " or ".join(_kind(part) for part in typing.get_args(hint))
        return f"({text})" if many else text
    if is_group(hint):
        return "section"
    if typing.get_origin(hint) is typing.Literal:
        return " or ".join(json.dumps(value) for value in typing.get_args(hint))
    if typing.get_origin(hint) is tuple:
        inner, *rest = typing.get_args(hint)
        word = "list" if Ellipsis in rest else {1: "pair"}.get(len(rest), f"{len(rest) + 1}-tuple")
        return f"{word}{end} of {_kind(inner, many=True)}"
    if is_group(hint):
        return f"section [`{hint.type_name}`](#{hint.type_name})"
    names = {bool: "boolean", int: "integer", float: "number", str: "text"}
    return "null" if hint is type(None) else f"{names[hint]}{end}"


def backends() -> str:
    """Return the table of what each backend can do."""
    head = ("Backend", "Other names", "Compiles", "Devices", "Kernels", "Writes and runs")
    return table(head, [_backend(name) for name in backend_names()])


def _backend(name: str) -> tuple[str, ...]:
    points = entry_points(group="dpcore.backend_aliases")
    others = sorted(p.name for p in points if canonical_backend(p.name) == name)
    try:
        adapter: Adapter = backend(name)
    except DPError as error:
        return f"`{name}`", code(others), f"not known where this was built: {error}", "", "", ""
    can = adapter.capabilities
    compiles = "on request" if can.compile_on_request else "no"
    return (
        f"`{name}`",
        code(others),
        "always" if can.jit else compiles,
        code(can.devices),
        code(can.kernels) or "–",
        code(f".{suffix}" for suffix in can.exports) or "–",
    )


def components() -> str:
    """Return the tables of what a model can be made of, and where it runs."""
    runs = [_runs(name) for name in backend_names()]
    head = (
        "Component",
        "Other names",
        "What it is",
        *backend_names(),
        "Compiled files",
        "DeePMD-kit's files",
    )
    models = {name: cls for name, cls in MODULES.items() if issubclass(cls, Model)}
    sections = [
        ("Descriptors", DESCRIPTORS, DESCRIPTOR_WRITERS),
        ("Fitting networks", FITTINGS, FITTING_WRITERS),
        ("Models", models, MODEL_WRITERS),
    ]
    return "\n\n".join(
        f"## {title}\n\n{table(head, _components(kinds, known, runs))}"
        for title, kinds, known in sections
    )


def _runs(name: str) -> str:
    """Return what is known of a backend on the machine that builds the pages."""
    try:
        backend(name)
    except DPError:
        return "not installed"
    return "✓"


def _components(kinds: Mapping[str, type[Module]], known: Iterable[type], runs: list[str]) -> Rows:
    exports = code(f".{s}" for n in backend_names() for s in backend(n).capabilities.exports)
    for name, cls in sorted(kinds.items()):
        text = (inspect.getdoc(cls) or "").partition("\n")[0]
        text = text.replace("``", "`").replace("|", "\\|")
        foreign = "✓" if cls in known else "–"
        others = code(getattr(cls, "aliases", ())) or "–"
        yield f"`{name}`", others, text, *runs, exports, foreign


def formats() -> str:
    """Return the table of file formats."""
    suffixes = sorted(p.name for p in entry_points(group="dpcore.formats"))
    known = [(suffix, format_of(f"model.{suffix}")) for suffix in suffixes]
    rows = [
        (f"`.{s}`", "compiled program" if f.compiled else "data", f"`{f.backend}`")
        for s, f in sorted(known, key=lambda item: (item[1].compiled, item[0]))
    ]
    return table(("Suffix", "Holds", "Evaluated by, unless you name another"), rows)


def functions() -> str:
    """Return the closed set of array functions."""
    return f"- From the array-API standard: {code(STANDARD)}.\n- Beyond it: {code(EXTRA)}."


def commands() -> str:
    """Return the help of the program and of every command."""
    os.environ["COLUMNS"] = "88"
    parser = build_parser()
    groups = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]  # noqa: SLF001
    helps = [("`dp`", parser.format_help())]
    helps += [(f"`dp {c.name}`", groups[0].choices[c.name].format_help()) for c in COMMANDS]
    return "\n\n".join(f"## {title}\n\n```text\n{text.rstrip()}\n```" for title, text in helps)


PAGES: dict[str, Callable[[], str]] = {
    "settings": settings,
    "training_settings": training_settings,
    "refused": refused,
    "effectless": effectless,
    "backends": backends,
    "components": components,
    "formats": formats,
    "functions": functions,
    "commands": commands,
}


def write(app: Sphinx, _: Config) -> None:
    """Write every part that is not as it should be already."""
    target = Path(app.srcdir, "_generated")
    target.mkdir(exist_ok=True)
    for name, make in PAGES.items():
        path, text = target / f"{name}.md", f"{make()}\n"
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Generate the parts once the configuration is read."""
    app.connect("config-inited", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
