"""The peer's own files of a model, made by the peer."""

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.vs_deepmd.process import Failure

# Every suffix that its `convert-backend` writes and its `DeepPot` reads, and its PyTorch's checkpoints.
SUFFIXES = ("pb", "pt", "pth", "pt2", "hlo", "savedmodel", "savedmodeltf", "dp")
# Those that its `compress` takes, with the option that names their framework.
COMPRESSIBLE = {"pb": "--tf", "pth": "--pt", "pt2": "--pt-expt", "hlo": "--jax", "dp": "--dp"}
CHECKPOINT = Path(__file__).with_name("checkpoint.py")
PROGRAM = ("-m", "deepmd")
SECONDS = 600.0
"""How long making a file may take."""

# What Python prints at the end of a traceback: the name of an exception, and what it says.
_ERROR = re.compile(r"^\s*(?:\w+\.)*([A-Z]\w*[a-z]\w*: \S.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Peer:
    """DeePMD-kit in an environment of its own.

    Attributes:
        python: its interpreter.
        variables: the environment that its commands run in.
        model: the ``.dp`` that everything is made from, alone in a folder that the files are written to.
        script: a training script that names a system, from which `compress` takes the least distance.
    """

    python: str
    variables: Mapping[str, str]
    model: Path
    script: Path

    def convert(self, suffix: str) -> Path:
        """Return the model as a file of the peer's.

        Raises:
            Failure: the peer cannot make it.
        """
        target = self.model.with_suffix(f".{suffix}")
        if target != self.model:
            files = str(self.model), str(target)
            script = [str(CHECKPOINT)] if suffix == "pt" else [*PROGRAM, "convert-backend"]
            self._run(*script, *files, makes=target)
        return target

    def compress(self, plain: Path) -> Path:
        """Return a file of the peer's, compressed by the peer with its default settings.

        Raises:
            Failure: the peer cannot make it.
        """
        suffix = plain.suffix.removeprefix(".")
        target = plain.with_stem("compressed")
        words = ("-i", str(plain), "-o", str(target), "-t", str(self.script))
        self._run(*PROGRAM, COMPRESSIBLE[suffix], "compress", *words, makes=target)
        return target

    def _run(self, *words: str, makes: Path) -> None:
        _remove(makes)
        try:
            done = subprocess.run(  # noqa: S603  # an interpreter that the user names
                [self.python, *words],
                # Compressing leaves files in the working folder.
                cwd=self.model.parent,
                env=dict(self.variables),
                capture_output=True,
                text=True,
                errors="replace",
                timeout=SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise Failure(f"cannot be made: it took longer than {SECONDS:g} s") from None
        except OSError as error:
            raise Failure(f"{self.python}: {error.strerror}") from error
        if done.returncode or not makes.exists():
            raise Failure(f"cannot be made: {reason(done.stderr, done.returncode)}")


def _remove(path: Path) -> None:
    """Remove what an earlier comparison left, so that it cannot pass for what is made now."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def reason(printed: str, code: int) -> str:
    """Return the error in what a Python program printed before it ended."""
    errors = _ERROR.findall(printed)
    return errors[-1][:200] if errors else f"exit code {code}"


def write_script(path: Path, model: Mapping[str, object], system: Path) -> None:
    """Write the training script of a model and one system."""
    training = {"training_data": {"systems": [str(system)], "batch_size": 1}, "numb_steps": 1}
    # Asked for, though nothing is trained.
    rate = {"type": "exp", "start_lr": 1e-3, "stop_lr": 1e-8}
    script = {"model": model, "learning_rate": rate, "loss": {}, "training": training}
    path.write_text(json.dumps(script, indent=1), encoding="utf-8")
