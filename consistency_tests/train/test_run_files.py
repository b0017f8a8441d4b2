"""What a run writes besides its result: checkpoints, learning curve, points, traces, and log lines."""

import errno
import json
import logging
import os
import re
import struct
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from tiny_runs import prepared, read_lines, stored, taken, write_input

from dpcore.cli import main
from dpcore.errors import DPError
from dpcore.registry import format_of
from dpcore.train.checkpoints import Checkpoints, kept, newest
from dpcore.train.display import Progress
from dpcore.train.pace import Forecast, duration


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def names(folder, pattern="model*"):
    """Return the names of files in order."""
    return sorted(file.name for file in Path(folder).glob(pattern))


def test_the_latest_checkpoints_are_kept(tmp_path):
    """So many numbered files, and a link and a file that name the newest."""
    path = write_input(tmp_path, {"training.save_freq": 2, "training.max_ckpt_keep": 2})
    taken(path)
    assert names(".") == ["model.ckpt-10.dp", "model.ckpt-8.dp", "model.ckpt.dp"]
    assert Path("model.ckpt.dp").readlink() == Path("model.ckpt-10.dp")
    assert read_lines("checkpoint") == ["model.ckpt-10.dp"]
    assert newest("model.ckpt") == Path("model.ckpt.dp")
    assert newest("model.ckpt-8.dp") == Path("model.ckpt-8.dp")


def test_a_folder_for_checkpoints(tmp_path):
    """Numbered files are in save_dir, the link is where the run is."""
    taken(write_input(tmp_path, {"training.save_dir": "all/of/them"}))
    assert names("all/of/them") == ["model.ckpt-10.dp", "model.ckpt-5.dp"]
    assert names(".") == ["model.ckpt.dp"]
    assert stored("model.ckpt.dp").training.facts["step"] == 10


def test_a_run_anew_keeps_its_own_checkpoints(tmp_path):
    """Those of later steps, of another run, do not count and stay."""
    path = write_input(tmp_path, {"training.numb_steps": 30})
    taken(path)
    path = write_input(tmp_path, {"training.numb_steps": 4, "training.max_ckpt_keep": 1})
    taken(path)
    assert "model.ckpt-4.dp" in names(".")
    assert newest("model.ckpt").resolve().name == "model.ckpt-4.dp"


@pytest.mark.parametrize(
    ("ratio", "steps", "every", "number"),
    [(None, 100, 10, 5), (0.5, 100, 10, 5), (0.25, 100, 10, 3), (0.1, 105, 10, 2), (0.5, 1, 10, 1)],
)
def test_how_many_are_kept(ratio, steps, every, number):
    """A part of all checkpoints that the run writes, rounded up."""
    assert kept(ratio, 5, steps, every) == number


def test_files_know_how_long_they_were_trained(tmp_path, capsys):
    """Checkpoints, those of the averaged parameters, and what is made of them."""
    taken(write_input(tmp_path, {"training.enable_ema": True}))
    assert main(["freeze", "-c", "model.ckpt-5.dp", "-o", "half.dp"]) == 0
    assert main(["freeze", "-c", "model_ema.ckpt.dp", "-o", "mean.dp"]) == 0
    assert main(["convert-backend", "model.ckpt.dp", "again.dp"]) == 0
    # Older checkpoints know it as the state of their run alone.
    kept = stored("model.ckpt-5.dp")
    del kept.provenance["step"]
    format_of("old.dp").write(Path("old.dp"), kept)
    assert main(["freeze", "-c", "old.dp", "-o", "of_old.dp"]) == 0
    assert main(["freeze", "-c", "half.dp", "-o", "twice.dp"]) == 0
    capsys.readouterr()
    found = {}
    for name in ("model.ckpt-10", "half", "mean", "again", "old", "of_old", "twice"):
        assert main(["show", f"{name}.dp", "provenance", "--json"]) == 0
        found[name] = json.loads(capsys.readouterr().out)["provenance"]["step"]
    assert [*found.values()] == [10, 5, 10, 10, 5, 5, 5]


def test_leftovers_are_removed(tmp_path):
    """What a killed process left half written goes with the next checkpoint; nothing else does."""
    half = "0123456789abcdef.dp"
    left = [f".model.ckpt-7.{half}", ".model.ckpt.dp.4711", f".best.ckpt-7.t-1.{half}"]
    others = [".model.ckpt-7.dp", ".mine", f".other.ckpt-7.{half}"]
    for name in left + others:
        Path(name).write_bytes(b"half")
    changes = {"training.numb_steps": 1, "validating.full_validation": True}
    changes |= {"validating.full_val_start": 0, "validating.validation_freq": 1}
    taken(write_input(tmp_path, changes))
    assert names(".", ".*") == sorted(others)


def test_a_full_disk_is_one_line(tmp_path, monkeypatch):
    """The file and the reason are named, and the checkpoint before stays what it was."""
    run = prepared(write_input(tmp_path, {"training.save_freq": 4}))
    write, written = Path.write_bytes, []

    def full(self, data):
        written.append(self)
        if len(written) == 2:
            write(self, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self))
        return write(self, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(DPError, match=r"model\.ckpt-8\.dp.*No space left on device") as error:
        run.go()
    assert "\n" not in str(error.value)
    assert names(".") == ["model.ckpt-4.dp", "model.ckpt.dp"]
    assert names(".", ".model*") == []
    assert stored("model.ckpt.dp").training.facts["step"] == 4


def test_no_learning_curve(tmp_path, caplog):
    """Without disp_training nothing is shown, and no errors of validation data are computed."""
    with caplog.at_level(logging.INFO):
        run = taken(write_input(tmp_path, {"training.disp_training": False}))
    assert not Path("lcurve.out").exists()
    assert "step 5" not in caplog.text
    assert run.loop.tasks[0].validation.state()["draws"] == 0


def test_log_lines(tmp_path, caplog):
    """A line with errors, rate and time left, and one at the end; without time where none is asked for."""
    path = write_input(tmp_path)
    with caplog.at_level(logging.INFO):
        run = taken(path)
    line = next(r.getMessage() for r in caplog.records if r.getMessage().startswith("step 5:"))
    for word in ("trn rmse=", "rmse_f=", "val rmse=", "lr 1.0e-02", "s/step", "left"):
        assert word in line
    assert run.summary.startswith("10 steps in 0:00:0")
    assert run.summary.endswith("the last checkpoint is model.ckpt-10.dp")
    caplog.clear()
    with caplog.at_level(logging.INFO):
        run = taken(write_input(tmp_path, {"training.time_training": False}))
    assert "s/step" not in caplog.text
    assert run.summary == "10 steps; the last checkpoint is model.ckpt-10.dp"


def test_the_time_left_does_not_jump(monkeypatch, caplog):
    """Steps take a second; compiling the first takes a hundred, and a checkpoint in between thirty."""
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    line, left = Progress(0, 1000), []
    with caplog.at_level(logging.INFO):
        for step in range(1, 601):
            now[0] += 1.0 + 100.0 * (step == 1) + 30.0 * (step == 501)
            line.step()
            if step == 1 or not step % 100:
                line.say(step, {}, None, 1e-3)
    line.close()
    assert " ? left" in caplog.messages[0]
    for message in caplog.messages[1:]:
        hours, minutes, seconds = re.search(r"(\d+):(\d+):(\d+) left", message).groups()
        left.append(3600 * int(hours) + 60 * int(minutes) + int(seconds))
    np.testing.assert_array_equal(left[:5], [900, 800, 700, 600, 500])
    assert 400 < left[5] < 430


def test_the_time_left_follows_lasting_changes():
    forecast, now = Forecast.of(100_000), 0.0
    for each in (1.0, 3.0):
        for _ in range(40_000):
            now += each
            forecast.step(now)
    assert forecast.memory == 10_000
    # After 40,000 steps of 3 s all but e^-4 of the others is forgotten.
    assert forecast.left(100) == duration(100 * (3.0 - 2.0 * np.exp(-4.0)))


def test_averaged_errors(tmp_path):
    """With disp_avg a line has the errors of all steps since the last one."""
    taken(write_input(tmp_path, {"training.disp_freq": 1}))
    each = [float(line.split()[2]) for line in read_lines("lcurve.out")[2:]]
    taken(write_input(tmp_path, {"training.disp_freq": 5, "training.disp_avg": True}))
    found = {int(ln.split()[0]): float(ln.split()[2]) for ln in read_lines("lcurve.out")[2:]}
    mean = sum(x**2 for x in each[1:5]) / 4
    assert found[5] == pytest.approx(mean**0.5, rel=1e-2)
    assert found[1] == each[0]


def test_points_for_tensorboard(tmp_path):
    """Every tensorboard_freq steps, between the lines of the learning curve too."""
    board = pytest.importorskip("tensorboardX")
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.record_writer import RecordWriter  # noqa: F401  # the format that is read here

    changes = {"training.tensorboard": True, "training.tensorboard_freq": 3}
    taken(write_input(tmp_path, changes | {"training.tensorboard_log_dir": "points"}))
    (file,) = Path("points").iterdir()
    data, found = file.read_bytes(), {}
    while data:
        length = int.from_bytes(data[:8], "little")
        event = Event.FromString(data[12 : 12 + length])
        for value in event.summary.value:
            found.setdefault(value.tag, {})[event.step] = value.simple_value
        data = data[16 + length :]
    assert board.__version__
    assert list(found["rmse_f/trn"]) == [1, 3, 6, 9]
    assert list(found["rmse_f/val"]) == [1, 5, 10]
    assert found["lr"][1] == pytest.approx(1e-2)
    assert {"rmse/trn", "rmse_e/trn", "rmse_e/val"} <= set(found)


def test_a_trace_of_the_time(tmp_path):
    """A Chrome trace of what takes how long."""
    changes = {"training.profiling": True, "training.profiling_file": "time.json"}
    changes |= {"validating.full_validation": True, "validating.validation_freq": 5}
    taken(write_input(tmp_path, changes | {"validating.full_val_start": 0}))
    events = json.loads(Path("time.json").read_text())
    count = {name: [e["name"] for e in events].count(name) for name in {e["name"] for e in events}}
    expected = {"data": 10, "gradient": 10, "update": 10, "errors": 3, "validation": 2, "save": 2}
    assert count == expected
    assert all(e["ph"] == "X" and e["dur"] >= 0 for e in events)


def test_no_profiler(tmp_path):
    """The reference has none; that is said before the first step."""
    path = write_input(tmp_path, {"training.enable_profiler": True})
    with pytest.raises(DPError, match=r"enable_profiler.*numpy"):
        prepared(path)


def test_a_profile(tmp_path):
    """A framework's profiler writes what TensorBoard reads."""
    from harness import Backend

    name = Backend.TORCH.required().value
    path = write_input(tmp_path, {"training.enable_profiler": True, "training.numb_steps": 16})
    taken(path, name)
    assert list(Path("log").glob("*.pt.trace.json"))


def test_a_line_on_a_terminal(tmp_path):
    """On a terminal a line moves, and log lines are whole lines above it."""
    pty = pytest.importorskip("pty")
    path = write_input(tmp_path, {"training.save_freq": 1, "training.disp_freq": 1})
    master, slave = pty.openpty()
    fcntl = pytest.importorskip("fcntl")
    fcntl.ioctl(slave, pytest.importorskip("termios").TIOCSWINSZ, struct.pack("HHHH", 24, 90, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "dpcore", "--numpy", "train", str(path)],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=slave,
    )
    os.close(slave)
    text = b""
    while True:
        try:
            more = os.read(master, 1 << 16)
        except OSError:  # the other end is closed
            break
        if not more:
            break
        text += more
    os.close(master)
    assert process.wait() == 0
    lines = [line.rpartition("\r")[2] for line in text.decode().replace("\r\n", "\n").split("\n")]
    moving = text.decode().split("\r")
    assert any(re.search(r"100%.* left, .*lr 1\.0e-03, rmse [\d.]+/[\d.]+ e", x) for x in moving)
    said = [line for line in lines if "dp: " in line]
    assert all(line.startswith("dp: ") for line in said)
    assert "parameters, 6 frames of 1 systems, 10 steps" in said[1]
    assert said[-1].startswith("dp: 10 steps in ")


def test_the_newest_without_its_link(tmp_path):
    """A checkpoint that was finished when its run was killed is found, though no link leads to it."""
    taken(write_input(tmp_path, {"training.save_dir": "saved"}))
    made = Path("model.ckpt.dp").lstat().st_mtime_ns
    for step, later in ((15, 10**9), (25, -(10**9))):
        file = Path(f"saved/model.ckpt-{step}.dp")
        file.touch()
        os.utime(file, ns=(made + later, made + later))
    assert newest("model.ckpt").name == "model.ckpt-15.dp"


def test_checkpoints_of_others(tmp_path):
    """Names that only look alike are no checkpoints."""
    files = Checkpoints(tmp_path / "model.ckpt")
    for name in ("model.ckpt-5.dp", "model.ckpt-5x.dp", "xmodel.ckpt-6.dp", "model.ckpt-7.dp.bak"):
        (tmp_path / name).touch()
    assert files.steps() == [5]
