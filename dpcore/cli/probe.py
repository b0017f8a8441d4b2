"""Trying a backend in a process of its own, which an import that crashes or hangs cannot take along."""

import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from dpcore.errors import DPError

SECONDS = 180


@dataclass(frozen=True)
class Finding:
    """What was found out about a backend.

    Attributes:
        version: version of its framework.
        devices: kinds of device that it sees.
        problem: why it cannot be used, in one line; None if it can.
    """

    version: str = ""
    devices: tuple[str, ...] = ()
    problem: str | None = None


def probe(name: str) -> Finding:
    """Load a backend in another process and tell what it has."""
    # -P: the working folder may hold files that are called like a package.
    return ask([sys.executable, "-P", "-m", "dpcore.cli.probe", name])


def ask(command: Sequence[str], seconds: float = SECONDS) -> Finding:
    """Return what a process prints about a backend, or how it died."""
    try:
        done = subprocess.run(  # noqa: S603  # the command is this interpreter
            command, capture_output=True, text=True, errors="replace", timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        return Finding(problem=f"its import did not end within {seconds:g} s")
    if done.returncode < 0:
        ended_by = signal.Signals(-done.returncode).name
        return Finding(problem=f"its import crashes ({ended_by})")
    try:
        answer = json.loads(done.stdout.splitlines()[-1])
        return Finding(answer["version"], tuple(answer["devices"]), answer["problem"])
    except (IndexError, ValueError, KeyError, TypeError):
        last = (done.stderr.strip().splitlines() or ["it printed nothing"])[-1]
        return Finding(problem=f"its import ends Python with code {done.returncode}: {last}")


def look(name: str) -> Finding:
    """Load a backend in this process and tell what it has."""
    from dpcore.registry import backend

    try:
        adapter = backend(name)
        devices = [kind for kind in adapter.capabilities.devices if _sees(adapter, kind)]
        return Finding(adapter.version(), tuple(devices))
    except DPError as error:
        return Finding(problem=str(error))
    except Exception as error:  # noqa: BLE001  # an import may fail in any way
        return Finding(problem=" ".join(f"{type(error).__name__}: {error}".split()))


def _sees(adapter: object, kind: str) -> bool:
    try:
        adapter.device(kind)  # type: ignore[attr-defined]
    except DPError:
        return False
    return True


if __name__ == "__main__":
    print(json.dumps(vars(look(sys.argv[1]))))
