"""Processes of contestants, and how they are asked."""

import contextlib
import json
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

WORKER = Path(__file__).with_name("worker.py")
PATIENCE = 300.0
"""Seconds that any one answer may take."""

# What the two programs and their frameworks read; some take all cores unless they are told.
THREADS = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "DP_INTRA_OP_PARALLELISM_THREADS",
    "DP_INTER_OP_PARALLELISM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)
# Both programs use the processor alone, and import nothing from the folder they are started in.
FIXED = {
    "CUDA_VISIBLE_DEVICES": "",
    "JAX_PLATFORMS": "cpu",
    "PYTHONSAFEPATH": "1",
    "TF_CPP_MIN_LOG_LEVEL": "2",
}


class Failure(Exception):  # noqa: N818  # nothing is wrong with this program
    """A contestant that cannot go on, with the reason in one line."""


def environment(threads: int, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of a contestant that may use so many threads."""
    counts = dict.fromkeys(THREADS, str(threads))
    return {**os.environ, **counts, **FIXED, **(more or {})}


def cores(threads: int) -> list[int]:
    """Return the cores that contestants are bound to."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))[:threads]
    return list(range(threads))


class Worker:
    """A process that runs `worker.py`, or another script; leaving its context ends it.

    Args:
        python: the interpreter.
        task: what to load, see the script.
        variables: the environment.
        log: file for what the process prints.
        patience: seconds that an answer may take.
        script: what it runs.

    Attributes:
        pid: its number.
        ready: the first answer.
        seconds: from the start of the process to that answer.

    Raises:
        Failure: the process did not start, or could not load.
    """

    def __init__(
        self,
        python: str,
        task: Mapping[str, Any],
        variables: Mapping[str, str],
        log: Path,
        patience: float = PATIENCE,
        script: Path = WORKER,
    ) -> None:
        self._patience, self._rest = patience, b""
        began = time.perf_counter()
        with log.open("w", encoding="utf-8") as stderr:
            try:
                self._process = _start([python, str(script), json.dumps(task)], variables, stderr)
            except OSError as error:
                raise Failure(f"{python}: {error.strerror}") from error
        self.pid = self._process.pid
        try:
            self.ready = self._answer()
        except BaseException:
            self.end()
            raise
        self.seconds = time.perf_counter() - began

    def ask(self, **request: Any) -> dict[str, Any]:
        """Return the answer to a request.

        Raises:
            Failure: an error, the end of the process, or no answer in time.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise Failure(self._how_it_ended()) from error
        return self._answer()

    def end(self) -> None:
        """End the process and all that it started."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.end()

    def _answer(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self._line())
        if "error" in answer:
            raise Failure(answer["error"])
        return answer

    def _line(self) -> bytes:
        assert self._process.stdout is not None
        deadline = time.monotonic() + self._patience
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._rest:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise Failure(f"no answer within {self._patience:g} s")
                found = os.read(self._process.stdout.fileno(), 2**16)
                if not found:
                    raise Failure(self._how_it_ended())
                self._rest += found
        line, _, self._rest = self._rest.partition(b"\n")
        return line

    def _how_it_ended(self) -> str:
        code = self._process.wait()
        if code < 0:
            return f"its process was ended by {signal.Signals(-code).name}"
        return f"its process ended with code {code}"


def _start(
    command: Sequence[str], variables: Mapping[str, str], stderr: IO[str]
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603  # an interpreter that the user names
        command,
        env=dict(variables),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        # An interrupt from the keyboard reaches this program alone, which then ends the others.
        start_new_session=True,
    )
