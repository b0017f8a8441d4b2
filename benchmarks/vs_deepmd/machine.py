"""What the machine can do, and what the programs take to start."""

import os
import platform
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.vs_deepmd.process import Failure, Worker, cores, environment
from benchmarks.vs_deepmd.results import Machine

WIDTH = 1536
"""Rows and columns of the matrices whose product is the roof: their time is all arithmetic."""
COMMAND_SECONDS = 60.0


def describe_machine(threads: int, python: str, log: Path) -> Machine:
    """Measure the product of two matrices, and name the machine."""
    with Worker(
        python, {"program": "numpy", "cores": cores(threads)}, environment(threads), log
    ) as worker:
        speed = {
            dtype: worker.ask(multiply=dtype, width=WIDTH)["speed"]
            for dtype in ("float64", "float32")
        }
    system = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    return Machine(_processor(), system, threads, _memory("MemTotal") or 0.0, speed)


def faster(one: Machine, other: Machine) -> Machine:
    """Return the machine with the better of two measurements."""
    speed = {dtype: max(speed, other.speed[dtype]) for dtype, speed in one.speed.items()}
    return replace(one, speed=speed)


def available_memory() -> float | None:
    """Return the memory that is left, MiB, or None where the system does not tell."""
    found = _memory("MemAvailable")
    return None if found is None else 1024 * found


def busy(seconds: float = 1.0) -> float | None:
    """Return the share of the cores that programs take at the moment, or None if it is not known."""
    before = _ticks()
    time.sleep(seconds)
    after = _ticks()
    if before is None or after is None or after.total == before.total:
        return None
    return 1.0 - (after.idle - before.idle) / (after.total - before.total)


@dataclass(frozen=True)
class _Ticks:
    """Time of all cores, in units of the system."""

    idle: int
    total: int


def _ticks() -> _Ticks | None:
    path = Path("/proc/stat")
    if not path.is_file():
        return None
    counts = [int(n) for n in path.read_text(encoding="utf-8").splitlines()[0].split()[1:9]]
    return _Ticks(counts[3] + counts[4], sum(counts))


def command_seconds(
    programs: Mapping[str, Path], repeats: int, threads: int
) -> dict[str, tuple[float, ...]]:
    """Return how long ``dp -h`` of each program takes, s, run in turns.

    Raises:
        Failure: a program does not work.
    """
    times: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(repeats):
        for name, path in programs.items():
            times[name].append(_time_help(path, threads))
    return {name: tuple(values) for name, values in times.items()}


def _time_help(program: Path, threads: int) -> float:
    began = time.perf_counter()
    try:
        subprocess.run(  # noqa: S603  # the programs that are compared
            [str(program), "-h"],
            env=environment(threads),
            capture_output=True,
            timeout=COMMAND_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise Failure(f"{program} -h: {type(error).__name__}") from error
    return time.perf_counter() - began


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _memory(what: str) -> float | None:
    """Return an amount of memory, GiB."""
    path = Path("/proc/meminfo")
    if path.is_file():
        lines = path.read_text(encoding="utf-8").splitlines()
        found = [line.split()[1] for line in lines if line.startswith(f"{what}:")]
        return float(found[0]) / 2**20 if found else None
    if what == "MemTotal" and "SC_PHYS_PAGES" in os.sysconf_names:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return None
