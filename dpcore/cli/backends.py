"""The names of backends for the command line, read from entry points without loading any."""

import argparse
import os
from importlib.metadata import entry_points

from dpcore.errors import DPError, suggest


def aliases() -> dict[str, str]:
    """Return the backend of each name that users may give, names themselves included."""
    names = {point.name: point.name for point in entry_points(group="dpcore.backends")}
    others = entry_points(group="dpcore.backend_aliases")
    return names | {point.name: point.value for point in others}


def backend_options(*, short: bool = True) -> argparse.ArgumentParser:
    """Return a parser of ``--backend`` and a shorthand for each name, as a parent of others.

    Nothing is set where none is given, so that the options may stand before a command and after it.

    Args:
        short: whether ``-b`` stands for ``--backend``.
    """
    parser = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    known = aliases()
    one = parser.add_mutually_exclusive_group()
    one.add_argument(
        *(["-b"] if short else []),
        "--backend",
        metavar="NAME",
        type=_resolve,
        help="what computes (default: the environment variable DP_BACKEND, else what the model file "
        "was made for)",
    )
    for backend in sorted(set(known.values())):
        flags = [f"--{name}" for name, target in known.items() if target == backend]
        one.add_argument(
            *flags,
            dest="backend",
            action="store_const",
            const=backend,
            help=f"the same as --backend {backend}",
        )
    return parser


def chosen_backend(args: argparse.Namespace) -> str | None:
    """Return the backend that the user named, on the command line or in ``DP_BACKEND``.

    Raises:
        DPError: ``DP_BACKEND`` names none.
    """
    named: str | None = getattr(args, "backend", None)
    if named is not None or not (default := os.environ.get("DP_BACKEND")):
        return named
    try:
        return _resolve(default)
    except argparse.ArgumentTypeError as error:
        raise DPError(f"the environment variable DP_BACKEND: {error}") from error


def _resolve(name: str) -> str:
    known = aliases()
    if name.lower() not in known:
        raise argparse.ArgumentTypeError(f"unknown backend {name!r}{suggest(name, known)}")
    return known[name.lower()]
