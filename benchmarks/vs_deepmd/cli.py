"""The command line."""

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.vs_deepmd.compare import Plan, compare
from benchmarks.vs_deepmd.examples import EXAMPLES
from benchmarks.vs_deepmd.page import summary, write_page
from benchmarks.vs_deepmd.process import Failure, cores
from benchmarks.vs_deepmd.results import read_comparison
from benchmarks.vs_deepmd.tournament import Rules
from benchmarks.vs_deepmd.water import DESCRIPTORS
from dpcore.errors import DPError
from dpcore.registry import backend_names, canonical_backend

SIZES, QUICK_SIZES = (192, 1536, 3072, 12288), (192,)
ROUNDS, QUICK_ROUNDS = 9, 3
BURST, QUICK_BURST = 0.4, 0.1
INTERRUPTED, TERMINATED = 130, 143

DESCRIPTION = """Measure dpcore and DeePMD-kit in turns, on the same model and frames.

Contestants are called BACKEND, BACKEND-exact, BACKEND-float32 and BACKEND-exact-float32, NumPy without its
kernels numpy-nokernels and so on, files of DeePMD-kit peer.SUFFIX and peer.SUFFIX-compressed."""


def main(words: Sequence[str] | None = None) -> int:
    """Run the comparison and return the exit code."""
    options = build_parser().parse_args(words)
    # The end of this program is to be the end of all that it started.
    before = signal.signal(signal.SIGTERM, terminate)
    try:
        if options.read is None:
            comparison = compare(plan_of(options), say)
        else:
            comparison = read_comparison(options.read)
    except (DPError, Failure) as error:
        say(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        say("interrupted")
        return INTERRUPTED
    finally:
        signal.signal(signal.SIGTERM, before)
    sys.stdout.write(f"{summary(comparison)}\n")
    if options.write_docs is not None:
        write_page(comparison, options.write_docs)
    return 0


def say(text: str) -> None:
    """Tell about progress."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def terminate(*_: object) -> None:
    """End this program, and with it all that it started, as SIGTERM asks for."""
    say("terminated")
    sys.exit(TERMINATED)


def plan_of(options: argparse.Namespace) -> Plan:
    """Return what the options ask for."""
    quick = options.quick
    rules = Rules(
        threads=options.threads,
        rounds=options.rounds or (QUICK_ROUNDS if quick else ROUNDS),
        burst=options.burst or (QUICK_BURST if quick else BURST),
        limit=options.limit,
    )
    return Plan(
        peer_python=options.peer_python,
        sizes=tuple(options.sizes or (QUICK_SIZES if quick else SIZES)),
        backends=tuple(map(canonical_backend, options.backends or backend_names())),
        patterns=tuple(options.select),
        rules=rules,
        frame=options.frame,
        descriptor=options.descriptor,
        type_one_side=options.one_side,
        out=options.out,
    )


def build_parser() -> argparse.ArgumentParser:
    """Return the definition of the command line."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.vs_deepmd",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    peer = parser.add_mutually_exclusive_group(required=True)
    peer.add_argument("--peer-python", metavar="PATH", help="Python that has DeePMD-kit")
    peer.add_argument("--no-peer", action="store_true", help="measure dpcore alone")
    peer.add_argument(
        "--read", type=Path, metavar="FILE", help="measure nothing, read a results.json"
    )
    _add_choices(parser)
    _add_figures(parser)
    return parser


def _add_choices(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--sizes",
        type=_count,
        nargs="+",
        metavar="N",
        help=f"numbers of atoms (default: {_listed(SIZES)})",
    )
    add("--backends", nargs="+", metavar="NAME", help="backends of dpcore (default: all)")
    add("--select", nargs="+", default=[], metavar="PATTERN", help="contestants, as 'torch*'")
    add("--frame", metavar="SYSTEM", help="periodic system of water in DeePMD-kit's layouts")
    add(
        "--descriptor",
        choices=sorted([*DESCRIPTORS, *EXAMPLES]),
        default="se_e2_a",
        help="descriptor of the model, or one of DeePMD-kit's examples (%(default)s)",
    )
    add("--one-side", action="store_true", help="a model with type_one_side")
    add("--quick", action="store_true", help="192 atoms, few and short turns")
    add("--out", type=Path, default=Path("build/benchmarks"), metavar="DIR", help="(%(default)s)")
    add(
        "--write-docs",
        type=Path,
        nargs="?",
        const=Path("docs"),
        metavar="DIR",
        help="write performance.md and its plot into a folder (default: docs)",
    )


def _add_figures(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    every = len(cores(2**16))
    add("--rounds", type=_count, metavar="N", help=f"turns of each contestant (default: {ROUNDS})")
    add("--burst", type=float, metavar="S", help=f"seconds of a turn (default: {BURST})")
    add("--limit", type=float, default=10.0, metavar="S", help="for one evaluation (%(default)s)")
    add("--threads", type=_count, default=every, metavar="N", help="cores for each (%(default)s)")


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text}: give a number above 0")
    return value


def _listed(values: Sequence[int]) -> str:
    return " ".join(map(str, values))
