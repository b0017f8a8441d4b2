"""The command line."""

import argparse
import datetime as dt
import shlex
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.vs_deepmd.cli import INTERRUPTED, say, terminate
from benchmarks.vs_deepmd.contestants import selected
from benchmarks.vs_deepmd.machine import describe_machine
from benchmarks.vs_deepmd.process import Failure, cores
from benchmarks.vs_deepmd.results import OURS, THEIRS
from benchmarks.vs_deepmd.training.cases import Case, Course, mixed_sizes, water
from benchmarks.vs_deepmd.training.page import section, write_section
from benchmarks.vs_deepmd.training.race import Race
from benchmarks.vs_deepmd.training.results import Found, read_found, write_found
from dpcore.errors import DPError
from dpcore.registry import backend_names

DESCRIPTION = """Measure how long dpcore and DeePMD-kit take for a step of training, in turns.

Contestants are our backends by name and DeePMD-kit's as peer.BACKEND; where there are several ways to make
batches, as BACKEND-BATCH_SIZE and peer.BACKEND-LAYOUT-BATCH_SIZE."""
STEPS = {"water": 25, "molecules": 100}


def main(words: Sequence[str] | None = None) -> int:
    """Run the comparison and return the exit code."""
    words = sys.argv[1:] if words is None else words
    options = build_parser().parse_args(words)
    # The end of this program is to be the end of all that it started.
    before = signal.signal(signal.SIGTERM, terminate)
    try:
        found = _measure(options, words) if options.read is None else read_found(options.read)
    except (DPError, Failure) as error:
        say(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        say("interrupted")
        return INTERRUPTED
    finally:
        signal.signal(signal.SIGTERM, before)
    sys.stdout.write(f"{section(found)}\n")
    if options.write_docs is not None:
        write_section(found, options.write_docs / "performance.md")
    return 0


def _measure(options: argparse.Namespace, words: Sequence[str]) -> Found:
    """Measure a case.

    Raises:
        DPError: there are no data.
        Failure: nobody can train.
    """
    out: Path = options.out / options.case
    out.mkdir(parents=True, exist_ok=True)
    case = _case(options, out)
    pythons = {OURS: sys.executable}
    if options.peer_python is not None:
        # An interpreter of a virtual environment is a link; what it links to has no packages.
        pythons[THEIRS] = str(Path(options.peer_python).absolute())
    courses = _chosen(case, options.select, pythons)
    machine = describe_machine(options.threads, sys.executable, out / "machine.log")
    with Race(courses, pythons, options.threads, out / "runs", say) as race:
        race.start(options.warm_up)
        paces = race.rounds(options.rounds)
    if not paces:
        raise Failure(f"nobody could train; the logs in {out / 'runs'} tell more")
    found = Found(
        case=case.name,
        date=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        machine=machine,
        versions=race.versions,
        model=case.model,
        data=case.data,
        command=_command(words),
        steps=case.steps,
        aim=case.aim,
        learners=tuple(course.learner for course in courses),
        paces=paces,
        remarks=tuple(race.remarks),
    )
    write_found(out / "results.json", found)
    return found


def _case(options: argparse.Namespace, out: Path) -> Case:
    backends, steps = backend_names(), options.steps or STEPS[options.case]
    if options.case == "water":
        if options.input is None or options.data is None:
            raise DPError(
                "water: give --input, DeePMD-kit's water/se_e2_a/input.json, and --data, its folder of systems"
            )
        return water(backends, options.input, options.data, steps)
    return mixed_sizes(backends, out / "data", steps, options.frames, options.descriptor)


def _chosen(case: Case, patterns: Sequence[str], pythons: dict[str, str]) -> list[Course]:
    there = [course for course in case.courses if course.learner.program in pythons]
    names = selected([course.learner.name for course in there], patterns)
    return [course for course in there if course.learner.name in names]


def _command(words: Sequence[str]) -> str:
    """Return the words that measure the same again elsewhere."""
    places = {"--peer-python": "peer/bin/python", "--input": "input.json", "--data": "data"}
    kept, left = list[str](), iter(words)
    for word in left:
        if word in {"--out", "--write-docs"}:
            next(left, None)
            continue
        kept.append(word)
        if word in places:
            next(left, None)
            kept.append(places[word])
    return f"python -m benchmarks.vs_deepmd.training {shlex.join(kept)}"


def build_parser() -> argparse.ArgumentParser:
    """Return the definition of the command line."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.vs_deepmd.training",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    peer = parser.add_mutually_exclusive_group(required=True)
    peer.add_argument("--peer-python", metavar="PATH", help="Python that has DeePMD-kit")
    peer.add_argument("--no-peer", action="store_true", help="measure dpcore alone")
    peer.add_argument("--read", type=Path, metavar="FILE", help="measure nothing, read results")
    add = parser.add_argument
    add("--case", choices=sorted(STEPS), default="water", help="what is trained (%(default)s)")
    add("--input", type=Path, metavar="FILE", help="water: DeePMD-kit's input.json")
    add("--data", type=Path, metavar="DIR", help="water: the folder of its systems")
    add(
        "--frames",
        type=int,
        nargs="+",
        default=[16, 64],
        metavar="N",
        help="molecules: of a step (%(default)s)",
    )
    add(
        "--descriptor",
        choices=["se_e2_a", "se_atten"],
        default="se_e2_a",
        help="molecules: (%(default)s)",
    )
    add(
        "--select",
        nargs="+",
        default=[],
        metavar="PATTERN",
        help="contestants, as 'torch' 'peer.pt*'",
    )
    add("--steps", type=int, metavar="N", help="of a turn (default: water 25, molecules 100)")
    add("--rounds", type=int, default=7, metavar="N", help="turns of each contestant (%(default)s)")
    add(
        "--warm-up",
        type=int,
        default=2,
        metavar="N",
        help="turns before, which compile (%(default)s)",
    )
    every = len(cores(2**16))
    add("--threads", type=int, default=every, metavar="N", help="cores for each (%(default)s)")
    add("--out", type=Path, default=Path("build/training"), metavar="DIR", help="(%(default)s)")
    add(
        "--write-docs",
        type=Path,
        nargs="?",
        const=Path("docs"),
        metavar="DIR",
        help="write the figures into performance.md of a folder (default: docs)",
    )
    return parser
