"""Several processes that train one model together."""

import signal
import socket
import time

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


def free_port():
    """Return a port that nobody listens on, nor on the one after it."""
    for _ in range(100):
        with socket.socket() as one, socket.socket() as other:
            one.bind(("127.0.0.1", 0))
            port = one.getsockname()[1]
            try:
                other.bind(("127.0.0.1", port + 1))
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
    assert all(f"stopped after step {step}," in text for text in said)
    assert stored(tmp_path / "model.ckpt.dp").training.facts["step"] == step
