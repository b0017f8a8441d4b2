"""The program: parse, run one command, and turn every failure into one line and an exit code."""

import argparse
import contextlib
import importlib
import logging
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any

from dpcore.cli.arguments import parse
from dpcore.cli.logs import Logs
from dpcore.errors import DPError, is_out_of_memory

log = logging.getLogger(__name__)

# What a shell reports for a program that was ended by SIGINT and by SIGPIPE.
INTERRUPTED, BROKEN_PIPE = 130, 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program.

    Args:
        argv: the words after the program's name; by default those it was called with.

    Returns:
        The exit code: 0, or 1 after a mistake or a failure.

    Raises:
        SystemExit: after help, or with code 2 for words that no command understands.
    """
    words = sys.argv[1:] if argv is None else list(argv)
    with Logs() as logs:
        try:
            code = _run(parse(words), logs)
            sys.stdout.flush()
        except BrokenPipeError:
            _drop_stdout()
            return BROKEN_PIPE
        except KeyboardInterrupt:
            log.error("interrupted")  # noqa: TRY400  # one line, as for every failure
            return INTERRUPTED
        except Exception as error:  # noqa: BLE001  # whatever it is, users get one line
            _complain(error, traced="--debug" in words)
            return 1
        return code


def _run(args: argparse.Namespace, logs: Logs) -> int:
    if args.command is None:
        return 0
    logs.configure(args.log_level, args.log_path)
    command: Any = importlib.import_module(args.module)
    return int(command.run(args))


def _complain(error: Exception, *, traced: bool) -> None:
    if traced:
        traceback.print_exception(error)
    log.error(" ".join(_message(error).split()))


def _message(error: Exception) -> str:
    if isinstance(error, DPError):
        return str(error)
    if is_out_of_memory(error):
        size = os.environ.get("DP_INFER_BATCH_SIZE", "512")
        return (
            f"out of memory ({str(error) or 'no details'}); evaluate fewer atoms together: set the "
            f"environment variable DP_INFER_BATCH_SIZE, which is {size}, to a smaller number"
        )
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{error.strerror}"
    return (
        f"{type(error).__name__}: {error} (unexpected: please run again with --debug and report "
        "what it prints)"
    )


def _drop_stdout() -> None:
    # Whoever read the output is gone; what is still buffered must not fail once more at exit.
    with contextlib.suppress(OSError, ValueError):
        stdout = sys.stdout.fileno()
        os.dup2(os.open(os.devnull, os.O_WRONLY), stdout)
