"""The frames that are made for models without data must be sensible for any model."""

import itertools
from typing import Any

import numpy as np
import pytest

from dpcore.conditions import Conditions
from dpcore.errors import DPError
from dpcore.models import ENERGY, Model
from dpcore.neighbours.selection import Selection
from dpcore.parity import generated_samples
from dpcore.tree import Tree, buffer
from examples import dplr


class Statistics(Tree):
    """What a fitting knows of parameters."""

    fparam_avg: Any = buffer(default=None)
    fparam_inv_std: Any = buffer(default=None)
    aparam_avg: Any = buffer(default=None)
    aparam_inv_std: Any = buffer(default=None)


class StandIn(Model):
    """A model that is only asked what it takes."""

    type_map: tuple[str, ...]
    asked: tuple[Selection, ...]
    parameters: int = 0
    spin: bool = False
    statistics: Statistics | None = None

    @property
    def selections(self):
        return self.asked

    @property
    def output(self):
        return ENERGY

    @property
    def conditions(self):
        return Conditions(self.parameters, self.parameters, spin=self.spin)


def stand_in(rcut, sel, ntypes, parameters=0, **more):
    known = np.linspace(1.0, 2.0, parameters) if parameters else None
    mixed = len(sel) != ntypes
    asked = Selection.of_all_types(rcut, sum(sel), ntypes) if mixed else Selection(rcut, sel)
    return StandIn(
        type_map=tuple(f"X{t}" for t in range(ntypes)),
        asked=(asked,),
        parameters=parameters,
        statistics=Statistics(
            fparam_avg=known, fparam_inv_std=known, aparam_avg=known, aparam_inv_std=known
        ),
        **more,
    )


def closest(frame):
    """Return the smallest distance between two atoms or an atom and an image of any atom."""
    best = np.inf
    cell = np.zeros((3, 3)) if frame.cell is None else frame.cell
    reach = (0,) if frame.cell is None else (-2, -1, 0, 1, 2)
    for shift in itertools.product(reach, repeat=3):
        vectors = frame.coord[:, None] - frame.coord[None] + np.array(shift) @ cell
        distances = np.linalg.norm(vectors, axis=-1)
        if not any(shift):
            np.fill_diagonal(distances, np.inf)
        best = min(best, distances.min())
    return best


@pytest.mark.parametrize(
    ("rcut", "sel", "ntypes"),
    [(6.0, (46, 92), 2), (4.0, (20, 40), 2), (9.0, (120,), 4), (6.0, (0, 30), 2)],
)
def test_distances_and_cells_suit_the_cutoff(rcut, sel, ntypes):
    samples = generated_samples(stand_in(rcut, sel, ntypes))
    assert [s.system for s in samples][::2] == [
        "generated periodic box",
        "generated open cluster",
        "generated box below the cutoff",
    ]
    assert min(closest(sample.frame) for sample in samples) >= 1.0
    box, cluster, small = (sample.frame for sample in samples[::2])
    assert len(box.types) == 30
    assert set(box.types) == set(cluster.types) == set(range(ntypes))
    assert not np.allclose(box.cell, np.diag(np.diag(box.cell)))
    assert cluster.cell is None
    assert np.linalg.norm(cluster.coord[:-1] - cluster.coord[-1], axis=1).min() > rcut
    assert small.cell[0, 0] < rcut
    assert len(small.types) > 1


def test_all_types_of_a_long_type_map_are_there():
    box = generated_samples(stand_in(6.0, (200,), 118))[0].frame
    assert sorted(box.types) == list(range(118))


def test_a_tiny_cutoff_still_ends():
    assert len(generated_samples(stand_in(0.8, (5,), 1))) == 6


def test_repeated_calls_give_the_same_frames():
    one, two = (generated_samples(stand_in(6.0, (46, 92), 2, 3)) for _ in range(2))
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a.frame.coord, b.frame.coord)
        np.testing.assert_array_equal(a.frame.types, b.frame.types)
        np.testing.assert_array_equal(a.frame.aparam, b.frame.aparam)
    assert not np.array_equal(one[0].frame.coord, one[1].frame.coord)


def test_parameters_follow_the_models_statistics():
    known = Statistics(
        fparam_avg=np.array([1000.0, -5.0]),
        fparam_inv_std=np.array([1e3, 0.0]),
        aparam_avg=np.ones(2),
        aparam_inv_std=np.ones(2),
    )
    model = stand_in(6.0, (46, 92), 2, 2).with_(statistics=known)
    frames = [sample.frame for sample in generated_samples(model)]
    assert all(abs(frame.fparam[0] - 1000.0) < 0.01 for frame in frames)
    assert all(0 < abs(frame.fparam[1] + 5.0) < 10 for frame in frames)
    assert all(frame.aparam.shape == (len(frame.types), 2) for frame in frames)
    assert np.ptp(frames[0].aparam[:, 0]) > 0


def test_parameters_without_statistics_and_spins_are_drawn_too():
    model = stand_in(6.0, (46, 92), 2, 3, spin=True).with_(statistics=None)
    frames = [sample.frame for sample in generated_samples(model)]
    assert {frame.fparam.shape for frame in frames} == {(3,)}
    assert all(frame.spin.shape == frame.coord.shape for frame in frames)
    assert 0.1 < np.mean([np.linalg.norm(f.spin, axis=1).mean() for f in frames]) < 2.0


def test_the_smallest_of_several_selections_bounds_the_density():
    """A part with a large cutoff and few places: its neighbours must still fit, by and large."""
    small, large = Selection(3.0, (20, 20)), Selection(6.0, (15, 15))
    model = stand_in(6.0, (46, 92), 2).with_(asked=(small, large))
    box = generated_samples(model)[0].frame
    density = 30 / abs(np.linalg.det(box.cell))
    assert density * 4 / 3 * np.pi * 6.0**3 == pytest.approx(0.6 * 30)


def test_frames_that_a_model_refuses_are_left_out():
    model = dplr.EXAMPLES[0].model
    names = {sample.system for sample in generated_samples(model)}
    assert names == {"generated periodic box", "generated box below the cutoff"}


class Groups(StandIn):
    """A model whose parameters are the numbers of groups, or that refuses everything."""

    refuses: bool = False

    def run(self, frames, evaluate):
        for frame in frames:
            if self.refuses or (frame.aparam % 1).any():
                raise DPError("frame 0: no groups")
        return super().run(frames, evaluate)


def test_parameters_may_be_numbers_of_groups():
    asked = (Selection(6.0, (46, 92)),)
    model = Groups(type_map=("O", "H"), asked=asked, parameters=1)
    groups = np.concatenate([sample.frame.aparam for sample in generated_samples(model)])
    assert set(groups.ravel()) == {0.0, 1.0, 2.0}
    with pytest.raises(DPError, match=r"no generated frame suits the model \(frame 0: no groups\)"):
        generated_samples(model.with_(refuses=True))


def test_a_model_without_a_cutoff_gets_open_frames():
    asked = (Selection(9999.0, (40, 80), masked=True),)
    (one, two) = generated_samples(stand_in(6.0, (1, 1), 2, 1).with_(asked=asked))
    assert {one.system, two.system} == {"generated open cluster"}
    assert np.ptp(one.frame.coord) < 50
