"""The kinds of compiled files, the model that they are made of, and what it is asked."""

import itertools
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pytest
from example_models import CELL, TYPES, example
from harness import Backend, assert_same

from dpcore.errors import DPError
from dpcore.formats import Document
from dpcore.infer import DeepPot
from dpcore.registry import format_of
from dpcore.tree import arrays, describe

TOLERANCE = 1e-12
SEL = (10, 1)
MODEL = example(
    "artefact", sel=SEL, fitting={"numb_fparam": 2, "numb_aparam": 1}, by_place=True
).model
HISTORY = [{"from": "input.json"}]
RNG = np.random.default_rng(5)


@dataclass(frozen=True)
class Kind:
    """A kind of compiled file, written with or without a C++ compiler at hand."""

    name: str
    backend: Backend
    suffix: str
    cpp: bool = True

    def __str__(self):
        return self.name

    def write(self, path):
        self.backend.required()
        with pytest.MonkeyPatch.context() as patch:
            if not self.cpp:
                take_the_compiler_away(patch)
            format_of(path).write(path, Document(MODEL, {"history": HISTORY}))


def take_the_compiler_away(patch):
    from torch._inductor.exc import InvalidCxxCompiler

    def none():
        raise InvalidCxxCompiler

    patch.setattr("dpcore_torch.artefact.get_cpp_compiler", none)


PT2 = Kind("pt2", Backend.TORCH, "pt2")
EXPORTED = Kind("exported_pt2", Backend.TORCH, "pt2", cpp=False)
SAVEDMODEL = Kind("savedmodel", Backend.TENSORFLOW, "savedmodel")
JAXEXPORT = Kind("jaxexport", Backend.JAX, "jaxexport")
KINDS = (PT2, EXPORTED, SAVEDMODEL, JAXEXPORT)


def grouped(*kinds):
    """Return parameters whose tests run where the one file of their kind is."""
    return [pytest.param(k, id=k.name, marks=pytest.mark.xdist_group(k.name)) for k in kinds]


@dataclass(frozen=True)
class Artefact:
    """A compiled file of the model, beside what it must predict."""

    kind: Kind
    path: Path

    @cached_property
    def potential(self):
        return DeepPot(self.path)

    @cached_property
    def reference(self):
        return DeepPot(self.path, backend="numpy")

    def close(self):
        """Let go of the engine, whose program may lie unpacked on the disk."""
        vars(self).pop("potential", None)

    def agrees(self, ask):
        assert_same(ask(self.potential), ask(self.reference), TOLERANCE)


def query(coord, types, cell=None, **kwargs):
    """Return a call of an evaluator, with parameters that differ from frame to frame and atom to atom."""
    nframes, natoms = coord.shape[:2]
    rng = np.random.default_rng(natoms)
    fparam, aparam = rng.normal(size=(nframes, 2)), rng.normal(size=(nframes, natoms, 1))
    return lambda potential: potential.evaluate(coord, cell, types, fparam, aparam, **kwargs)


def liquid(nframes, scale=1.0):
    """Return frames of eight atoms in a cell that is smaller than the cutoff sphere."""
    corners = np.stack(np.meshgrid(*[[0.0, 0.5]] * 3), axis=-1).reshape(-1, 3)
    fractions = corners + RNG.uniform(-0.12, 0.12, (nframes, 8, 3))
    return fractions @ CELL * scale


def cluster(natoms, spacing):
    """Return one frame of atoms around the sites of a lattice."""
    side = int(np.ceil(natoms ** (1 / 3)))
    sites = np.array(list(itertools.product(range(side), repeat=3)))[:natoms]
    return spacing * (sites + RNG.uniform(-0.2, 0.2, sites.shape))[None]


CELLS = np.stack([CELL, 1.1 * CELL, 1.2 * CELL])
HOLES = np.array([[0, 1, 1, -1, 1, 1, 0, 1], [-1, 1, 1, 0, -1, -1, -1, 0], [0, *[-1] * 7]])
QUERIES = {
    "periodic": query(liquid(3), TYPES, CELLS),
    "slab": query(liquid(2), TYPES, CELL, pbc=(True, False, True)),
    "open": query(liquid(3), TYPES),
    "one_frame": query(liquid(1), TYPES, CELL),
    "lone_atom": query(np.zeros((1, 1, 3)), [1]),
    "lone_atoms": query(np.zeros((2, 1, 3)), [0]),
    "first_type_alone": query(liquid(2), np.zeros(8, int), CELL),
    "second_type_alone": query(liquid(2), np.ones(8, int), CELL),
    "different_sizes": query(liquid(3), HOLES, CELLS),
    "no_atoms": query(liquid(1), np.full(8, -1), CELL),
    "overfull": query(liquid(1, scale=0.7), np.zeros(8, int), 0.7 * CELL),
    "many_frames": query(liquid(40), TYPES, CELL),
    "many_atoms": query(cluster(700, 1.9), np.arange(700) % 2),
}


def assert_identical(model, expected=MODEL):
    """Compare every setting and every bit of every array."""
    assert describe(model) == describe(expected)
    found, wanted = arrays(model), arrays(expected)
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        assert found[name].dtype == value.dtype, name
        assert found[name].tobytes() == value.tobytes(), name


def read(path):
    return format_of(path).read(path)


def refusal(call, path):
    """Return the one line that names the file."""
    with pytest.raises(DPError) as caught:
        call(path)
    text = str(caught.value)
    assert "\n" not in text
    assert str(path) in text
    return text
