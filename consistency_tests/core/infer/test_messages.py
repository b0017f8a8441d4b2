"""Descriptors that pass messages: neighbours in rows or as a list, alone or beside others, on every backend."""

from typing import Any

import numpy as np
import pytest
from example_models import RCUT, RCUT_SMTH, TYPES, Example
from harness import Backend, Way, assert_same, engine_of

from dpcore.descriptors import SeE2A
from dpcore.descriptors.descriptor import Description, Descriptor
from dpcore.descriptors.hybrid import Hybrid
from dpcore.descriptors.neighbourhood import neighbourhood
from dpcore.formats import Document
from dpcore.infer import load
from dpcore.infer.evaluator import Evaluator
from dpcore.neighbours.selection import ALL, Selection
from dpcore.registry import format_of
from dpcore.tree import setting
from dpcore.xp import as_type_of, namespace
from examples.example import standard


class Told(Descriptor, name="told", listed=False):
    """Atoms count their neighbours, and then add up what these counted, with and without directions."""

    in_list: bool = setting(False, doc="edges in a list")
    sel: int = setting(30, doc="largest number of neighbours")
    exclude_types: tuple[tuple[int, int], ...] = setting((), doc="pairs that do not count")

    @property
    def ntypes(self) -> int:
        return 2

    @property
    def width(self) -> int:
        return 4

    @property
    def mixed_types(self) -> bool:
        return True

    @property
    def selections(self) -> tuple[Selection, ...]:
        flags = {"listed": self.in_list, "messages": True}
        return (Selection.of_all_types(RCUT, self.sel, 2, **flags),)

    def __call__(self, batch: Any, displacement: Any) -> Description:
        xp, pairs = (
            namespace(displacement),
            neighbourhood(batch, displacement, RCUT_SMTH, RCUT, self.exclude_types),
        )
        kind = as_type_of(pairs.types, displacement)[..., None] + 1.0
        own = pairs.sum(pairs.switch * kind)
        heard = pairs.of_neighbours(own) * pairs.switch
        directed = pairs.moments(pairs.displacement * (1.0 / pairs.length), heard)
        echo = pairs.sum(heard * pairs.of_centres(own))
        parts = [own, pairs.sum(heard), xp.sum(directed * directed, axis=1), echo]
        return Description(xp.concat(parts, axis=1))


def told(**settings: Any) -> Example:
    return standard("told", Told(**settings), {"neuron": (5,)})


def beside(**settings: Any) -> Example:
    """Beside a descriptor whose centres come type by type."""
    rng = np.random.default_rng(3)
    plain = {
        "rcut": RCUT,
        "rcut_smth": RCUT_SMTH,
        "sel": (12, 18),
        "neuron": (4,),
        "axis_neuron": 2,
    }
    typed = SeE2A.create(rng, type_map=("O", "H"), **plain)
    return standard("beside", Hybrid(children=(Told(**settings), typed)), {"neuron": (5,)})


KINDS = {
    "rows": told(),
    "list": told(in_list=True),
    "uncut": told(in_list=True, sel=ALL),
    "beside": beside(),
    "list_beside": beside(in_list=True),
}
EXCLUDED = [told(exclude_types=((0, 1), (1, 0)), in_list=flag) for flag in (False, True)]


def naive(frame: Any) -> np.ndarray:
    """Return the features by plain loops over images."""
    shifts = np.array(
        [[i, j, k] for i in (-2, -1, 0, 1, 2) for j in (-2, -1, 0, 1, 2) for k in (-2, -1, 0, 1, 2)]
    )
    shifts = shifts @ frame.cell if frame.cell is not None else np.zeros((1, 3))
    pairs = []
    for i, here in enumerate(frame.coord):
        for j, there in enumerate(frame.coord):
            for shift in shifts:
                d = there + shift - here
                r = np.linalg.norm(d)
                if 0 < r < RCUT:
                    u = min(max((r - RCUT_SMTH) / (RCUT - RCUT_SMTH), 0.0), 1.0)
                    pairs.append((i, j, d / r, 1.0 + u**3 * (-6 * u * u + 15 * u - 10)))
    n = len(frame.coord)
    own, heard, echo, directed = np.zeros(n), np.zeros(n), np.zeros(n), np.zeros((n, 3))
    for i, j, _, w in pairs:
        own[i] += w * (frame.types[j] + 1)
    for i, j, unit, w in pairs:
        heard[i] += w * own[j]
        echo[i] += w * own[j] * own[i]
        directed[i] += w * own[j] * unit
    return np.stack([own, heard, np.sum(directed**2, axis=1), echo], axis=1)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("periodic", [True, False])
def test_features_are_those_of_plain_loops(name, periodic):
    one = KINDS[name]
    # The second frame begins with an atom of another type.
    frames = [one.frame(periodic=periodic), one.frame(periodic=periodic, seed=1)]
    found = Evaluator(one.model, engine_of(one.model, Backend.NUMPY)).describe(frames)
    for frame, result in zip(frames, found, strict=True):
        np.testing.assert_allclose(result["descriptor"][:, :4], naive(frame), rtol=1e-12)


@pytest.mark.parametrize("name", KINDS)
def test_backends_agree(name, framework, predict):
    one = KINDS[name]
    frames = [one.frame(), one.frame(periodic=False, seed=2)]
    expected = predict(one.model, frames)
    for way in (Way.PLAIN, Way.TABLES):
        for result, wanted in zip(
            predict(one.model, frames, framework, way=way), expected, strict=True
        ):
            assert_same(result, wanted, 1e-11)


@pytest.mark.parametrize("name", KINDS)
def test_forces_are_slopes(name, predict):
    one, step = KINDS[name], 1e-5
    frame = one.frame()
    (result,) = predict(one.model, [frame])
    for atom, axis in [(0, 0), (3, 1), (7, 2)]:
        energies = []
        for sign in (-1, 1):
            coord = frame.coord.copy()
            coord[atom, axis] += sign * step
            moved = type(frame)(coord, frame.types, frame.cell)
            energies.append(predict(one.model, [moved])[0]["energy"][0])
        slope = (energies[1] - energies[0]) / (2 * step)
        assert abs(result["force"][atom, axis] + slope) < 1e-7 * max(1.0, abs(slope))


def test_excluded_pairs_do_not_count(predict):
    frame = EXCLUDED[0].frame()
    rows, listed = (predict(one.model, [frame])[0] for one in EXCLUDED)
    assert_same(rows, listed, 1e-12)
    (all_pairs,) = predict(KINDS["rows"].model, [frame])
    assert abs(all_pairs["energy"] - rows["energy"]) > 1e-6


@pytest.mark.parametrize("name", KINDS)
def test_frames_are_not_cut(name):
    """Few atoms at a time would leave neighbours without features."""
    one = KINDS[name]
    frames = [one.frame(), one.frame(seed=4), one.frame(periodic=False)]
    whole, parts = (
        Evaluator(one.model, engine_of(one.model, Backend.NUMPY), batch_atoms=n).predict(frames)
        for n in (1000, 3)
    )
    for result, wanted in zip(parts, whole, strict=True):
        assert_same(result, wanted, 1e-12)


@pytest.mark.parametrize(
    ("suffix", "framework"),
    [("pt2", Backend.TORCH), ("savedmodel", Backend.TENSORFLOW), ("jaxexport", Backend.JAX)],
)
def test_lists_are_exported(suffix, framework, tmp_path, predict):
    framework.required()
    one, path = KINDS["list_beside"], tmp_path / f"model.{suffix}"
    format_of(path).write(path, Document(one.model))
    program = load(path)
    for types in (TYPES, np.array([1, 1, 0])):
        frame = one.frame()
        frame = type(frame)(frame.coord[: len(types)], types, frame.cell)
        out = program.evaluate(frame.coord[None], frame.cell[None], types)
        (expected,) = predict(one.model, [frame])
        assert_same({key: value[0] for key, value in out.items()}, expected, 1e-11)
