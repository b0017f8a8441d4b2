"""``dp doc-train-input``: what an input file of training may say."""

import argparse
import difflib
import json
from typing import Any

from dpcore.errors import DPError

_FORMS = ("text", "rst", "markdown", "json", "json_schema")


def add_parser(subparsers: Any, parents: list[argparse.ArgumentParser]) -> None:
    """Add the command's words."""
    parser = subparsers.add_parser(
        "doc-train-input",
        parents=parents,
        help="what an input file of training may say",
        description="Print the keys of input files of training: all, or those of a section, or one key.",
    )
    parser.add_argument(
        "key",
        nargs="?",
        metavar="KEY",
        help="a section or a key, such as training, training.seed, descriptor[se_atten] or stop_batch",
    )
    parser.add_argument(
        "--out-type",
        choices=_FORMS,
        default="text",
        help="text (default), rst, markdown, json, or json_schema: a JSON schema, which editors "
        "check input files with",
    )


def run(args: argparse.Namespace) -> int:
    """Print the description."""
    from dpcore.settings.render import FORMS

    if args.out_type == "json_schema":
        print(json.dumps(_schema(args.key), indent=2))
        return 0
    print(FORMS[args.out_type](_sections(args.key)))
    return 0


def _schema(key: str | None) -> Any:
    from dpcore.settings.schema import input_schema

    if key is not None:
        raise DPError(f"{key}: a JSON schema is one of whole input files; leave the key out")
    return input_schema()


def _sections(key: str | None) -> Any:
    from dpcore.settings.describe import described, selected

    sections = described()
    if key is None:
        return sections
    found = selected(sections, key)
    if not found:
        raise DPError(f"{key}: no section or key of input files{_near(key, sections)}")
    return found


def _near(key: str, sections: Any) -> str:
    """Return the keys that are called nearly so, or how all are shown."""
    names = {f"{s.plain}.{name}" for s in sections for k in s.keys for name in (k.name, *k.aliases)}
    names |= {name.rpartition(".")[2] for name in names}
    close = difflib.get_close_matches(key, sorted(names), n=3)
    if close:
        return f"; did you mean {' or '.join(map(repr, close))}?"
    return "; 'dp doc-train-input' shows all"
