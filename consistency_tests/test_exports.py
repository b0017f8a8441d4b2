"""Compiled files of every kind give the numbers of the model they were made from."""

import pytest
from example_models import BY_NAME, FIRST
from harness import Backend, assert_same

from dpcore.formats import Document
from dpcore.infer import load
from dpcore.registry import format_of
from examples.example import GIVEN

# The first examples of those that may have their edges in a list have them in rows.
CASES = [*FIRST, BY_NAME["dpa3_listed"]]
SUFFIXES = {"pt2": Backend.TORCH, "jaxexport": Backend.JAX, "savedmodel": Backend.TENSORFLOW}


@pytest.fixture(autouse=True)
def without_compiler(monkeypatch):
    """Leave the exported program as it is: compiling it takes half a minute (see test_compiled.py)."""
    torch = pytest.importorskip("torch._inductor.exc")
    import dpcore_torch.artefact

    def missing():
        raise torch.InvalidCxxCompiler

    monkeypatch.setattr(dpcore_torch.artefact, "get_cpp_compiler", missing)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("example", CASES, ids=str)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_compiled_files(example, suffix, tmp_path, predict):
    SUFFIXES[suffix].required()
    path = tmp_path / f"model.{suffix}"
    format_of(path).write(path, Document(example.model))
    compiled = load(path)
    for frame, expected in zip(
        example.frames(), predict(example.model, example.frames()), strict=True
    ):
        given = {key: getattr(frame, key) for key in GIVEN}
        given = {key: None if x is None else x[None] for key, x in given.items()}
        cell = None if frame.cell is None else frame.cell[None]
        out = compiled.evaluate(frame.coord[None], cell, frame.types, **given)
        assert_same({k: v[0] for k, v in out.items()}, expected, 1e-12)
