"""Contestants in turns, on the same frames and cores."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from benchmarks.vs_deepmd.contestants import Contestant
from benchmarks.vs_deepmd.machine import available_memory
from benchmarks.vs_deepmd.process import Failure, Worker, cores, environment
from benchmarks.vs_deepmd.results import (
    EXACT,
    OURS,
    PLAIN,
    Deviation,
    Remark,
    Size,
    Start,
    Timing,
)

Outputs = dict[str, NDArray[np.float64]]

SAME = 1e-3
"""Largest deviation of forces, relative to their size, at which two programs compute the same."""
SPARE = 0.9
"""Share of the available memory that a contestant may be expected to need."""
FIXED = 1024.0
"""MiB that a first evaluation may take whatever its size; what is beyond grows with the atoms."""
PAUSE = 0.2
"""Seconds between turns: threads of OpenBLAS spin for 0.1 s after their work, and would disturb the next."""


@dataclass(frozen=True)
class Rules:
    """How it is measured.

    Attributes:
        threads: cores, and threads of each contestant.
        rounds: how often every contestant has its turn.
        burst: seconds of a turn, in which a contestant evaluates again and again.
        most: evaluations in a turn at most.
        warm_up: evaluations after the first that do not count: some frameworks optimise late.
        limit: seconds that one evaluation may take.
    """

    threads: int
    rounds: int
    burst: float
    limit: float
    most: int = 20
    warm_up: int = 3


@dataclass
class _Record:
    """What is known of a contestant at one size."""

    first: float
    outputs: Outputs
    times: list[float] = field(default_factory=list)
    samples: list[float] = field(default_factory=list)
    peak: float = 0.0


class Tournament:
    """All contestants, each in a process that lives until the end; leaving its context ends them.

    Args:
        contestants: who takes part.
        rules: how it is measured.
        folder: for logs and outputs.
        say: told about progress.

    Attributes:
        starts: how those that could start did so.
        versions: of the packages, by program.
        remarks: who is missing, and why.
    """

    def __init__(
        self,
        contestants: Sequence[Contestant],
        rules: Rules,
        folder: Path,
        say: Callable[[str], None],
    ) -> None:
        self.starts: dict[str, Start] = {}
        self.versions: dict[str, dict[str, str]] = {}
        self.remarks: list[Remark] = []
        self._contestants = {contestant.name: contestant for contestant in contestants}
        self._workers: dict[str, Worker] = {}
        self._rules, self._folder, self._say = rules, folder, say
        self._last: Size | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for worker in self._workers.values():
            worker.end()

    def start(self) -> None:
        """Start everybody, one after another."""
        for contestant in self._contestants.values():
            try:
                self._start(contestant)
            except Failure as failure:
                self._remark(contestant.name, f"cannot start: {failure}")

    def play(self, frame: Path, atoms: int) -> Size:
        """Measure everybody who can do a frame of this size.

        Raises:
            Failure: nobody can.
        """
        self._leave_out_too_large(atoms)
        records: dict[str, _Record] = {}
        for name in list(self._workers):
            self._guard(name, self._first, frame, records)
        if not records:
            raise Failure(f"{atoms:,} atoms: nobody is left")
        reference = self._reference(records)
        truth = records[reference].outputs
        scale = float(np.sqrt(np.mean(np.square(truth["force"]))))
        deviations = {name: deviation(r.outputs, truth, atoms) for name, r in records.items()}
        for name, found in deviations.items():
            self._check(name, atoms, found, scale)
        for turn in range(self._rules.rounds):
            self._say(f"{atoms:,} atoms: round {turn + 1} of {self._rules.rounds}")
            for name in rotated(list(self._workers), turn):
                self._guard(name, self._turn, frame, records)
        timings = {
            name: Timing(
                first=records[name].first,
                samples=tuple(records[name].samples),
                fastest=min(records[name].times),
                peak=records[name].peak,
                deviation=deviations[name],
            )
            for name in self._workers
        }
        self._last = Size(atoms, reference, scale, timings)
        return self._last

    def _start(self, contestant: Contestant) -> None:
        threads, name = self._rules.threads, contestant.name
        worker = Worker(
            contestant.python,
            {**contestant.task, "cores": cores(threads)},
            environment(threads, contestant.variables),
            self._folder / f"{name}.log",
        )
        self._workers[name] = worker
        ready = worker.ready
        self.versions.setdefault(contestant.entry.program, {}).update(ready["versions"])
        self.starts[name] = Start(worker.seconds, ready["imported"], ready["loaded"], ready["peak"])
        self._say(f"{name}: started in {worker.seconds:.1f} s, {ready['peak']:.0f} MiB")

    def _first(self, name: str, frame: Path, records: dict[str, _Record]) -> None:
        """Evaluate for the first time, and until the speed is steady."""
        path, worker = self._folder / f"{name}.npz", self._workers[name]
        first = worker.ask(frame=str(frame), seconds=0.0, most=1, save=str(path))["times"][0]
        with np.load(path) as stored:
            outputs = {key: np.ravel(stored[key]) for key in stored.files}
        warm = worker.ask(frame=str(frame), seconds=1e9, most=self._rules.warm_up)["times"]
        self._say(f"{name}: first {first:.2f} s, then {min(warm):.3g} s")
        if min(warm) > self._rules.limit:
            raise Failure(f"one evaluation takes {min(warm):.3g} s")
        records[name] = _Record(first, outputs)

    def _turn(self, name: str, frame: Path, records: dict[str, _Record]) -> None:
        """Let a contestant evaluate for a while."""
        rules, record = self._rules, records[name]
        time.sleep(PAUSE)
        answer = self._workers[name].ask(frame=str(frame), seconds=rules.burst, most=rules.most)
        record.times += answer["times"]
        record.samples.append(median(answer["times"]))
        record.peak = answer["peak"]

    def _guard(
        self,
        name: str,
        work: Callable[[str, Path, dict[str, _Record]], None],
        frame: Path,
        records: dict[str, _Record],
    ) -> None:
        """Do something with a contestant; one that fails is out."""
        try:
            work(name, frame, records)
        except Failure as failure:
            self._leave_out(name, str(failure))

    def _leave_out(self, name: str, reason: str) -> None:
        self._workers.pop(name).end()
        self._remark(name, reason)

    def _remark(self, name: str, reason: str) -> None:
        remark = Remark(name, reason)
        if remark not in self.remarks:
            self._say(f"{name}: {reason}")
            self.remarks.append(remark)

    def _leave_out_too_large(self, atoms: int) -> None:
        """End those that would take too long or too much memory, which makes room for the others."""
        last = self._last
        if last is None:
            return
        for name, timing in last.timings.items():
            scale, memory = atoms / last.atoms, available_memory()
            seconds = timing.fastest * scale
            needed = max(0.0, timing.peak - self.starts[name].peak - FIXED) * scale
            if seconds > self._rules.limit:
                self._leave_out(
                    name, f"{atoms:,} atoms left out: they would take about {seconds:.0f} s"
                )
            elif memory is not None and needed > SPARE * memory:
                gib = needed / 1024
                self._leave_out(
                    name, f"{atoms:,} atoms left out: they would need about {gib:.0f} GiB"
                )

    def _reference(self, records: dict[str, _Record]) -> str:
        """Return the contestant that the others are compared with: ours, through the networks."""

        def rank(name: str) -> tuple[bool, ...]:
            entry = self._contestants[name].entry
            whole = np.isfinite(records[name].outputs["force"]).all()
            nets = entry.mode in {EXACT, PLAIN}
            return not whole, entry.dtype != "float64", entry.program != OURS, not nets

        return min(records, key=rank)

    def _check(self, name: str, atoms: int, found: Deviation, scale: float) -> None:
        """Leave out a contestant that computes something else; a figure for it would mean nothing."""
        worst = max(found.energy, found.force or 0.0)
        if not worst <= SAME * scale:
            text = f"energy {found.energy:.1e} eV an atom, force {found.force or 0.0:.1e} eV/Å"
            self._leave_out(name, f"{atoms:,} atoms: its numbers are others: {text}")
        elif found.force is None:
            self._remark(name, "gives no forces, so nothing is compared with it")


def deviation(outputs: Outputs, reference: Outputs, atoms: int) -> Deviation:
    """Return the largest differences between two programs' numbers."""

    def largest(key: str) -> float | None:
        difference = np.abs(outputs[key] - reference[key])
        return float(difference.max()) if np.isfinite(outputs[key]).all() else None

    virial, energy = largest("virial"), largest("energy")
    return Deviation(
        energy=np.inf if energy is None else energy / atoms,
        force=largest("force"),
        virial=None if virial is None else virial / atoms,
    )


def rotated(names: Sequence[str], by: int) -> list[str]:
    """Return the names in an order that starts with another one in each round."""
    start = by % len(names) if names else 0
    return [*names[start:], *names[:start]]
