"""Model files of every kind give back every example as it was."""

import json

import h5py
import numpy as np
import pytest
from example_models import BY_NAME, EXAMPLES
from harness import Backend, assert_same

from dpcore.descriptors import DESCRIPTORS
from dpcore.fittings import FITTINGS
from dpcore.formats import Document
from dpcore.infer import DeepPot, load
from dpcore.registry import format_of
from dpcore.tree import Module, arrays, describe, inside
from dpcore_serialization.deepmd import UnwritableError, write_model

EVERY = pytest.mark.parametrize("example", EXAMPLES, ids=str)


def round_trip(path, model):
    form = format_of(path)
    form.write(path, Document(model))
    return form.read(path).model


def assert_identical(model, expected):
    """Compare every setting and every bit of every array."""
    assert describe(model) == describe(expected)
    found, wanted = arrays(model), arrays(expected)
    assert found.keys() == wanted.keys()
    for path, value in wanted.items():
        assert found[path].dtype == value.dtype, path
        assert found[path].shape == value.shape, path
        assert found[path].tobytes() == value.tobytes(), path


def known_to_deepmd(example):
    """Return whether DeePMD-kit's kinds of file have a place for a model."""
    try:
        write_model(example.model)
    except UnwritableError:
        return False
    return True


KNOWN = [e for e in EXAMPLES if known_to_deepmd(e)]


@EVERY
def test_round_trip(example, tmp_path):
    assert_identical(round_trip(tmp_path / "model.dp", example.model), example.model)


@pytest.mark.parametrize("suffix", ["yaml", "yml"])
@pytest.mark.parametrize("example", KNOWN, ids=str)
def test_round_trip_as_text(example, suffix, tmp_path):
    assert_identical(round_trip(tmp_path / f"model.{suffix}", example.model), example.model)


@pytest.mark.parametrize("example", KNOWN, ids=str)
def test_deepmd_header_alone_gives_the_same_model(example, tmp_path):
    """DeePMD-kit's header stands beside dpcore's, on the same datasets, and is complete by itself."""
    path = tmp_path / "model.dp"
    format_of(path).write(path, Document(example.model))
    with h5py.File(path, "r+") as file:
        header = json.loads(file.attrs["json"])
        places = set(datasets_named_by(header))
        stored = []
        file.visititems(lambda name, x: stored.append(f"/{name}") if hasattr(x, "shape") else None)
        assert places <= set(stored)
        del file.attrs["dpcore"]
    assert_identical(format_of(path).read(path).model, example.model)


def datasets_named_by(node, *, inside=False):
    """Return the entries below ``@variables``, which are the places of arrays."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from datasets_named_by(value, inside=inside or key == "@variables")
    elif isinstance(node, list):
        for value in node:
            yield from datasets_named_by(value, inside=inside)
    elif inside and node is not None:
        yield node


@pytest.mark.parametrize("suffix", ["dp", "yaml"])
@pytest.mark.parametrize("name", ["by_place", "bfloat16", "atom_ener", "model_exclude_types"])
def test_numbers_survive_from_file_to_file(name, suffix, tmp_path, predict):
    example = BY_NAME[name]
    model = round_trip(tmp_path / f"a.{suffix}", example.model)
    other = round_trip(tmp_path / "b.dp", round_trip(tmp_path / "b.yaml", model))
    frame = example.frame()
    (expected,) = predict(example.model, [frame])
    (result,) = predict(other, [frame])
    assert_same(result, expected, 0.0)


@pytest.mark.parametrize("suffix", ["dp", "yaml"])
def test_a_file_evaluates_on_any_backend(suffix, framework, tmp_path, predict):
    example = BY_NAME["fparam"]
    path = tmp_path / f"model.{suffix}"
    format_of(path).write(path, Document(example.model))
    potential = load(path, backend=str(framework))
    assert isinstance(potential, DeepPot)
    frame = example.frame()
    out = potential.evaluate(frame.coord[None], frame.cell[None], frame.types, frame.fparam)
    (expected,) = predict(example.model, [frame])
    assert np.abs(out["force"][0] - expected["force"]).max() < 1e-12
    assert np.abs(out["energy"][0] - expected["energy"]).max() < 1e-12


def declaring(cls, name):
    """Return the class that a setting of a class comes from."""
    return next(c for c in reversed(cls.__mro__) if name in vars(c).get("__annotations__", {}))


# What these settings ask for is seen in training alone, or they repeat what the arrays or other settings say.
UNUSED = {
    "trainable",
    "rcond",
    "layer_name",
    "preset_out_bias",
    "seed",
    "sel_type",
    "stripped_type_embedding",
    "use_amp",
}


def test_examples_use_every_setting_of_every_component():
    """A setting that no example changes from its default would pass all tests unseen."""
    changed, everything = set(), set()
    for part in [m for e in EXAMPLES for _, m in inside(e.model, Module)]:
        for name, field in type(part).__dataclass_fields__.items():
            if "doc" in field.metadata and name not in UNUSED:
                setting = f"{declaring(type(part), name).__name__}.{name}"
                everything.add(setting)
                if getattr(part, name) != field.default:
                    changed.add(setting)
    # Only one value is possible.
    assert everything - changed <= {"SeATpe.numb_aparam", "InnerPotential.mode"}


def test_every_component_has_an_example():
    found = {type(part) for e in EXAMPLES for _, part in inside(e.model, Module)}
    components = {*DESCRIPTORS.values(), *FITTINGS.values()}
    assert not {c.type_name for c in components - found}


def test_settings_of_training_survive_too(tmp_path):
    model = BY_NAME["plain"].model
    layers = model.fitting.nets[0].layers
    flags = [False, True, False]
    nets = tuple(
        net.with_(
            layers=tuple(x.with_(trainable=f) for x, f in zip(net.layers, flags, strict=True))
        )
        for net in model.fitting.nets
    )
    frozen = tuple(
        net.with_(layers=tuple(x.with_(trainable=False) for x in net.layers))
        for net in model.descriptor.nets
    )
    changed = model.with_(
        preset_out_bias=(1.5, None),
        descriptor=model.descriptor.with_(trainable=False, nets=frozen),
        fitting=model.fitting.with_(rcond=0.25, nets=nets, layer_name=(None,) * len(layers)),
    )
    for suffix in ("dp", "yaml"):
        assert_identical(round_trip(tmp_path / f"model.{suffix}", changed), changed)


def test_backend_of_plain_files_is_the_reference(tmp_path):
    path = tmp_path / "model.dp"
    format_of(path).write(path, Document(BY_NAME["plain"].model))
    assert load(path).engine.backend == str(Backend.NUMPY)
