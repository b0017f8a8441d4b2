"""Kill a run that writes a checkpoint after each step, again and again, and check what is left.

``python -m benchmarks.kill_runs input.json --times 50 --backend numpy`` trains in a new folder. After each
kill the newest checkpoint must be whole, and the run goes on from it.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from dpcore.cli.logs import say
from dpcore.registry import format_of
from dpcore.train.checkpoints import Checkpoints, newest

_PREFIX = "model.ckpt"


def main() -> int:
    """Run the program."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("input", type=Path, help="the input; paths of its data must be absolute")
    parser.add_argument("--times", type=int, default=50, help="how often (default: %(default)s)")
    parser.add_argument("--backend", default="numpy", help="where (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments of the kills")
    args = parser.parse_args()
    told = json.loads(args.input.read_text(encoding="utf-8"))
    told["training"] |= {"save_freq": 1, "numb_steps": 10**6, "save_ckpt": _PREFIX}
    told["training"] |= {"max_ckpt_keep": 3, "disp_freq": 10**6}
    told["training"].pop("save_dir", None)
    chance = random.Random(args.seed)  # noqa: S311  # no secret
    with tempfile.TemporaryDirectory() as name:
        folder, step = Path(name), 0
        (folder / "input.json").write_text(json.dumps(told), encoding="utf-8")
        for number in range(1, args.times + 1):
            _run_and_kill(folder, args.backend, step, chance)
            step = _check(folder, step)
            say(f"kill {number}: the newest checkpoint, of step {step}, is whole")
    return 0


def _run_and_kill(folder: Path, backend: str, step: int, chance: random.Random) -> None:
    """Run until there are new checkpoints, and kill at a random moment after that."""
    words = [sys.executable, "-m", "dpcore", f"--{backend}", "train", "input.json"]
    words += ["--restart", _PREFIX] if step else []
    with subprocess.Popen(words, cwd=folder, stderr=subprocess.PIPE, text=True) as process:  # noqa: S603  # our own words
        while max(Checkpoints(folder / _PREFIX).steps(), default=0) <= step:
            if process.poll() is not None:
                sys.exit(f"the run ended by itself: {process.stderr and process.stderr.read()}")
            time.sleep(0.01)
        time.sleep(chance.uniform(0.0, 0.5))
        process.kill()


def _check(folder: Path, step: int) -> int:
    """Return the step of the newest checkpoint; all of them must be whole."""
    files = Checkpoints(folder / _PREFIX)
    for number in files.steps():
        document = format_of(files.path(number)).read(files.path(number))
        if document.training is None or document.training.facts["step"] != number:
            sys.exit(f"{files.path(number)}: is not the checkpoint of step {number}")
    last = newest(str(folder / _PREFIX)).resolve()
    found = int(last.stem.rpartition("-")[2])
    if found <= step:
        sys.exit(f"{last}: the link leads to an old checkpoint")
    return found


if __name__ == "__main__":
    sys.exit(main())
