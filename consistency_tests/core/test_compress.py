"""Compressed models against those they were made from."""

import logging

import numpy as np
import pytest
from example_models import BY_NAME, PAIRWISE, example
from harness import FRAMEWORKS, Backend, Way, assert_close

from dpcore.backend.adapter import value_and_grad
from dpcore.backend.reference import NumpyAdapter
from dpcore.compress import compress, is_compressed
from dpcore.errors import DPError
from dpcore.frames import Frame
from dpcore.fused.table import TabulatedNet
from dpcore.tree import arrays

ROOMY = example("compressed", sel=(30, 40), descriptor={"neuron": (6, 12)}, gain=1.5).model
WAYS = [Way.PLAIN, Way.TABLES]


def close_pair(distance):
    """Return eight atoms of which two are that close to each other."""
    rng = np.random.default_rng(5)
    sites = np.stack(np.meshgrid([0.0, 1.6], [0.0, 1.7], [0.0, 1.8]), axis=-1).reshape(-1, 3)
    coord = sites + rng.normal(0.0, 0.05, (8, 3))
    coord[1] = coord[0] + distance * np.array([0.6, 0.64, 0.48])
    return Frame(coord, np.array([0, 1, 0, 1, 1, 0, 1, 0]))


def largest_errors(found, exact):
    """Return the largest differences in energy per atom, eV, and force, eV/Å."""
    pairs = list(zip(found, exact, strict=True))
    natoms = len(exact[0]["force"])
    energy = max(np.abs(a["energy"] - b["energy"]).max() for a, b in pairs) / natoms
    return energy, max(np.abs(a["force"] - b["force"]).max() for a, b in pairs)


def assert_lossless(found, exact):
    energy, force = largest_errors(found, exact)
    assert energy <= 1e-12
    assert force <= 1e-10


def test_the_networks_are_gone():
    model = compress(ROOMY).model
    assert is_compressed(model)
    assert not is_compressed(ROOMY)
    assert all(isinstance(net, TabulatedNet) for net in model.descriptor.nets)
    kept = arrays(model)
    assert not [name for name in kept if name.startswith("descriptor") and "weight" in name]
    for name, value in arrays(ROOMY).items():
        if not name.startswith("descriptor.nets"):
            np.testing.assert_array_equal(kept[name], value)


COMPRESSED = compress(ROOMY).model


@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.parametrize("backend", FRAMEWORKS, ids=str)
def test_it_predicts_the_same(backend, way, predict):
    frames = [close_pair(0.55), close_pair(0.9)]
    found = predict(COMPRESSED, frames, backend.required(), way=way)
    assert_lossless(found, predict(ROOMY, frames))


SMOOTH = [
    e
    for e in PAIRWISE
    if e.precision == "float64" and e.name not in {"relu-relu6", "silut_5.0-linear"}
]


@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.parametrize("case", SMOOTH, ids=str)
def test_every_smooth_example_is_lossless(case, way, predict):
    """Among them are types without a place in ``sel`` and pairs that are excluded."""
    compression = compress(case.model)
    assert compression.first.value_error <= 1e-14 * 1.5
    frames = [case.frame(), case.frame(periodic=False, seed=1)]
    found = predict(compression.model, frames, way=way)
    assert_lossless(found, predict(case.model, frames))


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_excluded_pairs_have_tables_for_their_empty_places(way, predict):
    """Their networks are given minus mean over standard deviation alone, which is less than zero."""
    case = example("excluded", descriptor={"exclude_types": ((0, 1),)}, gain=2.0)
    frames = [case.frame()]
    exact = predict(case.model, frames)
    assert_lossless(predict(compress(case.model).model, frames, way=way), exact)
    assert_lossless(predict(case.model, frames, way=way), exact)


# Coarse tables


def measured(net, table, points=40):
    """Return the largest errors in value and slope on a dense grid, by automatic derivatives."""
    x = np.linspace(table.lower, table.upper, points * table.intervals + 1)[:, None]
    value = np.max(np.abs(table(x) - net(x))) / np.max(np.abs(net(x)))

    def slopes(function):
        columns = []
        for k in range(table.knots.shape[2]):
            column = value_and_grad(NumpyAdapter(), lambda y, k=k: (function(y)[:, k].sum(), None))
            columns.append(column(x)[1])
        return np.concatenate(columns, axis=1)

    off = np.max(np.abs(slopes(table) - slopes(net)))
    return value, off / np.max(np.abs(slopes(net)))


@pytest.mark.parametrize("name", ["one_side", "widths", "gelu-gelu_tf"])
def test_errors_are_the_ones_reported(name):
    model = BY_NAME[name].model
    compression = compress(model, step=0.1)
    pairs = zip(model.descriptor.nets, compression.model.descriptor.nets, strict=True)
    by_net = [[measured(net, table) for table in tabulated.segments] for net, tabulated in pairs]
    for segment, told in enumerate((compression.first, compression.second)):
        value, slope = np.max([errors[segment] for errors in by_net], axis=0)
        assert 0.5 * value <= told.value_error <= 1.01 * value
        assert 0.5 * slope <= told.slope_error <= 1.01 * slope


def test_errors_fall_like_a_high_power_of_the_step(predict):
    frames = [close_pair(0.8)]
    exact = predict(ROOMY, frames)
    coarse, fine = (compress(ROOMY, step=step) for step in (0.4, 0.1))
    # The polynomials are of the fifth order: errors of values fall with the sixth power.
    assert fine.first.value_error < coarse.first.value_error / 4**5
    assert fine.first.slope_error < coarse.first.slope_error / 4**4
    errors = [largest_errors(predict(c.model, frames), exact) for c in (coarse, fine)]
    assert 1e-9 < errors[0][1] < 1e-1
    assert errors[1][0] < errors[0][0] / 4**4
    assert errors[1][1] < errors[0][1] / 4**3


def test_a_looser_tolerance_makes_smaller_tables():
    loose, tight = compress(ROOMY, tolerance=1e-6), compress(ROOMY)
    assert 1e-14 < loose.first.value_error <= 1.01e-6
    assert loose.first.nbytes < tight.first.nbytes / 4


# Where the tables end


def test_segments_follow_the_step_and_the_shortest_distance():
    model = BY_NAME["set_davg_zero"].model
    compression = compress(model, step=0.05, shortest=0.8, extrapolate=4)
    assert set(compression.first.strides) == {0.05}
    assert set(compression.second.strides) == {0.5}
    ends = []
    for net in compression.model.descriptor.nets:
        near, far = net.segments
        assert near.lower == 0
        assert far.lower == near.upper
        ends.append((near.upper, far.upper))
    # Types of the centre differ in the spread of 1/r; the networks of one centre are 0 and 2.
    for centre, (near, far) in enumerate(ends[:2]):
        upper = 1 / 0.8 / model.descriptor.dstd[centre, 0, 0]
        assert upper <= near < upper + 0.05
        assert 4 * upper <= far < 4 * upper + 0.5
    assert 0.18 < compression.reach <= 0.2


def test_no_second_tables():
    compression = compress(ROOMY, extrapolate=1, shortest=0.9)
    assert compression.second is None
    assert compression.reach == pytest.approx(0.9)


def test_atoms_between_the_shortest_distance_and_the_reach(predict, caplog):
    frames = [close_pair(0.3)]
    exact = predict(ROOMY, frames)
    for way in WAYS:
        energy, force = largest_errors(predict(COMPRESSED, frames, way=way), exact)
        assert energy <= 1e-9
        assert force <= 1e-6
    assert not caplog.records


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_atoms_beyond_the_tables_are_warned_of_once(way, predict, caplog):
    model = compress(ROOMY, extrapolate=1).model
    with caplog.at_level(logging.WARNING):
        for distance in (0.3, 0.35):
            predict(model, [close_pair(distance)], way=way)
    (record,) = caplog.records
    assert "2 neighbours are closer than 0.50 Å" in record.message
    assert "straight line" in record.message


def test_the_straight_line(predict):
    """Beyond the tables all backends go on alike."""
    model, frames = compress(ROOMY, extrapolate=1).model, [close_pair(0.3)]
    plain, fused = (predict(model, frames, way=way)[0] for way in WAYS)
    for name, value in plain.items():
        assert_close(fused[name], value, 1e-11, name)


# What is refused


def refusal(model, **settings):
    with pytest.raises(DPError) as caught:
        compress(model, **settings)
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_kinks():
    model = BY_NAME["relu-relu6"].model
    text = refusal(model)
    assert "descriptor.nets.0" in text
    assert "(relu)" in text
    assert "--step" in text
    rough = compress(model, step=0.01)
    assert rough.first.value_error < 1e-2
    assert rough.second.slope_error < 2


def test_a_compressed_model():
    assert "compressed already" in refusal(COMPRESSED)


@pytest.mark.parametrize("precision", ["float16", "bfloat16"])
def test_low_precision(precision):
    text = refusal(BY_NAME[precision].model, step=0.01)
    assert f"no tables of {precision}" in text


def test_single_precision(predict):
    case = BY_NAME["float32"]
    compression = compress(case.model)
    assert 1e-9 < compression.first.value_error < 1e-6
    (found,), (exact,) = (predict(m, [case.frame()]) for m in (compression.model, case.model))
    assert_close(found["force"], exact["force"], 1e-5)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"step": 0.0}, "step: 0.0 must be"),
        ({"step": np.nan}, "step: nan must be"),
        ({"step": 1e-7}, "choose a larger step"),
        ({"extrapolate": 0.5}, "extrapolate: 0.5 must be a finite number, 1 or more"),
        ({"extrapolate": 1e9}, "smaller extrapolate"),
        ({"tolerance": -1.0}, "tolerance: -1.0 must be"),
        ({"shortest": 0.0}, "shortest: 0.0 must be"),
        ({"shortest": np.inf}, "shortest: inf must be"),
    ],
)
def test_settings_without_a_meaning(settings, words):
    assert words in refusal(ROOMY, **settings)


def test_statistics_without_a_meaning():
    descriptor = ROOMY.descriptor
    flat = descriptor.with_(dstd=np.zeros_like(descriptor.dstd))
    with np.errstate(divide="ignore"):
        assert "dstd" in refusal(ROOMY.with_(descriptor=flat))


def test_backends_are_the_four_that_ship():
    assert len(FRAMEWORKS) == 4
    assert Backend.NUMPY in FRAMEWORKS
