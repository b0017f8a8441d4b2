"""Compiled files of every kind give the numbers of the model they were made from."""

import importlib
from pathlib import Path

import pytest
from example_models import BY_NAME, EXAMPLES
from harness import Backend, assert_same

from dpcore.formats import Document
from dpcore.infer import load
from dpcore.registry import format_of

SUFFIXES = {"pt2": Backend.TORCH, "jaxexport": Backend.JAX, "savedmodel": Backend.TENSORFLOW}


def first_of_each_component():
    """Return the first double-precision example of each module, and more of the composites."""
    chosen = {}
    for file in sorted(Path(__file__).with_name("examples").glob("*.py")):
        if file.stem != "example":
            examples = importlib.import_module(f"examples.{file.stem}").EXAMPLES
            double = [e for e in examples if e.precision == "float64"]
            for e in double if file.stem == "composites" else double[:1]:
                chosen[e.name] = BY_NAME[e.name]
    return list(chosen.values())


@pytest.fixture(autouse=True)
def without_compiler(monkeypatch):
    """Leave the exported program as it is: compiling it takes half a minute and changes no number."""
    torch = pytest.importorskip("torch._inductor.exc")
    import dpcore_torch.artefact

    def missing():
        raise torch.InvalidCxxCompiler

    monkeypatch.setattr(dpcore_torch.artefact, "get_cpp_compiler", missing)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("example", first_of_each_component(), ids=str)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_compiled_files(example, suffix, tmp_path, predict):
    SUFFIXES[suffix].required()
    path = tmp_path / f"model.{suffix}"
    format_of(path).write(path, Document(example.model))
    compiled = load(path)
    for frame, expected in zip(
        example.frames(), predict(example.model, example.frames()), strict=True
    ):
        given = {key: getattr(frame, key) for key in ("fparam", "aparam", "spin")}
        given = {key: None if x is None else x[None] for key, x in given.items()}
        cell = None if frame.cell is None else frame.cell[None]
        out = compiled.evaluate(frame.coord[None], cell, frame.types, **given)
        assert_same({k: v[0] for k, v in out.items()}, expected, 1e-12)


def test_all_components_are_covered():
    assert len(first_of_each_component()) > 20
    assert {e.name for e in EXAMPLES} >= {e.name for e in first_of_each_component()}
