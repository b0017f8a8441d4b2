"""``dp parity``: prove that a model gives the same numbers on every backend."""

import argparse
from typing import TYPE_CHECKING, Any

from dpcore.cli.files import find_model
from dpcore.cli.logs import say
from dpcore.cli.options import add_head
from dpcore.errors import DPError

if TYPE_CHECKING:
    from dpcore.parity import Tolerance

EXAMPLES = """\
examples:
  dp parity model.dp                             every backend that is installed
  dp parity model.dp -s data/water --report parity.html
  dp parity model.dp --dtype float32 --rtol 1e-6 --junit parity.xml

Sums over atoms, such as energies and virials, are compared per atom: in eV/atom, forces in eV/Å."""


def add_parser(subparsers: Any, parents: list[argparse.ArgumentParser]) -> None:
    """Add the command to the program."""
    parser = subparsers.add_parser(
        "parity",
        parents=parents,
        help="compare the numbers of one model on every backend",
        description=(
            "Evaluate one model file on every backend, compare what it predicts with the reference, and\n"
            "exit with 1 if any backend disagrees or fails."
        ),
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", metavar="MODEL", help="the model file, its suffix may be left out")
    add_head(parser)
    _add_input(parser)
    _add_criterion(parser)
    for name, text in (
        ("report", "one HTML file with tables and plots"),
        ("junit", "JUnit XML, for continuous integration"),
        ("json", "everything, for other programs"),
    ):
        parser.add_argument(f"--{name}", metavar="FILE", help=f"write {text}")


def _add_input(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-s",
        "--system",
        nargs="+",
        action="extend",
        metavar="SYSTEM",
        help="data systems, or folders of some (default: a folder data beside the model, else "
        "generated frames)",
    )
    parser.add_argument(
        "-n",
        "--numb-test",
        type=int,
        default=20,
        metavar="N",
        help="most frames of each system, spread over it; 0 for all (default: %(default)s)",
    )
    parser.add_argument(
        "--backends",
        default=None,
        metavar="NAMES",
        help="backends to compare, by name, separated by commas; all (the default) takes those that "
        "are installed",
    )
    parser.add_argument(
        "--reference",
        default="numpy",
        metavar="NAME",
        help="backend to compare with, in float64 (default: %(default)s)",
    )
    parser.add_argument(
        "--device",
        metavar="D",
        help="device of the backends that can use it; the reference keeps its own",
    )


def _add_criterion(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--dtype",
        choices=("float64", "float32"),
        default="float64",
        help="in which the backends compute (default: %(default)s)",
    )
    parser.add_argument(
        "--exact",
        action="store_true",
        help="evaluate the embedding networks on every backend; without it, backends with kernels use "
        "tables. The reference always evaluates the networks, without kernels",
    )
    parser.add_argument(
        "--atol",
        type=float,
        metavar="A",
        help="largest difference allowed, eV/atom and eV/Å (default: 1e-10, for float32 1e-5; where the "
        "unit is not eV, as much of the largest reference value is added)",
    )
    parser.add_argument(
        "--rtol",
        type=float,
        metavar="R",
        help="share of the largest reference value of each quantity, added to it (default: 0)",
    )


def run(args: argparse.Namespace) -> int:
    """Compare, print the table, write what was asked for, and return the exit status."""
    from dpcore.parity import compare_file, table
    from dpcore.parity.files import write_text
    from dpcore.parity.records import as_json, as_junit
    from dpcore.parity.report import as_html, check_packages

    if args.report:
        check_packages()
    result = compare_file(
        find_model(args.model),
        _names(args.backends),
        args.system,
        limit=args.numb_test,
        reference=args.reference,
        dtype=args.dtype,
        tolerance=_tolerance(args),
        device=args.device,
        tables=False if args.exact else None,
        head=args.head,
    )
    for line in table(result).splitlines():
        say(line)
    for path, render in ((args.json, as_json), (args.junit, as_junit), (args.report, as_html)):
        if path:
            write_text(path, render(result))
    return 0 if result.passes else 1


def _tolerance(args: argparse.Namespace) -> "Tolerance | None":
    """Return the tolerance that was asked for, None for that of the model."""
    from dpcore.parity import Tolerance

    if args.atol is None and args.rtol is None:
        return None
    return Tolerance.of(args.dtype, args.atol, args.rtol)


def _names(text: str | None) -> list[str] | None:
    """Return the backends named on the command line, None for all."""
    if text is None:
        return None
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise DPError("backends: no name given; give names separated by commas, or all")
    return None if "all" in names else names
