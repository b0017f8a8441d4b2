import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dpcore.errors import DPError
from dpcore_serialization.atomic import replacing, replacing_folder


@pytest.fixture
def folder(tmp_path):
    """A folder that holds the artefact ``old`` of two files."""
    path = tmp_path / "model.savedmodel"
    (path / "variables").mkdir(parents=True)
    (path / "graph.pb").write_text("old graph")
    (path / "variables" / "data").write_text("old data")
    return path


def snapshot(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def fill(path: Path, text: str) -> None:
    (path / "variables").mkdir()
    (path / "graph.pb").write_text(f"{text} graph")
    (path / "variables" / "data").write_text(f"{text} data")


def interrupt(work, *arguments) -> None:
    *given, error = arguments
    work(*given)
    raise error


def test_a_file_appears_only_when_complete(tmp_path):
    path = tmp_path / "model.dp"
    with replacing(path) as temporary:
        temporary.write_bytes(b"new")
        assert not path.exists()
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".dp"
    assert snapshot(tmp_path) == {"model.dp": b"new"}


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, OSError])
def test_a_failure_keeps_the_old_file_and_leaves_nothing_else(tmp_path, error):
    path = tmp_path / "model.dp"
    path.write_bytes(b"old")
    with pytest.raises(error), replacing(path) as temporary:
        interrupt(temporary.write_bytes, b"half", error)
    assert snapshot(tmp_path) == {"model.dp": b"old"}


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failure_of_the_disk_keeps_the_old_file(tmp_path, monkeypatch, step):
    path = tmp_path / "model.dp"
    path.write_bytes(b"old")

    def fail(*_args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(*((os, "fsync") if step == "fsync" else (Path, "replace")), fail)
    with pytest.raises(OSError, match="No space"), replacing(path) as temporary:
        temporary.write_bytes(b"new")
    assert snapshot(tmp_path) == {"model.dp": b"old"}


@pytest.mark.parametrize("manager", ["replacing", "replacing_folder"])
def test_kill_in_the_middle_keeps_the_old_artefact(tmp_path, folder, manager):
    path = folder if manager == "replacing_folder" else tmp_path / "model.dp"
    if manager == "replacing":
        path.write_bytes(b"old")
    before = snapshot(folder)
    script = f"""
import os, signal, sys
from dpcore_serialization.atomic import {manager}
with {manager}(sys.argv[1]) as temporary:
    part = temporary / "graph.pb" if temporary.is_dir() else temporary
    part.write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", script, path], check=False, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert snapshot(folder) == before
    if manager == "replacing":
        assert path.read_bytes() == b"old"


def test_every_byte_is_synced_before_the_rename_and_the_folder_after(tmp_path, monkeypatch):
    events = []
    fsync, replace = os.fsync, Path.replace

    def record_sync(descriptor):
        events.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        fsync(descriptor)

    def record_replace(source, target):
        events.append("replace")
        return replace(source, target)

    monkeypatch.setattr(os, "fsync", record_sync)
    monkeypatch.setattr(Path, "replace", record_replace)
    with replacing(tmp_path / "model.dp") as temporary:
        temporary.write_bytes(b"new")
    assert events == [temporary.name, "replace", tmp_path.name]


def test_permissions_of_the_old_file_stay(tmp_path):
    path = tmp_path / "model.dp"
    path.write_bytes(b"old")
    path.chmod(0o640)
    with replacing(path) as temporary:
        temporary.write_bytes(b"new")
    assert path.stat().st_mode & 0o777 == 0o640
    with replacing(tmp_path / "other.dp") as temporary:
        temporary.write_bytes(b"new")
    (tmp_path / "plain").write_bytes(b"")
    assert (tmp_path / "other.dp").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_symbolic_link_is_followed(tmp_path):
    (tmp_path / "v1.dp").write_bytes(b"old")
    link = tmp_path / "model.dp"
    link.symlink_to("v1.dp")
    with replacing(link) as temporary:
        temporary.write_bytes(b"new")
    assert link.is_symlink()
    assert (tmp_path / "v1.dp").read_bytes() == b"new"


def test_what_is_no_file_is_never_replaced(tmp_path, folder, monkeypatch):
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo)
    for path, reason in [
        (folder, "no regular file"),
        (fifo, "no regular file"),
        (Path("/dev/null"), "no regular file"),
        (tmp_path / "none" / "model.dp", "does not exist"),
    ]:
        with pytest.raises(DPError, match=reason), replacing(path):
            pytest.fail("the block must not run")
    read_only = tmp_path / "model.dp"
    read_only.write_bytes(b"old")
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(DPError, match="read-only"), replacing(read_only):
        pytest.fail("the block must not run")


def test_a_folder_is_swapped_whole(tmp_path, folder):
    with replacing_folder(folder) as temporary:
        fill(temporary, "new")
        assert (folder / "graph.pb").read_text() == "old graph"
    assert snapshot(tmp_path) == {
        "model.savedmodel/graph.pb": b"new graph",
        "model.savedmodel/variables/data": b"new data",
    }
    with replacing_folder(tmp_path / "other.savedmodel") as temporary:
        fill(temporary, "other")
    assert (tmp_path / "other.savedmodel" / "graph.pb").read_text() == "other graph"
    assert len(list(tmp_path.iterdir())) == 2


def test_a_failure_keeps_the_old_folder(tmp_path, folder):
    before = snapshot(tmp_path)
    with pytest.raises(KeyboardInterrupt), replacing_folder(folder) as temporary:
        interrupt(fill, temporary, "new", KeyboardInterrupt)
    assert snapshot(tmp_path) == before
    assert list(tmp_path.iterdir()) == [folder]


def test_a_failure_of_the_second_rename_restores_the_old_folder(tmp_path, folder, monkeypatch):
    before, rename, calls = snapshot(tmp_path), Path.rename, []

    def fail_second(source, target):
        calls.append(source)
        if len(calls) == 2:
            raise OSError(errno.EIO, "Input/output error")
        return rename(source, target)

    monkeypatch.setattr(Path, "rename", fail_second)
    with pytest.raises(OSError, match="Input/output"), replacing_folder(folder) as temporary:
        fill(temporary, "new")
    assert len(calls) == 3
    assert snapshot(tmp_path) == before
    assert list(tmp_path.iterdir()) == [folder]


def test_a_folder_with_other_work_in_it_is_not_deleted(tmp_path, folder):
    (folder / "thesis.tex").write_text("years")
    before = snapshot(tmp_path)
    with pytest.raises(DPError, match=r"'thesis\.tex'"), replacing_folder(folder) as temporary:
        fill(temporary, "new")
    assert snapshot(tmp_path) == before
    with pytest.raises(DPError, match="no folder"), replacing_folder(folder / "thesis.tex"):
        pytest.fail("the block must not run")
