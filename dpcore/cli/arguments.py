"""The words of the command line: which commands there are and how they are parsed.

Everything here runs for ``dp -h`` too, so it and the top of each command's module import nothing slow.
"""

import argparse
import importlib
import logging
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from dpcore import __version__
from dpcore.cli.backends import backend_options
from dpcore.cli.logs import LEVELS
from dpcore.errors import suggest

log = logging.getLogger(__name__)

EXAMPLES = """\
examples:
  dp show model.dp                            what a model file holds
  dp test -m model.dp -s data/water           errors of a model on labelled data
  dp --numpy test -m model.dp -s data/water   the same on another backend
  dp convert-backend model.dp model.yaml      the same model in another kind of file
  dp doctor                                   what of dpcore works on this computer

'dp COMMAND -h' tells more. 'dpcore' and 'python -m dpcore' are the same program."""


@dataclass(frozen=True)
class Command:
    """A command: a module with ``add_parser(subparsers, parents)`` and ``run(args) -> int``.

    Attributes:
        name: what users type.
        evaluates: whether it evaluates a model on one backend, which users may choose.
    """

    name: str
    evaluates: bool = False

    @property
    def module(self) -> str:
        """The module of the command."""
        return f"dpcore.cli.{self.name.replace('-', '_')}"


COMMANDS = (
    Command("train", evaluates=True),
    Command("test", evaluates=True),
    Command("show"),
    Command("freeze", evaluates=True),
    Command("convert-backend"),
    Command("compress", evaluates=True),
    Command("plot"),
    Command("change-bias", evaluates=True),
    Command("neighbor-stat"),
    Command("parity"),
    Command("doc-train-input"),
    Command("doctor"),
)


def parse(words: Sequence[str]) -> argparse.Namespace:
    """Return what the user asked for; ``command`` is None, and help was printed, if nothing.

    Args:
        words: the command line without the program's name.

    Raises:
        SystemExit: after help, or with code 2 for words that no command understands.
    """
    parser = build_parser()
    try:
        args = parser.parse_args(words)
    except SystemExit:
        # Help may be piped to a program that reads only its beginning.
        sys.stdout.flush()
        raise
    if args.command is None:
        parser.print_help()
        return args
    command = next(command for command in COMMANDS if command.name == args.command)
    args.module = command.module
    if not command.evaluates and hasattr(args, "backend"):
        log.warning("%r evaluates no model on one backend: the choice has no effect", command.name)
    return args


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    backend, common = backend_options(), _common_options()
    parser = _Parser(
        prog="dp",
        description="dpcore: Deep Potential models, on every backend from one implementation.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[backend],
    )
    parser.add_argument("--version", action="version", version=f"dpcore {__version__}")
    commands = parser.add_subparsers(title="commands", dest="command", metavar="COMMAND")
    for command in COMMANDS:
        module: Any = importlib.import_module(command.module)
        module.add_parser(commands, [common, backend] if command.evaluates else [common])
    return parser


def _common_options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False)
    group = parser.add_argument_group("messages")
    group.add_argument(
        "-v",
        "--log-level",
        choices=list(LEVELS),
        default="INFO",
        help="how much is said on stderr: 3 or DEBUG, 2 or INFO (default), 1 or WARNING, 0 or ERROR",
    )
    group.add_argument(
        "-l", "--log-path", metavar="FILE", help="a file to append messages and results to"
    )
    group.add_argument(
        "--debug", action="store_true", help="show where in the code a failure happened"
    )
    return parser


class _Parser(argparse.ArgumentParser):
    """A parser that suggests the nearest command for a misspelt one."""

    def error(self, message: str) -> NoReturn:
        unknown = re.match(r"argument COMMAND: invalid choice: '([^']*)'", message)
        if unknown:
            name = unknown[1]
            names = [command.name for command in COMMANDS]
            message = f"unknown command {name!r}{suggest(name, names)}"
        super().error(message)
