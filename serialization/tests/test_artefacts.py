"""Compiled files predict what the tree predicts and give the model back on any machine."""

import errno
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from artefact_kinds import (
    EXPORTED,
    HISTORY,
    JAXEXPORT,
    MODEL,
    PT2,
    QUERIES,
    SAVEDMODEL,
    SEL,
    TOLERANCE,
    Artefact,
    assert_identical,
    cluster,
    grouped,
    liquid,
    query,
    read,
    refusal,
    take_the_compiler_away,
)
from example_models import CELL, TYPES, example
from harness import Backend, assert_close, assert_same

from dpcore.cli import main
from dpcore.formats import Document
from dpcore.infer import DeepPot
from dpcore.infer.artefact import ArtefactEngine
from dpcore.infer.engine import TreeEngine
from dpcore.registry import format_of

# Predictions


@pytest.mark.parametrize("name", QUERIES)
def test_predictions_are_those_of_the_tree(artefact, name):
    artefact.agrees(QUERIES[name])


@pytest.mark.parametrize("natoms", [1, 2, 3, 11, 12, 13, 31])
def test_every_number_of_atoms_and_neighbours(artefact, natoms):
    """Lengths of the traced example are among them, and lengths that are equal to each other."""
    for spacing in (1.3, 2.2):
        artefact.agrees(query(cluster(natoms, spacing), np.arange(natoms) % 3 // 2))


@pytest.mark.parametrize("name", ["overfull", "second_type_alone"])
def test_overfull_queries_are_overfull(name, caplog):
    """Among the queries are some with more neighbours of the first and of the second type than ``sel``."""
    QUERIES[name](DeepPot.from_document(Document(MODEL), Backend.NUMPY.adapter()))
    assert f"more neighbours than sel = {list(SEL)} allows" in caplog.text


def test_parts_of_frames(artefact, monkeypatch):
    """A frame that is larger than a batch is evaluated in pieces."""
    monkeypatch.setenv("DP_INFER_BATCH_SIZE", "3")
    ask = query(liquid(2), TYPES, CELL)
    assert_same(ask(DeepPot(artefact.path)), ask(artefact.reference), TOLERANCE)


def test_what_runs(artefact):
    """The program inside, unless something else is asked for."""
    name = str(artefact.kind.backend)
    for potential in (artefact.potential, DeepPot(artefact.path, backend=name, device="cpu")):
        assert isinstance(potential.engine, ArtefactEngine)
        assert potential.engine.backend == name
        assert potential.engine.version
    for potential in (artefact.reference, DeepPot(artefact.path, dtype="float64")):
        assert isinstance(potential.engine, TreeEngine)


def test_descriptors(artefact):
    coord, aparam = liquid(2), np.ones((8, 1))
    result, expected = (
        potential.eval_descriptor(coord, CELL, TYPES, [0.0, 0.0], aparam)
        for potential in (artefact.potential, artefact.reference)
    )
    assert_close(result, expected, TOLERANCE)


# The document inside


def test_the_model_comes_back(artefact):
    document = read(artefact.path)
    assert_identical(document.model)
    assert document.provenance["history"] == HISTORY


WITHOUT_FRAMEWORKS = """
import sys
for name in ("torch", "jax", "jaxlib", "tensorflow"):
    sys.modules[name] = None
from dpcore.cli import main
from dpcore.infer import DeepPot
source, target = sys.argv[1:]
code = main(["convert-backend", source, target])
assert DeepPot(source, backend="numpy").get_type_map() == ["O", "H"]
try:
    DeepPot(source)
except ValueError as error:
    print(error)
sys.exit(code)
"""


def test_without_the_framework(artefact, tmp_path):
    """Any machine turns any kind of file into a plain one; running it names what is missing."""
    target = tmp_path / "out.dp"
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_FRAMEWORKS, artefact.path, target],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    document = read(target)
    assert_identical(document.model)
    assert document.provenance["history"][0] == HISTORY[0]
    assert document.provenance["history"][1]["from"] == artefact.path.name
    assert f"pip install 'dpcore[{artefact.kind.backend}]'" in done.stdout


@pytest.mark.parametrize(
    ("source", "target"),
    [
        pytest.param(a, b, id=f"{a}-{b}", marks=pytest.mark.xdist_group(a.name))
        for a, b in ((SAVEDMODEL, JAXEXPORT), (JAXEXPORT, EXPORTED), (EXPORTED, SAVEDMODEL))
    ],
)
def test_from_one_kind_to_another(source, target, files, tmp_path, monkeypatch):
    target.backend.required()
    path = tmp_path / f"model.{target.suffix}"
    if not target.cpp:
        take_the_compiler_away(monkeypatch)
    assert main(["convert-backend", str(files(source).path), str(path)]) == 0
    assert_identical(read(path).model)
    Artefact(target, path).agrees(QUERIES["periodic"])


# Writing


def exported_by(kind, patch, export):
    """Let ``export(document, path)`` stand in for the framework."""
    adapter = type(kind.backend.required().adapter())
    patch.setattr(adapter, "export", lambda _, __, document, path: export(document, path))


def place_in(path):
    """Return where the document is in a folder, or the file itself."""
    return path / "assets.extra" / "model.dp" if path.suffix == ".savedmodel" else path


ONE_OF_EACH = pytest.mark.parametrize("kind", [EXPORTED, SAVEDMODEL, JAXEXPORT], ids=str)
FULL = OSError(errno.ENOSPC, "No space left on device")


@ONE_OF_EACH
@pytest.mark.parametrize("error", [FULL, KeyboardInterrupt(), MemoryError()], ids=repr)
def test_a_failure_keeps_the_old_file(kind, error, tmp_path, monkeypatch, capfd):
    source, path = tmp_path / "model.dp", tmp_path / f"model.{kind.suffix}"
    format_of(source).write(source, Document(MODEL))
    place_in(path).parent.mkdir(exist_ok=True, parents=True)
    place_in(path).write_bytes(b"old")

    def fail(document, target):
        place_in(target).parent.mkdir(exist_ok=True)
        place_in(target).write_bytes(document[:1000])
        raise error

    exported_by(kind, monkeypatch, fail)
    assert main(["convert-backend", str(source), str(path)]) in {1, 130}
    assert len(capfd.readouterr().err.splitlines()) == 1
    assert place_in(path).read_bytes() == b"old"
    assert sorted(tmp_path.iterdir()) == sorted([path, source])


@ONE_OF_EACH
def test_an_old_file_is_replaced(kind, tmp_path, monkeypatch):
    path = tmp_path / f"model.{kind.suffix}"

    def whole(document, target):
        place_in(target).parent.mkdir(exist_ok=True)
        if kind.suffix == "savedmodel":
            place_in(target).write_bytes(document)
            return
        with zipfile.ZipFile(target, "w") as file:
            file.writestr("model.dp", document)

    exported_by(kind, monkeypatch, whole)
    for model in (example("older").model, MODEL):
        format_of(path).write(path, Document(model))
        assert_identical(read(path).model, model)
    assert list(tmp_path.iterdir()) == [path]


def test_folders_of_others_are_not_replaced(tmp_path, monkeypatch):
    path, file = tmp_path / "work.savedmodel", tmp_path / "file.savedmodel"
    path.mkdir()
    (path / "thesis.tex").write_text("years of work")
    file.write_text("no folder")

    def export(document, target):
        (target / "saved_model.pb").write_bytes(document)
        (target / "assets.extra").mkdir()

    exported_by(SAVEDMODEL, monkeypatch, export)
    for place in (path, file):
        text = refusal(lambda p: format_of(p).write(p, Document(MODEL)), place)
        assert ("thesis.tex" in text) == (place == path)
    assert [p.name for p in path.iterdir()] == ["thesis.tex"]
    assert file.read_text() == "no folder"
    assert sorted(tmp_path.iterdir()) == [file, path]


# With and without a C++ compiler


@pytest.mark.xdist_group(EXPORTED.name)
def test_without_a_compiler_the_program_is_kept(tmp_path, caplog):
    path = tmp_path / "model.pt2"
    EXPORTED.write(path)
    assert "no C++ compiler found" in caplog.text
    with zipfile.ZipFile(path) as file:
        assert not [n for n in file.namelist() if n.endswith((".so", ".cpp"))]
    Artefact(EXPORTED, path).agrees(QUERIES["periodic"])


@pytest.mark.parametrize("kind", grouped(PT2, EXPORTED))
def test_modes_of_pytorch_do_not_matter(kind, files):
    """A file is loaded and run on the CPU, whatever device is the default, and needs no derivatives."""
    path = files(kind).path
    import torch

    with torch.device("meta"), torch.inference_mode():
        Artefact(kind, path).agrees(QUERIES["one_frame"])


@pytest.mark.xdist_group(PT2.name)
def test_compiled_code_runs_where_no_compiler_is(files, monkeypatch, capfd):
    """Nor does loading it warn that the processor could do more than the code uses."""
    path = files(PT2).path
    with zipfile.ZipFile(path) as file:
        assert [n for n in file.namelist() if n.endswith(".so")]
    monkeypatch.setattr(
        "torch._inductor.cpu_vec_isa.pick_vec_isa", lambda: pytest.fail("tried to compile")
    )
    Artefact(PT2, path).agrees(QUERIES["one_frame"])
    assert capfd.readouterr() == ("", "")
