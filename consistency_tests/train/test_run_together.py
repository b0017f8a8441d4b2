"""Several processes that train one model together."""

import signal
import socket
import time
from pathlib import Path

import numpy as np
import pytest
from harness import Backend
from tiny_runs import dp, parameters, read_lines, stored, taken, write_input
from train_inputs import GONE

FRAMEWORKS = [Backend.TORCH, Backend.JAX, Backend.TENSORFLOW]
STEPS = {
    "training.numb_steps": 4,
    "training.training_data.batch_size": 1,
    "training.validation_data": GONE,
    "learning_rate.start_lr": 1e-3,
    "learning_rate.scale_by_worker": "none",
}
EVALUATED = {
    "validating.full_validation": True,
    "validating.validation_freq": 2,
    "validating.full_val_start": 0,
    "validating.validation_metric": "F:RMSE",
}


def free_port():
    """Return a port that nobody listens on, nor on the two after it."""
    for _ in range(100):
        with socket.socket() as one, socket.socket() as second, socket.socket() as third:
            one.bind(("127.0.0.1", 0))
            port = one.getsockname()[1]
            try:
                second.bind(("127.0.0.1", port + 1))
                third.bind(("127.0.0.1", port + 2))
            except OSError:
                continue
            return port
    raise OSError("no free port")


def together(folder, backend, path):
    """Start two processes that train together."""
    port = free_port()
    return [
        dp(
            folder,
            f"--{backend}",
            "train",
            path,
            wait=False,
            RANK=rank,
            LOCAL_RANK=rank,
            WORLD_SIZE=2,
            MASTER_ADDR="127.0.0.1",
            MASTER_PORT=port,
        )
        for rank in range(2)
    ]


@pytest.mark.parametrize("framework", FRAMEWORKS, ids=str)
def test_two_are_one_with_twice_the_batch(tmp_path, monkeypatch, framework):
    """Two processes with one frame each end with the parameters of one with two frames."""
    name = framework.required().value
    processes = together(tmp_path, name, write_input(tmp_path, STEPS))
    said = [process.communicate(timeout=120)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    monkeypatch.chdir(tmp_path)
    two, lines = parameters("model.ckpt-4.dp"), read_lines("lcurve.out")
    changes = STEPS | {"training.training_data.batch_size": 2, "training.save_ckpt": "one"}
    taken(write_input(tmp_path, changes))
    for path, value in parameters("one-4.dp").items():
        scale = np.abs(value).max(initial=0.0)
        assert np.abs(value - two[path]).max(initial=0.0) <= 1e-9 * scale, path
    assert [line.split()[0] for line in lines[2:]] == ["1", "4"]


def test_a_signal_ends_all(tmp_path):
    """A signal that one of them gets ends both after the same step."""
    name = Backend.TORCH.required().value
    endless = {"training.numb_steps": 100_000, "training.disp_freq": 1}
    processes = together(tmp_path, name, write_input(tmp_path, STEPS | endless))
    for _ in range(1200):
        if (tmp_path / "lcurve.out").exists() and len(read_lines(tmp_path / "lcurve.out")) > 3:
            break
        time.sleep(0.05)
    processes[1].send_signal(signal.SIGTERM)
    said = [process.communicate(timeout=60)[1] for process in processes]
    assert [process.returncode for process in processes] == [143, 143], said
    step = int(read_lines(tmp_path / "lcurve.out")[-1].split()[0])
    assert f"stopped after step {step}," in said[0]
    assert stored(tmp_path / "model.ckpt.dp").training.facts["step"] == step


def test_several_processes(tmp_path, monkeypatch):
    """One of them evaluates and keeps the best model, which is that of one process alone."""
    name = Backend.TORCH.required().value
    steps = (
        STEPS | EVALUATED | {"training.validation_data": {"systems": ["valid"], "batch_size": 2}}
    )
    processes = together(tmp_path, name, write_input(tmp_path, steps))
    said = [process.communicate(timeout=120)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    monkeypatch.chdir(tmp_path)
    two = [line for line in read_lines("val.log") if line[0] == " "]
    assert [line.split()[0] for line in two] == ["2", "4"]
    best = sorted(Path().glob("best.ckpt*"))
    (alone := tmp_path / "alone").mkdir()
    monkeypatch.chdir(alone)
    taken(write_input(alone, steps | {"training.training_data.batch_size": 2}))
    one = [line for line in read_lines("val.log") if line[0] == " "]
    for mine, theirs in zip(one, two, strict=True):
        np.testing.assert_allclose(
            [float(word) for word in mine.split()], [float(word) for word in theirs.split()], 1e-4
        )
    assert sorted(Path().glob("best.ckpt*")) == best
    assert (
        stored(tmp_path / best[0]).training.facts["step"] == stored(best[0]).training.facts["step"]
    )
