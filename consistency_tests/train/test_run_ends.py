"""Runs that are interrupted, killed, or stand no chance to begin."""

import gc
import os
import re
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from tiny_runs import dp, prepared, read_lines, stored, taken, write_data, write_input

from dpcore.errors import DPError
from dpcore.train.checkpoints import newest
from dpcore.train.interrupts import Interrupts

ENDLESS = {"training.numb_steps": 100_000, "training.disp_freq": 1, "training.save_freq": 100_000}


def wait_for_steps(folder, number=3):
    """Wait until the learning curve has so many lines."""
    curve = folder / "lcurve.out"
    for _ in range(600):
        if curve.exists() and len(read_lines(curve)) >= 2 + number:
            return
        time.sleep(0.05)
    pytest.fail("the run takes no steps")


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_run(tmp_path, sent, code):
    """A checkpoint, one line and the code of a shell; from there the run goes on."""
    process = dp(tmp_path, "--numpy", "train", write_input(tmp_path, ENDLESS), wait=False)
    wait_for_steps(tmp_path)
    process.send_signal(sent)
    _, said = process.communicate(timeout=60)
    assert process.returncode == code
    found = re.search(rf"warning: {sent.name}: stopped after step (\d+), with a checkpoint", said)
    assert found
    assert "Traceback" not in said
    step = int(found[1])
    assert newest(str(tmp_path / "model.ckpt")).resolve().name == f"model.ckpt-{step}.dp"
    assert read_lines(tmp_path / "lcurve.out")[-1].split()[0] == str(step)
    path = write_input(tmp_path, ENDLESS | {"training.numb_steps": step + 2})
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        taken(path, restart=tmp_path / f"model.ckpt-{step}.dp")
    steps = [int(line.split()[0]) for line in read_lines(tmp_path / "lcurve.out")[2:]]
    assert steps == list(range(1, step + 3))


def test_handlers_are_put_back():
    """What signals do is as it was after a run, and after a first signal."""
    before = signal.getsignal(signal.SIGTERM)
    with Interrupts() as interrupts:
        assert interrupts.caught is None
        os.kill(os.getpid(), signal.SIGTERM)
        assert interrupts.caught is signal.SIGTERM
        assert signal.getsignal(signal.SIGTERM) == before
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_killed_run_can_be_continued(tmp_path):
    """Whenever it is killed, the newest checkpoint is whole and a run goes on from it."""
    rng, last = np.random.default_rng(0), 0
    path = write_input(tmp_path, ENDLESS | {"training.save_freq": 1, "training.max_ckpt_keep": 2})
    for _ in range(4):
        restart = ("--restart", "model.ckpt") if last else ()
        process = dp(tmp_path, "--numpy", "train", path, *restart, wait=False)
        for _ in range(600):
            if (found := list(tmp_path.glob("model.ckpt-*"))) and max(map(_number, found)) > last:
                break
            time.sleep(0.02)
        time.sleep(rng.uniform(0, 0.1))
        process.kill()
        process.communicate()
        step = stored(newest(str(tmp_path / "model.ckpt"))).training.facts["step"]
        assert step > last
        last = step
        for file in tmp_path.glob("model.ckpt-*"):
            assert stored(file).training.facts["step"] == _number(file)


def _number(path):
    return int(path.stem.rpartition("-")[2])


def test_memory_does_not_grow(tmp_path, monkeypatch):
    """Nothing of a step stays, with all that is done along a run."""
    monkeypatch.chdir(tmp_path)
    changes = {"training.numb_steps": 120, "training.disp_freq": 7, "training.profiling": True}
    run = prepared(write_input(tmp_path, changes | {"training.disp_avg": True}))
    objects, resident = [], []

    def note(step, _):
        if step % 40 == 0:
            gc.collect()
            objects.append(len(gc.get_objects()))
            resident.append(int(Path("/proc/self/statm").read_text().split()[1]))

    run.loop.extras = (*run.loop.extras, note)
    run.go()
    assert objects[2] - objects[0] < 40
    assert resident[2] < 1.02 * resident[0]


def nothing(_):
    """Leave the data as they are."""


def corrupted(folder, name, change):
    """Change an array of the training data."""
    path = folder / "train/set.000" / f"{name}.npy"
    values = np.load(path)
    np.save(path, change(values))


def _with(values, place, value):
    values[place] = value
    return values


def _unknown_type(folder):
    (folder / "train/type_map.raw").write_text("A\nC")


def _empty_set(folder):
    for file in (folder / "train/set.000").iterdir():
        file.unlink()


def _no_labels(folder):
    for name in ("energy", "force"):
        (folder / f"train/set.000/{name}.npy").unlink()


BAD = {
    "no label": (_no_labels, {}, "train.*energy"),
    "a wrong shape": (
        lambda f: corrupted(f, "force", lambda x: x[:, :-1]),
        {},
        r"train/set\.000/force\.npy",
    ),
    "an unknown type": (_unknown_type, {}, "train.*'?C'?"),
    "an empty set": (_empty_set, {}, r"train/set\.000"),
    "a label that is no number": (
        lambda f: corrupted(f, "energy", lambda x: _with(x, (4, 0), np.nan)),
        {},
        "train.*energy.*frame 4|train.*frame 4.*energy",
    ),
    "overlapping atoms": (
        lambda f: corrupted(f, "coord", lambda x: _with(x, (2, slice(3, 6)), x[2, :3])),
        {},
        "train.*frame 2",
    ),
    "a rate that is zero": (
        nothing,
        {
            "learning_rate.stop_lr": 0.0,
            "learning_rate.decay_rate": 1e-9,
            "learning_rate.decay_steps": 1,
        },
        "learning_rate.*step",
    ),
    "another model": (
        nothing,
        {"model.fitting_net.neuron": [5]},
        r"neuron|fitting",
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_input_is_refused(tmp_path, monkeypatch, kind):
    """One line that names the file, the frame or the key, before the first step."""
    monkeypatch.chdir(tmp_path)
    taken(write_input(tmp_path, {"training.numb_steps": 1}))
    Path("lcurve.out").unlink()
    spoil, changes, words = BAD[kind]
    spoil(tmp_path)
    path = write_input(tmp_path, changes)
    start = {"restart": tmp_path / "model.ckpt-1.dp"} if kind == "another model" else {}
    with pytest.raises(DPError, match=words) as error:
        taken(path, **start)
    assert "\n" not in str(error.value)
    curve = Path("lcurve.out")
    assert not curve.exists() or len(read_lines(curve)) == 2


def test_a_batch_that_cannot_fit(tmp_path, monkeypatch):
    """filter:N leaves no system: there is nothing to train on."""
    monkeypatch.chdir(tmp_path)
    write_data(tmp_path / "train", seed=0)
    path = write_input(tmp_path, {"training.training_data.batch_size": "filter:3"})
    with pytest.raises(DPError, match=r"training_data: no frame.*filter:N"):
        prepared(path)
