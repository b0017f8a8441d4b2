"""``python -m benchmarks.example_scripts EXAMPLES``: train with each script for a few steps, and write the page.

Results are written as they come, so that an interrupted run can be gone on with.
"""

import argparse
import math
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

from benchmarks.example_scripts.page import page
from benchmarks.example_scripts.results import Results, add_result, read_results
from benchmarks.example_scripts.scripts import scripts_in
from benchmarks.example_scripts.trial import Bench
from dpcore.cli.logs import say
from dpcore.registry import canonical_backend

_DOCS = Path(__file__).resolve().parents[2] / "docs"


def main() -> int:
    """Run the program."""
    args = _parse()
    names = scripts_in(args.examples)
    if not names:
        sys.exit(f"{args.examples}: there are no scripts in it")
    stored: Path = args.out.with_suffix(".json")
    bench = Bench(args.examples.resolve(), args.steps, args.limit)
    results = read_results(stored)
    wanted = [name for name in names if any(fnmatch(name, glob) for glob in args.scripts)]
    for script, backend in _runs(args, wanted, results):
        result = bench.run(script, backend)
        results = add_result(stored, script, backend, result)
        say(f"{script} {backend}: {result.outcome} {result.seconds} s {result.message}")
        args.out.write_text(page(results, names, args.steps), encoding="utf-8")
    args.out.write_text(page(results, names, args.steps), encoding="utf-8")
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.example_scripts",
        description=(__doc__ or "").partition(": ")[2].partition("\n")[0],
    )
    parser.add_argument(
        "examples", type=Path, help="the folder `examples` of DeePMD-kit, whole or its data alone"
    )
    parser.add_argument(
        "--scripts",
        nargs="+",
        default=["*"],
        metavar="GLOB",
        help="which scripts, by path (default: all)",
    )
    parser.add_argument(
        "--backends",
        nargs="+",
        type=canonical_backend,
        default=["torch", "jax", "tensorflow"],
        metavar="NAME",
        help="where (default: torch jax tensorflow)",
    )
    parser.add_argument("--steps", type=int, default=3, help="how many (default: %(default)s)")
    parser.add_argument(
        "--limit",
        type=float,
        default=600.0,
        metavar="SECONDS",
        help="end runs that take longer (default: %(default)g)",
    )
    parser.add_argument(
        "--missing", action="store_true", help="leave out what is known to run, or to be refused"
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=_DOCS / "example_scripts.md",
        metavar="FILE",
        help="the page; results are kept beside it, as .json (default: %(default)s)",
    )
    return parser.parse_args()


def _runs(
    args: argparse.Namespace, names: list[str], results: Results
) -> Iterator[tuple[str, str]]:
    """Yield what is to be run: first what was quick before on any backend, as far as is known."""

    def seconds(run: tuple[str, str]) -> float:
        known = results.get(run[0], {})
        return min((result.seconds for result in known.values()), default=math.inf)

    runs = [(script, backend) for script in names for backend in args.backends]
    for script, backend in sorted(runs, key=seconds):
        known = results.get(script, {}).get(backend)
        done = known is not None and known.outcome in {"ran", "refused"}
        if not (args.missing and done):
            yield script, backend


if __name__ == "__main__":
    sys.exit(main())
