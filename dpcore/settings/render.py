"""Descriptions of settings as text, Markdown, reStructuredText or JSON."""

import dataclasses as dc
import json
import re
import textwrap
from collections.abc import Callable, Sequence

from dpcore.settings.describe import Key, Section

_WIDTH = 96


def as_text(sections: Sequence[Section]) -> str:
    """Return descriptions for a terminal."""
    return "\n\n".join(_text(section) for section in sections)


def _text(section: Section) -> str:
    lines = [section.path, "=" * len(section.path)]
    lines += [_about(section)] if _about(section) else []
    for key in section.keys:
        lines += ["", f"{_names(key)}: {_facts(key)}"]
        lines += textwrap.wrap(key.doc, _WIDTH, initial_indent="    ", subsequent_indent="    ")
    return "\n".join(lines)


def as_markdown(sections: Sequence[Section], level: int = 2) -> str:
    """Return descriptions in Markdown.

    Args:
        sections: the sections.
        level: level of their headings.
    """
    return "\n\n".join(_markdown(section, "#" * level) for section in sections)


def _markdown(section: Section, heading: str) -> str:
    parts = [f"{heading} `{section.path}`"]
    parts += [_about(section)] if _about(section) else []
    rows = [_row(key) for key in section.keys if not key.refused]
    if rows:
        head = ("Key", "Kind", "Default", "Meaning")
        lines = [head, tuple("---" for _ in head), *rows]
        parts.append("\n".join(f"| {' | '.join(cells)} |" for cells in lines))
    refused = [f"- `{key.name}`: {key.doc}" for key in section.keys if key.refused]
    if refused:
        parts += ["Refused:", "\n".join(refused)]
    return "\n\n".join(parts)


def _row(key: Key) -> tuple[str, ...]:
    default = "required" if key.required else ("–" if key.default is None else f"`{key.default}`")
    also = f" (also called {', '.join(f'`{name}`' for name in key.aliases)})" if key.aliases else ""
    cells = (f"`{key.name}`", key.kind, default, key.doc + also)
    return tuple(cell.replace("|", "\\|").replace("*", "\\*") for cell in cells)


def as_rst(sections: Sequence[Section]) -> str:
    """Return descriptions in reStructuredText."""
    return "\n\n".join(_rst(section) for section in sections)


def _rst(section: Section) -> str:
    title = f"``{section.path}``"
    lines = [title, "=" * len(title), ""]
    lines += [_about(section).replace("`", "``"), ""] if _about(section) else []
    for key in section.keys:
        names = ", ".join(f"``{name}``" for name in (key.name, *key.aliases))
        lines += [f"{names}: {_facts(key)}", f"    {_escaped(key.doc)}", ""]
    return "\n".join(lines).rstrip()


def _escaped(text: str) -> str:
    return re.sub(r"([*_|`])", r"\\\1", text)


def as_json(sections: Sequence[Section]) -> str:
    """Return descriptions as JSON."""
    return json.dumps([dc.asdict(section) for section in sections], indent=2, ensure_ascii=False)


FORMS: dict[str, Callable[[Sequence[Section]], str]] = {
    "text": as_text,
    "rst": as_rst,
    "markdown": as_markdown,
    "json": as_json,
}


def _about(section: Section) -> str:
    text = f"its keys are those of `{section.like}`" if section.like else section.doc
    return f"{text[0].upper()}{text[1:].rstrip('.')}." if text else ""


def _names(key: Key) -> str:
    return f"{key.name} (also {', '.join(key.aliases)})" if key.aliases else key.name


def _facts(key: Key) -> str:
    if key.refused:
        return "refused"
    if key.required:
        return f"{key.kind}; required"
    return key.kind if key.default is None else f"{key.kind}; default {key.default}"
