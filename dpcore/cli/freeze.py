"""``dp freeze``: a model file from a checkpoint."""

import argparse
import logging
from pathlib import Path
from typing import Any

from dpcore.cli.backends import chosen_backend
from dpcore.cli.files import check_target, origin, size_of, size_text
from dpcore.cli.options import add_head
from dpcore.errors import DPError

log = logging.getLogger(__name__)

EXAMPLES = """\
examples:
  dp freeze                                    the newest checkpoint of this folder, as frozen_model.dp
  dp freeze -c model.ckpt-1000.dp -o model.dp  a certain one
  dp freeze -o model.pt2                       as a compiled model of the backend with that suffix
  dp freeze -o water.dp --head water           a branch of a multi-task model

The suffix tells what kind of file is written; 'dp doctor' lists them."""


def add_parser(subparsers: Any, parents: list[argparse.ArgumentParser]) -> None:
    """Add the command to the program."""
    parser = subparsers.add_parser(
        "freeze",
        help="make a model file of a checkpoint",
        description="Write the model of a checkpoint without the state of its training.",
        epilog=EXAMPLES,
        parents=parents,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "-c",
        "--checkpoint",
        "--checkpoint-folder",
        default=".",
        metavar="PATH",
        help="a checkpoint, what the names of checkpoints begin with, or a folder of them (default: this one)",
    )
    parser.add_argument(
        "-o",
        "--output",
        default="frozen_model",
        metavar="FILE",
        help="the model file to write, an existing one is replaced; without a suffix it is of the kind of the "
        "backend that is named, else .dp (default: %(default)s)",
    )
    add_head(parser)


def run(args: argparse.Namespace) -> int:
    """Write the model of a checkpoint.

    Raises:
        DPError: a checkpoint that cannot be read, or a file that cannot be written.
    """
    from dataclasses import replace

    from dpcore.infer.head import with_head
    from dpcore.registry import format_of

    source = _checkpoint(Path(args.checkpoint))
    target = Path(args.output)
    if not target.suffix:
        target = target.with_name(f"{target.name}.{_suffix(chosen_backend(args))}")
    writer = format_of(target)
    check_target(source, target)
    document = format_of(source).read(source)
    if args.head is not None:
        document = with_head(document, args.head, source)
    history = [*document.provenance.get("history", ()), origin(source, "freeze")]
    step = {} if document.step is None else {"step": document.step}
    document = replace(document, training=None).with_provenance(history=history, **step)
    writer.write(target, document)
    log.info("wrote %s (%s) from %s", target, size_text(size_of(target)), source)
    return 0


def _suffix(named: str | None) -> str:
    """Return the suffix of files that are made for a backend."""
    from dpcore.registry import backend

    exports = () if named is None else backend(named).capabilities.exports
    return exports[0] if exports else "dp"


def _checkpoint(path: Path) -> Path:
    """Return the checkpoint that a user means."""
    from dpcore.train.checkpoints import newest

    if not path.is_dir():
        return newest(str(path))
    pointer = path / "checkpoint"
    if not pointer.is_file():
        raise DPError(f"{path}: has no file 'checkpoint' that names the newest; name one with -c")
    return newest(str(path / pointer.read_text(encoding="utf-8").strip()))
