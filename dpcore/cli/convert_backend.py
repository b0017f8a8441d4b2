"""``dp convert-backend``: the same model in another kind of file."""

import argparse
import hashlib
import logging
from pathlib import Path
from typing import Any

from dpcore.cli.files import size_of, size_text
from dpcore.errors import DPError

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
    _check_target(source, target)
    document = reader.read(source)
    entry = _origin(source)
    history = [*document.provenance.get("history", ()), entry]
    writer.write(target, document.with_provenance(history=history))
    log.info("wrote %s (%s) from %s", target, size_text(size_of(target)), source)
    return 0


def _check_target(source: Path, target: Path) -> None:
    if source.resolve() == target.resolve():
        raise DPError(f"{target}: it is the input itself; give the output another name")
    if not target.parent.is_dir():
        raise DPError(f"{target}: the folder {target.parent} does not exist; create it first")


def _origin(source: Path) -> dict[str, str]:
    entry = {"from": source.name, "command": "convert-backend"}
    # A folder has no one sha256; the document embedded in it has checksums of its own.
    if source.is_file():
        with source.open("rb") as file:
            entry["sha256"] = hashlib.file_digest(file, "sha256").hexdigest()
    return entry
