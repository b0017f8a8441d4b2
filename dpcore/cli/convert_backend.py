"""``dp convert-backend``: the same model in another kind of file."""

import argparse
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dpcore.cli.files import check_target, origin, size_of, size_text
from dpcore.errors import DPError

if TYPE_CHECKING:
    from dpcore.formats import Document

log = logging.getLogger(__name__)

EXAMPLES = """\
examples:
  dp convert-backend model.yaml model.dp
  dp convert-backend model.dp model.yaml
  dp convert-backend weights.npz --model input.json model.dp

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
        "--model",
        metavar="JSON",
        help="DeePMD-kit's input file with the model's settings, where INPUT has weights alone: a .npz file "
        "of the variables of its .pb models, with '.' for '/' in their names",
    )
    parser.add_argument(
        "--head",
        "--model-branch",
        metavar="NAME",
        help="the branch of a multi-task model that is written; by default all are, in files that hold several",
    )
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
    from dpcore.infer.head import with_head
    from dpcore.registry import format_of

    source, target = Path(args.INPUT), Path(args.OUTPUT)
    writer = format_of(target)
    check_target(source, target)
    document = _read(source, args.model)
    if args.head is not None:
        document = with_head(document, args.head, source)
    entry = origin(source, "convert-backend")
    history = [*document.provenance.get("history", ()), entry]
    writer.write(target, document.with_provenance(history=history))
    log.info("wrote %s (%s) from %s", target, size_text(size_of(target)), source)
    return 0


def _read(source: Path, settings: str | None) -> "Document":
    """Read a model, or weights and the settings of their model."""
    from dpcore.registry import format_of, importer_of

    importer = importer_of(source)
    if importer is None:
        if settings is not None:
            raise DPError(f"--model {settings}: {source} describes itself; leave --model out")
        return format_of(source).read(source)
    if settings is None:
        raise DPError(
            f"{source}: has weights alone; name the file of the model's settings with --model"
        )
    return importer(source, Path(settings))
