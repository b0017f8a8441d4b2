"""``dp convert-backend``: the same model in another kind of file."""

import argparse
import logging
from pathlib import Path
from typing import Any

from dpcore.cli.files import check_target, origin, size_of, size_text

log = logging.getLogger(__name__)

EXAMPLES = """\
examples:
  dp convert-backend model.yaml model.dp
  dp convert-backend model.dp model.yaml

'dp doctor' lists the kinds of files."""


def add_parser(subparsers: Any, parents: list[argparse.ArgumentParser]) -> None:
    """Add the command to the program."""
    parser = subparsers.add_parser(
        "convert-backend",
        help="write a model as another kind of file",
        description="Write a model as another kind of file; the suffixes tell which.",
        epilog=EXAMPLES,
        parents=parents,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("INPUT", help="the model file to read")
    parser.add_argument("OUTPUT", help="the model file to write; an existing one is replaced")
    parser.add_argument(
        "--atomic-virial",
        action="store_true",
        help="accepted for DeePMD-kit's sake: every file gives atomic virials, at no extra cost",
    )


def run(args: argparse.Namespace) -> int:
    """Convert a file.

    Raises:
        DPError: a file that cannot be read or written, or both names are one file.
    """
    from dpcore.registry import format_of

    source, target = Path(args.INPUT), Path(args.OUTPUT)
    reader, writer = format_of(source), format_of(target)
    check_target(source, target)
    document = reader.read(source)
    entry = origin(source, "convert-backend")
    history = [*document.provenance.get("history", ()), entry]
    writer.write(target, document.with_provenance(history=history))
    log.info("wrote %s (%s) from %s", target, size_text(size_of(target)), source)
    return 0
