"""Runs in turns, on the same cores."""

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.vs_deepmd.process import Failure, Worker, cores, environment
from benchmarks.vs_deepmd.results import OURS, Remark
from benchmarks.vs_deepmd.tournament import PAUSE, rotated
from benchmarks.vs_deepmd.training.cases import Course
from benchmarks.vs_deepmd.training.results import Pace

TRAINER = Path(__file__).with_name("trainer.py")
MODULES = {OURS: "dpcore"}
THEIR_MODULE = "deepmd"


class Race:
    """Runs that stop after each so many steps; leaving the context ends them.

    Args:
        courses: who takes part.
        pythons: the interpreters by program.
        threads: cores, and threads of each.
        folder: for what runs write.
        say: told about progress.
        patience: seconds that a turn may take.

    Attributes:
        versions: of the packages, by program.
        remarks: who is missing, and why.
    """

    def __init__(
        self,
        courses: Sequence[Course],
        pythons: dict[str, str],
        threads: int,
        folder: Path,
        say: Callable[[str], None],
        patience: float = 300.0,
    ) -> None:
        self.versions: dict[str, dict[str, str]] = {}
        self.remarks: list[Remark] = []
        self._courses = {course.learner.name: course for course in courses}
        self._pythons, self._threads, self._folder = pythons, threads, folder.absolute()
        self._say, self._patience = say, patience
        self._workers: dict[str, Worker] = {}
        self._first: dict[str, float] = {}
        self._step: dict[str, int] = {}
        self._samples: dict[str, list[float]] = {}
        self._work: dict[str, list[float]] = {}
        self._peak: dict[str, float] = {}

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

    def start(self, warm_up: int) -> None:
        """Start all, one after another, and let each compile what it compiles.

        Args:
            warm_up: turns that do not count.
        """
        for name in self._courses:
            try:
                self._start(name)
                for _ in range(warm_up):
                    seconds = self._turn(name)
                self._say(
                    f"{name}: first steps after {self._first[name]:.1f} s, then {seconds:.3g} s each"
                )
            except Failure as failure:
                self._leave_out(name, str(failure))

    def rounds(self, number: int) -> dict[str, Pace]:
        """Return how fast everybody trains, by name."""
        for turn in range(number):
            self._say(f"round {turn + 1} of {number}")
            for name in rotated(list(self._workers), turn):
                try:
                    self._samples[name].append(self._turn(name))
                except Failure as failure:
                    self._leave_out(name, str(failure))
        return {
            name: Pace(
                self._first[name],
                tuple(self._samples[name]),
                tuple(self._work[name][-len(self._samples[name]) :]),
                self._peak[name],
            )
            for name in self._workers
        }

    def _start(self, name: str) -> None:
        course, folder = self._courses[name], self._folder / name.replace(":", "-")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "input.json").write_text(json.dumps(course.script, indent=1), encoding="utf-8")
        program = course.learner.program
        task = {
            "module": MODULES.get(program, THEIR_MODULE),
            "words": course.words,
            "folder": str(folder),
            "cores": cores(self._threads),
        }
        worker = Worker(
            self._pythons[program],
            task,
            environment(self._threads),
            folder / "log",
            self._patience,
            TRAINER,
        )
        self._workers[name], self._samples[name], self._work[name] = worker, [], []
        self._first[name], self._step[name] = worker.seconds, worker.ready["step"]
        self.versions.setdefault(program, {}).update(worker.ready["versions"])

    def _turn(self, name: str) -> float:
        """Return the seconds of a step."""
        time.sleep(PAUSE)
        answer, before = self._workers[name].ask(), self._step[name]
        self._step[name], self._peak[name] = answer["step"], answer.get("peak", 0.0)
        self._work[name].append(answer["work"] / (answer["step"] - before))
        seconds: float = answer["seconds"] / (answer["step"] - before)
        return seconds

    def _leave_out(self, name: str, reason: str) -> None:
        if name in self._workers:
            self._workers.pop(name).end()
        log = self._folder / name.replace(":", "-") / "log"
        said = (
            log.read_text(encoding="utf-8", errors="replace").split("\n") if log.is_file() else []
        )
        last = next((line.strip() for line in reversed(said) if line.strip()), "")
        reason = f"{reason}: {last[:200]}" if last else reason
        self._say(f"{name}: {reason}")
        self.remarks.append(Remark(name, reason))
