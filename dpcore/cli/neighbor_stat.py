"""``dp neighbor-stat``: how close atoms are and how many neighbours they have."""

import argparse
import logging
import math
from typing import Any

from dpcore.cli.logs import say
from dpcore.cli.options import positive
from dpcore.errors import DPError

log = logging.getLogger(__name__)

EXAMPLES = """\
examples:
  dp neighbor-stat -s data -r 6.0 -t O H          the most neighbours of each type
  dp neighbor-stat -s data -r 6.0 --mixed-type    the most neighbours of all types together

A model's 'sel' should be a little larger than the most neighbours; 'auto' in a training input takes 1.1 times
that, rounded up to a multiple of 4."""


def add_parser(subparsers: Any, parents: list[argparse.ArgumentParser]) -> None:
    """Add the command to the program."""
    parser = subparsers.add_parser(
        "neighbor-stat",
        help="count neighbours in data",
        description="Print the distance of the two closest atoms in data, and the most neighbours of an atom.",
        epilog=EXAMPLES,
        parents=parents,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "-s",
        "--system",
        default=".",
        metavar="PATH",
        help="a system, or a folder of systems (default: this folder)",
    )
    parser.add_argument(
        "-r",
        "--rcut",
        type=positive,
        required=True,
        metavar="RCUT",
        help="cutoff within which neighbours are counted, Å",
    )
    parser.add_argument(
        "-t",
        "--type-map",
        nargs="+",
        metavar="TYPE",
        help="names of the types, in the order to count them (default: those of the data)",
    )
    parser.add_argument(
        "--mixed-type",
        "--one-type",
        action="store_true",
        help="count neighbours of all types together, as for descriptors with one number in sel",
    )


def run(args: argparse.Namespace) -> int:
    """Count neighbours and print what was found.

    Raises:
        DPError: data that cannot be read, atoms at the same place, or no two atoms within the cutoff.
    """
    from dpcore.data import find_systems
    from dpcore.data.type_names import type_names
    from dpcore.train.data import open_data
    from dpcore.train.settings import TrainingData
    from dpcore.train.statistics import neighbour_statistics

    paths = find_systems(args.system)
    names = tuple(args.type_map or type_names(paths))
    data = open_data(TrainingData(systems=tuple(paths)), names, (), args.system)
    found = neighbour_statistics(data.sources, [args.rcut], len(names))
    if math.isinf(found.shortest):
        raise DPError(f"{args.system}: no two atoms are within {args.rcut:g} Å; take a larger -r")
    if found.alone is not None:
        log.warning("%s: has no neighbour within %g Å", found.alone, args.rcut)
    crowd = found.crowds[args.rcut]
    if not args.type_map and not args.mixed_type:
        say(f"type_map: {' '.join(names)}")
    say(f"min_nbor_dist: {found.shortest:.6f}")
    say(f"max_nbor_size: {[crowd.total] if args.mixed_type else crowd.by_type.tolist()}")
    return 0
