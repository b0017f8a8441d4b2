"""Run a script on a backend, in a process and a folder of its own."""

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.example_scripts.results import Outcome, Result, marks_of
from benchmarks.example_scripts.scripts import PARTS, shortened
from dpcore.registry import format_of
from dpcore.train.checkpoints import Checkpoints
from dpcore.train.curve import read_curve

_UNEXPECTED = "(unexpected: "


@dataclass(frozen=True)
class Bench:
    """How scripts are run.

    Attributes:
        examples: the folder of the examples.
        steps: how many steps.
        limit: seconds that a run may take.
    """

    examples: Path
    steps: int
    limit: float

    def run(self, script: str, backend: str) -> Result:
        """Return what becomes of a script on a backend."""
        began = time.perf_counter()
        with tempfile.TemporaryDirectory(prefix="dpcore-example-") as name:
            there = Path(name).resolve()
            for part in PARTS.get(script, ()):
                found = self._train(there, part.script, backend)
                target = (there / script).with_name(part.made)
                if found.outcome != "ran" or not _frozen(there / part.script, target):
                    return Result("failed", message=f"{part.script}: {found.message}")
            result = self._train(there, script, backend)
        return Result(**{**vars(result), "seconds": round(time.perf_counter() - began, 1)})

    def _train(self, there: Path, script: str, backend: str) -> Result:
        path = laid_out(self.examples, there, script, self.steps)
        words = [sys.executable, "-m", "dpcore", "--backend", backend, "train", path.name]
        try:
            done = subprocess.run(  # noqa: S603  # our own words
                words,
                cwd=path.parent,
                capture_output=True,
                text=True,
                timeout=self.limit,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Result("too slow", message=f"not done after {self.limit:g} s")
        if done.returncode:
            return _ended(done.returncode, done.stderr, there)
        return left_in(path.parent)


def laid_out(examples: Path, there: Path, script: str, steps: int) -> Path:
    """Return a script that takes so many steps, in folders like those of the examples.

    Args:
        examples: the folder of the examples.
        there: the folder for links to their files.
        script: the script.
        steps: how many steps.
    """
    _link(examples, there)
    path = there / script
    text = json.dumps(shortened(path, steps), indent=2)
    for part in PARTS.get(script, ()):
        text = text.replace(part.file, part.made)
    path.unlink()
    path.write_text(text, encoding="utf-8")
    return path


def _link(examples: Path, there: Path) -> None:
    """Make folders as those of the examples, with links to their files; what is there stays."""
    for folder, _, files in os.walk(examples):
        place = there / Path(folder).relative_to(examples)
        place.mkdir(parents=True, exist_ok=True)
        for name in files:
            target = place / name
            if not target.exists():
                target.symlink_to(Path(folder, name))


def _frozen(script: Path, target: Path) -> bool:
    """Freeze the model that a script has trained, and return whether that could be done."""
    words = [sys.executable, "-m", "dpcore", "freeze", "-o", str(target)]
    done = subprocess.run(words, cwd=script.parent, capture_output=True, check=False)  # noqa: S603  # our own words
    for left in script.parent.glob("model.ckpt*"):
        left.unlink()
    return done.returncode == 0


def _ended(code: int, said: str, there: Path) -> Result:
    """Return what the last line tells of a run that came to no end."""
    lines = [line for line in said.splitlines() if line.strip()]
    last = lines[-1] if lines else f"exit code {code}"
    message = last.partition("error: ")[2] or last
    refused = code == 1 and _UNEXPECTED not in message
    outcome: Outcome = "refused" if refused else "failed"
    return Result(outcome, message=message.replace(f"{there}/", ""))


def left_in(folder: Path) -> Result:
    """Return what a run that came to its end has left in its folder."""
    training = json.loads((folder / "out.json").read_text(encoding="utf-8"))["training"]
    save = training.get("save_dir")
    files = Checkpoints(
        folder / training["save_ckpt"], folder=None if save is None else folder / save
    )
    last = max(files.steps())
    state = format_of(files.path(last)).read(files.path(last)).training
    assert state is not None
    curve = read_curve(folder / training["disp_file"])
    return Result(
        "ran",
        steps=int(last),
        errors={name: float(column[-1]) for name, column in curve.items()},
        marks={
            name: marks_of(np.asarray(array, np.float64).ravel())
            for name, array in sorted(state.arrays.items())
            if name.startswith(("vector", "state.")) and array.size > 1
        },
    )
