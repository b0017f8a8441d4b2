"""The frames that are made for models without data must be sensible for any model."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest

from dpcore.parity import generated_samples


def stand_in(rcut, sel, ntypes, parameters=0):
    statistics = np.linspace(1.0, 2.0, parameters) if parameters else None
    fitting = SimpleNamespace(
        numb_fparam=parameters,
        numb_aparam=parameters,
        default_fparam=None,
        fparam_avg=statistics,
        fparam_inv_std=statistics,
        aparam_avg=statistics,
        aparam_inv_std=statistics,
    )
    return SimpleNamespace(
        selection=SimpleNamespace(rcut=rcut, sel=sel),
        type_map=tuple(f"X{t}" for t in range(ntypes)),
        fitting=fitting,
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
    model = stand_in(6.0, (46, 92), 2, 2)
    model.fitting.fparam_avg = np.array([1000.0, -5.0])
    model.fitting.fparam_inv_std = np.array([1e3, 0.0])
    frames = [sample.frame for sample in generated_samples(model)]
    assert all(abs(frame.fparam[0] - 1000.0) < 0.01 for frame in frames)
    assert all(0 < abs(frame.fparam[1] + 5.0) < 10 for frame in frames)
    assert all(frame.aparam.shape == (len(frame.types), 2) for frame in frames)
    assert np.ptp(frames[0].aparam[:, 0]) > 0
