"""``dp show``: what a model file holds."""

import argparse
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from dpcore.cli.files import find_model, size_text
from dpcore.cli.logs import say
from dpcore.cli.summary import OF_ALL, SECTIONS, ModelFile, summary
from dpcore.errors import suggest

EXAMPLES = """\
examples:
  dp show model.dp                        everything
  dp show model.dp type-map descriptor    only these
  dp show model.dp size --json            for programs"""

# Shown on request only: it is long, or its absence is no news.
_ON_REQUEST = {"model-branch", "model-def-script"}


def add_parser(subparsers: Any, parents: list[argparse.ArgumentParser]) -> None:
    """Add the command to the program."""
    parser = subparsers.add_parser(
        "show",
        help="print what a model file holds",
        description="Print what a model file holds: settings, sizes, where it comes from, arrays.",
        epilog=EXAMPLES,
        parents=parents,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("INPUT", help="the model file, its suffix may be left out")
    parser.add_argument(
        "ATTRIBUTES",
        nargs="*",
        # Without a name for them the help would list all choices twice.
        metavar="ATTRIBUTE",
        type=_attribute,
        help=f"what to show (default: all): {', '.join(SECTIONS)}",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Print what a model file holds.

    Raises:
        DPError: a file that cannot be read.
    """
    from dpcore.registry import format_of

    path = find_model(args.INPUT)
    wanted = args.ATTRIBUTES or [name for name in SECTIONS if name not in _ON_REQUEST]
    file = ModelFile(path, format_of(path).read(path))
    found = summary(file, wanted)
    if args.json:
        say(json.dumps(found, indent=2, ensure_ascii=False))
        return 0
    for name, content in found.items():
        say(f"{name}:")
        for line in _text(name, content, () if name in OF_ALL else file.branches):
            say(f"  {line}")
    return 0


def _text(name: str, content: Any, branches: Sequence[str]) -> Iterator[str]:
    """Yield the text of a section, that of each branch below its name."""
    lines = _TEXTS.get(name, _lines)
    if not branches:
        yield from lines(content)
    for branch in branches:
        yield branch
        yield from (f"  {line}" for line in lines(content[branch]))


def _attribute(name: str) -> str:
    if name not in SECTIONS:
        raise argparse.ArgumentTypeError(f"unknown attribute {name!r}{suggest(name, SECTIONS)}")
    return name


def _lines(content: Any) -> Iterator[str]:
    """Yield the text of JSON data: one line for each entry, nested ones indented."""
    if not isinstance(content, Mapping):
        yield _value(content)
        return
    if not content:
        yield "none"
    width = max((len(key) for key in content), default=0)
    for key, value in content.items():
        nested = isinstance(value, list) and any(isinstance(entry, Mapping) for entry in value)
        if not nested and not isinstance(value, Mapping):
            yield f"{key:<{width}}  {_value(value)}"
            continue
        yield key
        if nested:
            for number, entry in enumerate(value):
                yield from (f"  {number}: {line}" for line in _lines(entry))
        else:
            yield from (f"  {line}" for line in _lines(value))


def _value(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple) and all(isinstance(entry, str) for entry in value):
        return " ".join(value) or "none"
    return "none" if value is None else json.dumps(value, ensure_ascii=False, default=str)


def _file_lines(content: Mapping[str, Any]) -> Iterator[str]:
    yield f"{content['path']}, {size_text(content['bytes'])}"


def _size_lines(content: Mapping[str, Any]) -> Iterator[str]:
    width = max(12, *map(len, content))
    for name, count in content.items():
        yield f"{name:<{width}} {count['total']:>12,} parameters, {count['trainable']:,} trainable"


def _tree_lines(content: Mapping[str, Any], name: str = "model") -> Iterator[str]:
    yield f"{name}: {content['type']}"
    for key, array in content["arrays"].items():
        shape = " x ".join(str(size) for size in array["shape"]) or "scalar"
        yield f"  {key}  {shape}  {array['dtype']} {array['role']}"
    for key, child in content["children"].items():
        yield from (f"  {line}" for line in _tree_lines(child, key))


_TEXTS: Mapping[str, Callable[[Any], Iterator[str]]] = {
    "file": _file_lines,
    "size": _size_lines,
    "serialization-tree": _tree_lines,
}
