"""The process of one contestant: a run of ``dp train`` that stops whenever it shows how far it is.

It is run as a script, by the Python of either program, with its task as a JSON argument; so it needs the
standard library and that program only. Both programs log a line after each so many steps. Whenever they are
about to, this process writes a line of JSON with the seconds that the steps took, and does nothing until it
reads a line.
"""

import json
import logging
import os
import re
import runpy
import sys
import threading
import time
from importlib import metadata
from pathlib import Path
from typing import Any, TextIO

# How the lines begin that say how far a run is, and what they tell besides.
LINE = re.compile(r"(?:step|Batch)\s+(\d+):.*(?:s/step|wall time)")
PACKAGES = ["dpcore", "dpcore-kernels", "deepmd-kit", "numpy", "torch", "jax"]
PACKAGES += ["tensorflow", "tensorflow-cpu"]


class Turns:
    """Stops the run at each line that says how far it is.

    Args:
        answers: where the seconds are told.
    """

    def __init__(self, answers: TextIO) -> None:
        self._answers, self._began, self._worked = answers, time.perf_counter(), 0.0
        self._thread, self._make = threading.get_ident(), logging.getLogRecordFactory()

    def __call__(self, *args: Any, **more: Any) -> logging.LogRecord:
        """Return a record of the log; where it says how far the run is, only when the turn is over."""
        record = self._make(*args, **more)
        found = LINE.search(record.getMessage())
        if found is not None and threading.get_ident() == self._thread:
            self._pause(int(found[1]))
        return record

    def _pause(self, step: int) -> None:
        times = {
            "seconds": time.perf_counter() - self._began,
            "work": time.process_time() - self._worked,
        }
        self.tell({"step": step, **times, **memory(), "versions": versions()})
        if not sys.stdin.readline():
            os._exit(0)
        self._began, self._worked = time.perf_counter(), time.process_time()

    def tell(self, answer: dict[str, Any]) -> None:
        """Write an answer."""
        self._answers.write(json.dumps(answer) + "\n")
        self._answers.flush()


def main() -> None:
    """Train until the input ends."""
    task = json.loads(sys.argv[1])
    # What anybody else prints goes to the log.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, task["cores"])
    os.chdir(task["folder"])
    turns = Turns(answers)
    logging.setLogRecordFactory(turns)
    sys.argv = [task["module"], *task["words"]]
    try:
        runpy.run_module(task["module"], run_name="__main__")
        what = "it took all its steps"
    except SystemExit as end:
        what = f"it ended with code {end.code}"
    except Exception as error:  # noqa: BLE001  # a program may fail in any way, and the others go on
        what = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    turns.tell({"error": what})


def memory() -> dict[str, float]:
    """Return the resident memory of this process, now and the most so far, MiB."""
    status = Path("/proc/self/status")
    if not status.is_file():
        return {}
    names = {"VmRSS": "resident", "VmHWM": "peak"}
    rows = [line.split() for line in status.read_text(encoding="utf-8").splitlines()]
    found = {row[0].rstrip(":"): row[1] for row in rows if len(row) > 1}
    return {name: float(found[key]) / 1024 for key, name in names.items()}


def versions() -> dict[str, str]:
    """Return the versions of the packages that matter."""
    installed = {name: list(metadata.distributions(name=name)) for name in PACKAGES}
    return {name: found[0].version for name, found in installed.items() if found}


if __name__ == "__main__":
    main()
