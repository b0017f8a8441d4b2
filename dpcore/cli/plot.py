"""``dp plot``: pictures of a learning curve, and of a test."""

import argparse
from pathlib import Path
from typing import Any

from dpcore.cli.logs import say

EXAMPLES = """\
examples:
  dp plot lcurve.out                     the learning curve, lcurve.png
  dp plot lcurve.out -o curve.svg        the same as SVG
  dp test -m model.dp -s data -d detail
  dp plot test detail                    predictions over labels, detail.png"""


def add_parser(subparsers: Any, parents: list[argparse.ArgumentParser]) -> None:
    """Add the command to the program."""
    parser = subparsers.add_parser(
        "plot",
        help="draw a learning curve, or predictions over labels",
        description="Draw the learning curve of a training run, or what 'dp test -d' has written.",
        epilog=EXAMPLES,
        parents=parents,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "FILE", help="a learning curve such as lcurve.out; or the word 'test' before a prefix"
    )
    parser.add_argument("PREFIX", nargs="?", help="the prefix that 'dp test -d' was given")
    parser.add_argument(
        "-o",
        "--output",
        metavar="PICTURE",
        help="the picture, .png, .svg or .pdf (default: FILE.png or PREFIX.png)",
    )


def run(args: argparse.Namespace) -> int:
    """Draw a picture.

    Raises:
        DPError: a file that is missing or damaged, or a picture that cannot be written.
    """
    if args.PREFIX is None:
        from dpcore.plots.curve import plot_curve
        from dpcore.train.curve import read_curve

        path = Path(args.output or Path(args.FILE).with_suffix(".png"))
        plot_curve(read_curve(Path(args.FILE)), path)
    else:
        from dpcore.errors import DPError
        from dpcore.plots.parity import plot_parity, read_details

        if args.FILE != "test":
            raise DPError(
                f"dp plot {args.FILE} {args.PREFIX}: give one learning curve, or 'test' and a prefix"
            )
        path = Path(args.output or f"{args.PREFIX}.png")
        plot_parity(read_details(args.PREFIX), path)
    say(f"{path}")
    return 0
