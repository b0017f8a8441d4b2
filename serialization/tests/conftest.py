"""Compiled files, each written once."""

import gc
import os
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "consistency_tests"))
sys.path.insert(0, str(Path(__file__).parent))
# TensorFlow's compiler writes hundreds of lines of notes past Python's logging.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from artefact_kinds import EXPORTED, JAXEXPORT, KINDS, PT2, SAVEDMODEL, Artefact, grouped


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    """Return the file of a kind; processes that test together share it."""
    root, opened = tmp_path_factory.getbasetemp(), {}
    root = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root

    def file_of(kind):
        if kind not in opened:
            path = root / "artefacts" / kind.name / f"model.{kind.suffix}"
            write_once(kind, path)
            opened[kind] = Artefact(kind, path)
        return opened[kind]

    yield file_of
    for artefact in opened.values():
        artefact.close()
    gc.collect()


def write_once(kind, path):
    """Write a file, or wait until the process that came first has written it."""
    kind.backend.required()
    end = time.monotonic() + 300
    while not path.exists():
        assert time.monotonic() < end, f"the process that writes {path} does not come to an end"
        try:
            path.parent.mkdir(parents=True)
        except FileExistsError:
            time.sleep(0.1)
            continue
        try:
            kind.write(path)
        except BaseException:
            path.parent.rmdir()
            raise


@pytest.fixture(scope="session", params=grouped(*KINDS))
def artefact(request, files):
    return files(request.param)


@pytest.fixture(scope="session", params=grouped(PT2, EXPORTED, JAXEXPORT))
def archive(request, files):
    return files(request.param)


@pytest.fixture(scope="session", params=grouped(SAVEDMODEL))
def folder(request, files):
    return files(request.param)


@pytest.fixture(scope="session", params=grouped(JAXEXPORT))
def small(request, files):
    """The file that is written fastest, for what is the same for every zip archive."""
    return files(request.param)
