"""Options that several commands have, and what their values may be."""

import argparse
import math


def count(text: str) -> int:
    """Return the whole number from 0 up that an option was given."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 up")
    return int(text)


def positive(text: str) -> float:
    """Return the positive finite number that an option was given."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return value


def add_head(parser: argparse.ArgumentParser) -> None:
    """Add the choice of a branch of a multi-task model."""
    parser.add_argument(
        "--head",
        "--model-branch",
        metavar="NAME",
        help="the branch of a multi-task model, by its name or an alias",
    )


def add_systems(parser: argparse.ArgumentParser) -> argparse._MutuallyExclusiveGroup:
    """Add the choice of systems, and return the group of options of which one is given."""
    one = parser.add_mutually_exclusive_group()
    one.add_argument(
        "-s",
        "--system",
        default=".",
        metavar="PATH",
        help="a system, or a folder of systems (default: this folder)",
    )
    one.add_argument("-f", "--datafile", metavar="FILE", help="a list of systems, one path a line")
    return one
