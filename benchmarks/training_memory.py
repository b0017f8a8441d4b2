"""Measure whether the memory of a run grows with its steps, or with its data.

``python -m benchmarks.training_memory`` trains a small model on molecules of mixed sizes for 10,000 steps on each
backend, and compares the resident memory after 100 steps and at the end. ``--data 10 2000`` trains on so many
megabytes of data instead, and compares the resident memory at the end.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.vs_deepmd.training.molecules import TYPE_MAP, molecules, write_systems
from benchmarks.vs_deepmd.training.trainer import memory
from dpcore.cli.logs import say
from dpcore.registry import backend, backend_names

SETTLED = 100
"""Steps after which memory is not to grow."""
GROWTH = 1.1
"""How many times as large it may be at the end."""
ATOMS = 24  # of each frame, where the size of the data is what counts


def main(words: Sequence[str] | None = None) -> int:
    """Run the program and return the exit code: 1 where memory grows."""
    args = _parser().parse_args(words)
    if args.folder is not None:
        say(json.dumps(measured(args.folder, args.backends[0], args.steps)))
        return 0
    grows = False
    for name in args.backends:
        with tempfile.TemporaryDirectory() as place:
            if args.data:
                found = [_of_data(Path(place) / str(n), name, args.steps, n) for n in args.data]
                first, last = found[0]["last"], found[-1]["last"]
                what = f"{args.data[0]} MB of data, {args.data[-1]} MB"
            else:
                kept = _of_molecules(Path(place), name, args.steps)
                first, last = kept["settled"], kept["last"]
                what = f"{SETTLED} steps, {args.steps:,} steps"
        grows |= last > GROWTH * first
        say(f"{name}: {what}: {first:.0f} MiB, {last:.0f} MiB, {last / first:.3f} times as much")
    return int(grows)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("--backends", nargs="+", default=backend_names(), metavar="NAME", help="(%(default)s)")
    add("--steps", type=int, default=10_000, metavar="N", help="of a run (%(default)s)")
    add("--data", type=int, nargs="+", metavar="MB", help="sizes of data to compare")
    add("--folder", type=Path, help=argparse.SUPPRESS)
    return parser


def _of_molecules(folder: Path, name: str, steps: int) -> dict[str, float]:
    """Return what a run on molecules of 3 to 21 atoms, some of all sizes in each step, needs."""
    systems = write_systems(folder / "data", molecules(20, 10))
    _write_input(folder, systems, "mixed:6", steps)
    return _run(folder, name, steps)


def _of_data(folder: Path, name: str, steps: int, megabytes: int) -> dict[str, float]:
    """Return what a run on so much data needs."""
    frames = max(1, round(megabytes * 1e6 / (2 * 24 * ATOMS)))
    (folder / "data" / "set.000").mkdir(parents=True)
    for item in ("coord", "force"):
        values = np.lib.format.open_memmap(
            folder / "data" / "set.000" / f"{item}.npy", "w+", np.float64, (frames, 3 * ATOMS)
        )
        rng = np.random.default_rng(1)
        for start in range(0, frames, 10_000):
            part = values[start : start + 10_000]
            part[:] = rng.uniform(0.0, 7.0, part.shape)
    np.save(folder / "data" / "set.000" / "energy.npy", np.zeros(frames))
    np.savetxt(folder / "data" / "type.raw", np.arange(ATOMS) % len(TYPE_MAP), fmt="%d")
    (folder / "data" / "type_map.raw").write_text("\n".join(TYPE_MAP), encoding="utf-8")
    (folder / "data" / "nopbc").write_text("", encoding="utf-8")
    _write_input(folder, [str(folder / "data")], 2, steps)
    return _run(folder, name, steps)


def _write_input(folder: Path, systems: list[str], batch: int | str, steps: int) -> None:
    descriptor = {"type": "se_e2_a", "sel": [14] * len(TYPE_MAP), "rcut": 4.0, "rcut_smth": 0.5}
    descriptor |= {"neuron": [4, 8], "axis_neuron": 4, "type_one_side": True, "seed": 1}
    script = {
        "model": {
            "type_map": list(TYPE_MAP),
            "descriptor": descriptor,
            "fitting_net": {"neuron": [16, 16], "seed": 1},
        },
        "learning_rate": {"start_lr": 1e-3, "stop_lr": 1e-6, "decay_steps": steps},
        "loss": {"start_pref_f": 100, "limit_pref_f": 1, "start_pref_v": 0, "limit_pref_v": 0},
        "training": {
            "training_data": {"systems": systems, "batch_size": batch},
            "numb_steps": steps,
            "disp_freq": max(1, steps // 20),
            "save_freq": max(1, steps // 10),
        },
    }
    (folder / "input.json").write_text(json.dumps(script), encoding="utf-8")


def _run(folder: Path, name: str, steps: int) -> dict[str, float]:
    """Return what a process of its own finds."""
    words = [sys.executable, "-m", "benchmarks.training_memory", "--backends", name]
    words += ["--steps", str(steps), "--folder", str(folder)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603  # our own words
    if done.returncode:
        sys.exit(f"{name}: {done.stderr.strip()[-400:]}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def measured(folder: Path, name: str, steps: int) -> dict[str, float]:
    """Train, and return the resident memory after the first steps and at the end, MiB."""
    import os

    from dpcore.settings.read import read_input
    from dpcore.train.run import prepare
    from dpcore.train.start import Start

    os.chdir(folder)
    run = prepare(read_input("input.json"), backend(name), None, Start(count=False))
    found: dict[str, float] = {}

    def note(step: int, _: object) -> None:
        if step in {min(SETTLED, steps), steps}:
            found["settled" if "settled" not in found else "last"] = memory()["resident"]

    run.loop.extras = (*run.loop.extras, note)
    run.go()
    return found | {"last": found.get("last", found["settled"])}


if __name__ == "__main__":
    sys.exit(main())
