"""Pair tables, DP+ZBL and sums of models against plain loops, and what they refuse."""

import dataclasses as dc
import itertools
import logging
import math

import numpy as np
import pytest
from example_models import BY_NAME
from harness import FRAMEWORKS, assert_close, assert_same

from dpcore.backend.reference import adapter
from dpcore.conditions import Conditions
from dpcore.errors import DPError
from dpcore.formats import Document
from dpcore.frames import Frame
from dpcore.infer import DeepPot
from dpcore.models import FrozenModel, LinearModel, PairTable, StandardModel, ZBLModel
from dpcore.models.pair_spline import reaching, read_table, spline
from dpcore.registry import format_of
from dpcore.settings import build_model
from dpcore.tree import arrays, leaves
from examples.composites import SWITCH, THREE, model, pair_rows, table
from examples.example import CELL, RCUT

DESCRIPTOR = {"type": "se_e2_a", "sel": [10, 12], "neuron": [3, 6], "axis_neuron": 2}
DESCRIPTOR |= {"rcut": RCUT, "rcut_smth": 1.2}
PART = {"descriptor": DESCRIPTOR, "fitting_net": {"neuron": [4, 4]}}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory with a table of two types, named as users would."""
    monkeypatch.chdir(tmp_path)
    np.savetxt("pair.tab", pair_rows())
    return tmp_path


# Plain loops.


def distances(frame, rcut, excluded=()):
    """Return the neighbours of each atom as (distance, type), nearest first."""
    images = itertools.product(range(-2, 3), repeat=3) if frame.cell is not None else [(0, 0, 0)]
    shifts = [np.array(n) @ (CELL if frame.cell is None else frame.cell) for n in images]
    found = []
    for i, centre in enumerate(frame.coord):
        mine = []
        for j, coord in enumerate(frame.coord):
            pair = {(frame.types[i], frame.types[j]), (frame.types[j], frame.types[i])}
            for shift in shifts:
                distance = math.dist(centre, coord + shift)
                if 0 < distance < rcut and not pair & set(excluded):
                    mine.append((distance, int(frame.types[j])))
        found.append(sorted(mine))
    return found


def curvatures(x, y):
    """Return the second derivatives at the knots of a spline that is flat at both ends."""
    n, h, rise = len(x), np.diff(x), np.diff(y) / np.diff(x)
    matrix, right = np.zeros((n, n)), np.zeros(n)
    for i in range(n):
        if i > 0:
            matrix[i, i - 1 : i + 1] += h[i - 1] * np.array([1, 2]) / 6
            right[i] -= rise[i - 1]
        if i < n - 1:
            matrix[i, i : i + 2] += h[i] * np.array([2, 1]) / 6
            right[i] += rise[i]
    return np.linalg.solve(matrix, right)


def spline_energy(x, y, m, r):
    if r >= x[-1]:
        return 0.0
    i = max(int(np.searchsorted(x, r, side="right")) - 1, 0)
    h, a, b = x[i + 1] - x[i], x[i + 1] - r, r - x[i]
    bend = (m[i] * a**3 + m[i + 1] * b**3) / (6 * h)
    return bend + (y[i] / h - m[i] * h / 6) * a + (y[i + 1] / h - m[i + 1] * h / 6) * b


def table_energies(part, frame, excluded=()):
    """Return what a pair table gives for each atom."""
    rows, n = np.asarray(part.rows), len(part.type_map)
    curves = {}
    for place, (a, b) in enumerate(itertools.combinations_with_replacement(range(n), 2)):
        x, y = rows[:, 0], rows[:, 1 + place]
        curves[a, b] = curves[b, a] = (x, y, curvatures(x, y))
    pairs = (*part.pair_exclude_types, *excluded)
    out = []
    for i, mine in enumerate(distances(frame, part.rcut, pairs)):
        near = mine[: part.most]
        out.append(0.5 * sum(spline_energy(*curves[frame.types[i], t], r) for r, t in near))
    return finished(part, np.array(out), frame)


def finished(whole, energy, frame, bias=True):
    """Return energies with the bias of the whole model added and its excluded types zeroed."""
    out = energy + (whole.out_bias[0, frame.types, 0] if bias else 0.0)
    return np.where(np.isin(frame.types, whole.atom_exclude_types), 0.0, out)


def alone(predict, part, frame, types=None, excluded=()):
    """Return what a part gives for each atom by itself."""
    names = frame.types if types is None else np.array(types)[frame.types]
    if isinstance(part, FrozenModel):
        inner = [part.model.type_map.index(name) for name in part.type_map]
        frame = dc.replace(frame, types=names)
        return alone(predict, part.model, frame, inner)
    if isinstance(part, PairTable):
        return table_energies(part, dc.replace(frame, types=names), excluded)
    chosen = part.with_(pair_exclude_types=(*part.pair_exclude_types, *excluded))
    (result,) = predict(chosen, [dc.replace(frame, types=names)])
    return result["atom_energy"][:, 0]


def weight_of_the_table(whole, frame):
    """Return the weight that each atom gives to the table."""
    out = []
    rcut = whole.models[1].rcut
    for mine in distances(frame, rcut, whole.pair_exclude_types):
        if not mine:
            out.append(0.0)
            continue
        shares = [math.exp(-r / whole.smin_alpha) for r, _ in mine]
        smin = sum(s * r for s, (r, _) in zip(shares, mine, strict=True)) / sum(shares)
        u = (smin - whole.sw_rmin) / (whole.sw_rmax - whole.sw_rmin)
        u = min(max(u, 0.0), 1.0)
        out.append(u**3 * (-6 * u**2 + 15 * u - 10) + 1)
    return np.array(out)


def expected_zbl(predict, whole, frame):
    learned, pairs = (
        alone(predict, m, frame, excluded=whole.pair_exclude_types) for m in whole.models
    )
    weight = weight_of_the_table(whole, frame)
    if whole.srtab_add_bias:
        return finished(whole, (1 - weight) * learned + weight * pairs, frame)
    biased = learned + whole.out_bias[0, frame.types, 0]
    return finished(whole, (1 - weight) * biased + weight * pairs, frame, bias=False)


@pytest.mark.parametrize("name", ["pairtab", "pairtab_truncated"])
def test_pair_table_by_plain_loops(name, predict):
    example = BY_NAME[name]
    for frame in example.frames(0, 1):
        (result,) = predict(example.model, [frame])
        wanted = table_energies(example.model, frame)
        assert_close(result["atom_energy"][:, 0], wanted, 1e-12)


@pytest.mark.parametrize("name", ["zbl", "zbl_bias_of_the_model_alone"])
def test_zbl_by_plain_loops(name, predict):
    example = BY_NAME[name]
    blended = []
    for frame in example.frames(0, 1):
        (result,) = predict(example.model, [frame])
        wanted = expected_zbl(predict, example.model, frame)
        assert_close(result["atom_energy"][:, 0], wanted, 1e-12)
        blended += list(weight_of_the_table(example.model, frame))
    assert sum(0.02 < w < 0.98 for w in blended) > 4


def test_linear_by_plain_loops(predict):
    example = BY_NAME["linear_ener"]
    whole = example.model
    # The types O and H of the whole are 2 and 1 of the first part.
    to = [(2, 1), (0, 1), (0, 1)]
    excluded = [((2, 1),), ((0, 1),), ((0, 1),)]
    for frame in example.frames(0, 1):
        (result,) = predict(whole, [frame])
        parts = zip(whole.models, to, excluded, strict=True)
        energies = [alone(predict, m, frame, t, e) for m, t, e in parts]
        total = sum(w * e for w, e in zip((0.7, -0.4, 1.6), energies, strict=True))
        assert_close(result["atom_energy"][:, 0], finished(whole, total, frame), 1e-12)


def test_linear_of_composites_by_plain_loops(predict):
    example = BY_NAME["linear_ener_of_composites"]
    whole = example.model
    frozen, zbl = whole.models
    for frame in example.frames():
        (result,) = predict(whole, [frame])
        # The types H and O of the whole are 0 and 1 of the first part, 1 and 0 of the second.
        other = dc.replace(frame, types=1 - frame.types)
        total = 0.5 * (alone(predict, frozen, frame) + expected_zbl(predict, zbl, other))
        assert_close(result["atom_energy"][:, 0], finished(whole, total, frame), 1e-12)


# Tables.


def test_spline_is_that_of_deepmd():
    """The numbers are DeePMD-kit 3.2.0's."""
    rows = np.array([[1.0, 3.0, -2.0, 1.0], [1.5, 1.0, -1.0, 0.25], [2.0, 8e-4, -4e-4, 2e-4]])
    first = [[1.7506, -3.7506, 0.0, 3.0], [-0.251, 1.5012, -2.2494, 1.0]]
    mixed = [[-0.5003, 1.5003, 0.0, -2.0], [-0.4995, -0.0006, 1.4997, -1.0]]
    second = [[0.75015, -1.50015, 0.0, 1.0], [-0.25025, 0.7503, -0.74985, 0.25]]
    found = spline(rows, 2)
    assert_close(found, np.array([[first, mixed], [mixed, second]]), 1e-14)


@pytest.mark.parametrize(
    ("rcut", "added"),
    [
        (2.0, []),
        (1.6, []),
        (2.3, [[2.5, 0.0]]),
        (2.9, [[2.5, 0.0]]),
        (3.1, [[2.5, -1.245e-4], [3.0, 0.0]]),
        (4.0, [[2.5, -2.21451852e-4], [3.0, -1.10814815e-4], [3.5, 0.0]]),
    ],
)
def test_a_table_goes_on_to_the_cutoff_as_in_deepmd(rcut, added):
    """The numbers are a thousandth of DeePMD-kit 3.2.0's for a table a thousand times as high."""
    rows = np.array([[1.0, 3e-3], [1.5, 1e-3], [2.0, 8e-7]])
    assert_close(reaching(rows, rcut, "tab")[3:], np.reshape(added, (-1, 2)), 1e-10)


@pytest.mark.parametrize(("rcut", "rows"), [(2.0, 3), (2.2, 4), (3.0, 5), (3.1, 6)])
def test_a_table_that_ends_at_zero_stays_there(rcut, rows, caplog):
    table = np.array([[1.0, 3.0], [1.5, 1.0], [2.0, 0.0]])
    longer = reaching(table, rcut, "tab")
    assert len(longer) == rows
    assert not longer[3:, 1].any()
    assert np.diff(longer[:, 0]) == pytest.approx(0.5)
    assert not caplog.messages


def test_energies_at_the_cutoff_and_beyond_the_table_are_told(caplog):
    rows = np.array([[1.0, 3.0], [1.5, 2e-3], [2.0, 1e-3]])
    reaching(rows, 1.9, "model.tab_file: x")
    assert caplog.messages == [
        "model.tab_file: x: energies are up to 0.001 eV at the cutoff, 1.9 Å, and drop to zero there"
    ]
    caplog.clear()
    reaching(rows, 2.4, "model.tab_file: x")
    assert caplog.messages[0].startswith("model.tab_file: x: ends at 2 Å, before the cutoff")


ROWS = "1.0 3 2 1\n1.5 2 1 0\n2.0 0 0 0\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "0 rows; a table has two at least"),
        ("1.0 3 2 1\n", "1 rows"),
        ("1.0 3\n1.5 1\n", "2 columns; 2 types need 4"),
        (ROWS + "2.5 0 0\n", "no table of numbers"),
        ("a b c d\n", "no table of numbers"),
        (ROWS + "2.5 0 nan 0\n", "row 4 has a number that is not finite"),
        (ROWS + "2.6 0 0 0\n", r"row 4 has the distance 2\.6 where even spacing has 2\.5"),
        ("1.0 1 1 1\n1.0 1 1 1\n", "must grow from row to row"),
        ("-0.5 1 1 1\n0.5 1 1 1\n", "must not be negative"),
        ("3.0 1 1 1\n3.5 1 1 1\n", r"begins at 3 Å, beyond the cutoff, rcut = 2\.5"),
        (
            "1.0 3 2 1\n1.5 2 1 0\n",
            "ends at 1.5 Å, before the cutoff, rcut = 2.5; energies up to 2 eV",
        ),
    ],
)
def test_bad_tables_are_refused(text, message, tmp_path):
    path = tmp_path / "bad.tab"
    path.write_text(text)
    with pytest.raises(DPError, match=message) as caught:
        PairTable.create(tab_file=str(path), rcut=2.5, sel=4, type_map=("O", "H"))
    assert str(caught.value).startswith(f"model.tab_file: {path}")
    assert "\n" not in str(caught.value)


def test_comments_and_uneven_digits_in_tables(tmp_path):
    path = tmp_path / "pair.tab"
    path.write_text("# r O-O O-H H-H\n0.333333 3 2 1\n0.666667 2 1 0\n1.000000 0 0 0\n")
    assert read_table(str(path), 2, "model.tab_file").shape == (3, 4)


def test_below_a_table_there_is_no_energy(predict):
    whole = table()
    potential = DeepPot.from_document(Document(whole), adapter)
    coord = np.array([[[0.0, 0.0, 0.0], [whole.lower - 1e-3, 0.0, 0.0]]])
    with pytest.raises(
        DPError, match=r"frame 1: the model's energy is not finite; .* 0 and 1, are "
    ):
        potential.evaluate(np.concatenate([1.1 * coord, coord]), None, [0, 1])
    (result,) = predict(whole, [Frame(coord[0] * 1.1, np.array([0, 1]))])
    assert np.abs(result["energy"]) > 1e-3


# DP+ZBL.


def two_atoms(distance):
    return Frame(distance * np.array([[0.0, 0.0, 0.0], [2.0, 1.0, -2.0]]) / 3.0, np.array([0, 1]))


@pytest.mark.parametrize("framework", FRAMEWORKS, ids=str)
def test_atoms_without_neighbours_are_left_to_the_model(framework, predict):
    framework.required()
    whole = ZBLModel.create(model=model("in zbl"), table=table(sel=22), **SWITCH)
    for frame in (two_atoms(50.0), Frame(np.zeros((1, 3)), np.array([1]))):
        (result,) = predict(whole, [frame], framework)
        (wanted,) = predict(whole.models[0], [frame])
        assert_close(result["atom_energy"], wanted["atom_energy"], 1e-12)
        assert not result["force"].any()


@pytest.mark.parametrize("alpha", [1e-3, 0.1, 50.0])
def test_the_soft_minimum_neither_vanishes_nor_overflows(alpha, predict):
    """Of a single neighbour it is the distance, whatever the decay length is."""
    whole = ZBLModel.create(
        model=model("in zbl"), table=table(sel=22), **SWITCH | {"smin_alpha": alpha}
    )
    for distance in (0.7, 1.5, 2.2, 3.0):
        frame = two_atoms(distance)
        (result,) = predict(whole, [frame])
        weight = weight_of_the_table(whole.with_(smin_alpha=50.0), frame)
        learned, pairs = (alone(predict, part, frame) for part in whole.models)
        wanted = (1 - weight) * learned + weight * pairs
        assert_close(result["atom_energy"][:, 0], wanted, 1e-12)


def test_the_blend_is_smooth(predict):
    """The energy's second differences are small through both ends of the blend."""
    example = BY_NAME["zbl_bias_of_the_model_alone"]
    whole = example.double()
    step = 2e-4
    for end in (whole.sw_rmin, whole.sw_rmax):
        grid = end + step * np.arange(-20, 21)
        results = predict(whole, [two_atoms(r) for r in grid])
        energy = np.array([p["energy"][0] for p in results])
        pull = np.array([p["force"][1] @ np.array([2.0, 1.0, -2.0]) / 3.0 for p in results])
        assert_close(np.gradient(energy, step)[2:-2], -pull[2:-2], 1e-4)
        bend = np.diff(pull, 2)
        assert np.abs(bend).max() < 1e-3 * np.abs(pull).max()


# Sums, and models from files.


def test_parts_count_as_they_are_alone(predict):
    other = model("other").with_(type_map=("H", "O"))
    frozen = FrozenModel.of(THREE, "three.dp")
    whole = LinearModel.create(models=(other, frozen), type_map=("O", "H"), weights=(2.0, -1.0))
    frame = BY_NAME["zbl_bias_of_the_model_alone"].frame()
    (result,) = predict(whole, [frame])
    (first,) = predict(other, [dc.replace(frame, types=1 - frame.types)])
    (second,) = predict(frozen, [dc.replace(frame, types=2 - frame.types)])
    assert second["mask"].tolist() == [1, 0, 0, 1, 0, 0, 1, 0]
    for key in ("energy", "force", "virial", "atom_energy"):
        assert_close(result[key], 2.0 * first[key] - second[key], 1e-11, key)


@pytest.mark.parametrize(("weights", "factors"), [("mean", (0.5, 0.5)), ("sum", (1.0, 1.0))])
def test_named_weights(weights, factors):
    parts = {"models": (model("a"), table()), "type_map": ("O", "H")}
    assert LinearModel.create(weights=weights, **parts).factors == factors


def test_sharp_corners_of_a_sum_are_those_of_its_parts():
    whole = BY_NAME["linear_ener"].model
    assert whole.rcut == pytest.approx(RCUT)
    assert [s.rcut for s in whole.selections] == [2.7, 2.5, RCUT]
    assert whole.selections[0].types == (2, 1)
    assert [s.exclude for s in whole.selections] == [((2, 1),), ((0, 1),), ((0, 1),)]
    assert whole.conditions == Conditions(numb_fparam=1, numb_aparam=2, default_fparam=(0.3,))


def test_frozen_is_the_model_of_the_file(tmp_path, predict):
    path = tmp_path / "three.dp"
    format_of(path).write(path, Document(THREE))
    frozen = build_model({"type": "frozen", "model_file": str(path)})
    frame = dc.replace(BY_NAME["plain"].frame(), types=np.array([0, 1, 2, 2, 1, 0, 2, 1]))
    (result,) = predict(frozen, [frame])
    (wanted,) = predict(THREE, [frame])
    assert_same(result, wanted, 0.0)
    assert frozen.type_map == THREE.type_map
    assert all(not leaf.trainable for leaf in leaves(frozen).values())
    assert any(leaf.trainable for leaf in leaves(THREE).values())


def test_frozen_with_other_names(predict):
    frozen = FrozenModel.of(THREE, "three.dp", ("O", "C"))
    frame = BY_NAME["plain"].frame()
    (result,) = predict(frozen, [frame])
    (wanted,) = predict(THREE, [dc.replace(frame, types=np.array([2, 0])[frame.types])])
    assert_same(result, wanted, 1e-14)


# Input files.


def srtab(**settings):
    switch = {"use_srtab": "pair.tab", "sw_rmin": 1.0, "sw_rmax": 2.0}
    return {"type_map": ["O", "H"], **PART, **switch, **settings}


def linear(*models, **settings):
    return {"type": "linear_ener", "type_map": ["H", "O"], "weights": "sum", **settings} | {
        "models": list(models)
    }


PAIRTAB = {"type": "pairtab", "tab_file": "pair.tab", "rcut": RCUT, "sel": [10, 12]}


@pytest.mark.usefixtures("folder")
def test_zbl_from_settings():
    whole = build_model(srtab(pair_exclude_types=[[0, 1]], preset_out_bias=[1.0, None]), seed=1)
    assert isinstance(whole, ZBLModel)
    assert (whole.smin_alpha, whole.srtab_add_bias) == (0.1, True)
    assert whole.pair_exclude_types == ((0, 1),)
    assert whole.preset_out_bias == (1.0, None)
    learned, pairs = whole.models
    assert isinstance(learned, StandardModel)
    assert learned.pair_exclude_types == ()
    assert (pairs.rcut, pairs.most, pairs.type_map) == (RCUT, 22, ("O", "H"))


@pytest.mark.usefixtures("folder")
def test_linear_from_settings():
    whole = build_model(linear({**PART, "type_map": ["C", "O", "H"]} | wide(), PAIRTAB), seed=1)
    assert [m.type_map for m in whole.models] == [("C", "O", "H"), ("H", "O")]
    assert whole.types == ((2, 1), (0, 1))
    again = build_model(linear(PART, PART), seed=1)
    first, second = (m.descriptor.nets[0].layers[0].weight for m in again.models)
    assert np.abs(first - second).max() > 1e-3


def wide():
    return {"descriptor": DESCRIPTOR | {"sel": [8, 8, 8]}}


def test_types_of_a_sum_are_those_of_its_parts_where_they_agree():
    part = {**PART, "type_map": ["O", "H"]}
    settings = linear(part, part)
    del settings["type_map"]
    assert build_model(settings).type_map == ("O", "H")
    with pytest.raises(DPError, match=r"model\.models\.1\.type_map: missing"):
        build_model(settings | {"models": [part, PART]})
    with pytest.raises(DPError, match=r"model\.type_map: missing, and models\.1 has"):
        build_model(settings | {"models": [part, part | {"type_map": ["H", "O"]}]})


def test_shared_sections_are_drawn_once():
    names = {"types": ["O", "H"], "big": DESCRIPTOR, "net": {"neuron": [4]}}
    hybrid = {"type": "hybrid", "list": ["big", DESCRIPTOR | {"rcut": 2.5}]}
    settings = linear(
        {"type_map": "types", "descriptor": "big", "fitting_net": "net"},
        {"type_map": "types", "descriptor": "big:0", "fitting_net": "net"},
        {"type_map": "types", "descriptor": hybrid, "fitting_net": {"neuron": [4]}},
        type_map=["O", "H"],
        shared_dict=names,
    )
    before = repr(settings)
    first, second, third = build_model(settings).models
    assert repr(settings) == before
    assert second.descriptor is first.descriptor
    assert second.fitting is first.fitting
    assert third.descriptor.children[0] is first.descriptor
    assert not np.array_equal(
        *(arrays(m.fitting)["nets.0.layers.0.weight"][:3] for m in (first, third))
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"descriptor": "small"},
            r"models\.1\.descriptor: there is no 'small' in model\.shared_dict",
        ),
        ({"descriptor": "big:1"}, r"models\.1\.descriptor: big:1 shares a part"),
        ({"type_map": ["H", "O"]}, r"models\.1\.descriptor: 'big' is for the types \['O', 'H'\]"),
    ],
)
def test_bad_sharing_is_refused(changes, message):
    part = {"type_map": ["O", "H"], "descriptor": "big", "fitting_net": {"neuron": [4]}}
    settings = linear(part, part | changes, shared_dict={"big": DESCRIPTOR})
    with pytest.raises(DPError, match=message):
        build_model(settings)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (srtab(sw_rmin=None), r"model\.sw_rmin: missing; use_srtab needs it"),
        (srtab(use_srtab=None), r"model\.sw_rmin: has a meaning together with use_srtab alone"),
        (srtab(use_srtab="no.tab"), r"model\.use_srtab: no\.tab: no such file"),
        (srtab(sw_rmin=2.0), r"model\.sw_rmax: 2\.0 must be larger than sw_rmin = 2\.0"),
        (srtab(sw_rmin=-0.5), r"model\.sw_rmax: 2\.0 must be larger than sw_rmin = -0\.5"),
        (srtab(sw_rmax=3.5), r"model\.sw_rmax: 3\.5 is beyond the cutoff"),
        (srtab(smin_alpha=0.0), r"model\.smin_alpha: 0\.0 must be positive"),
        (
            srtab(fitting_net={"type": "dos", "neuron": [4]}),
            r"model\.use_srtab: a table of energies",
        ),
        (srtab(atom_exclude_types=[2]), r"model\.atom_exclude_types: there is no type 2"),
        ({**PAIRTAB}, "type_map"),
        ({**PAIRTAB, "type_map": ["O", "H"], "sel": 0}, r"model\.sel: 0 allows no neighbours"),
        ({**PAIRTAB, "type_map": ["O", "H"], "rcut": -1}, r"begins at 0\.05 Å, beyond the cutoff"),
        ({**PAIRTAB, "type_map": ["O"]}, r"model\.tab_file: pair\.tab: 4 columns; 1 types need 2"),
        (linear(), r"model\.models: no models"),
        (linear(PART, PAIRTAB, weights=[1.0]), r"model\.weights: 1 weights for 2 models"),
        (linear(PART, weights="max"), r"model\.weights: 'max' is unknown"),
        (linear(PART, weights=[float("inf")]), r"model\.weights: \[inf\] is not finite"),
        (
            linear({**PART, "type_map": ["O", "C"]}),
            r"model\.models\.0\.type_map: \['O', 'C'\] lacks 'H'",
        ),
        (
            linear(PART, {**PAIRTAB, "tab_file": "x"}),
            r"model\.models\.1\.tab_file: x: no such file",
        ),
        (
            linear({**PART, "preset_out_bias": [0, 0]}),
            r"model\.models\.0\.preset_out_bias: the bias of",
        ),
        (
            linear({**PART, "fitting_net": {"type": "dos", "neuron": [4]}}),
            r"model\.models\.0: predicts the dos; parts predict energies",
        ),
        (
            linear(*({**PART, "fitting_net": {"neuron": [4], "numb_fparam": n}} for n in (1, 2))),
            r"model\.models: numb_fparam is 1 in models\.0 and 2 in models\.1",
        ),
        (linear(linear(PART)), "linear_ener"),
        ({"type": "frozen", "model_file": "no.dp"}, r"model\.model_file: no\.dp"),
        (
            {"type": "frozen", "model_file": "pair.tab"},
            r"model\.model_file: pair\.tab: unknown suffix",
        ),
    ],
)
def test_bad_settings_are_refused(settings, message):
    with pytest.raises(DPError, match=message) as caught:
        build_model(settings)
    assert "\n" not in str(caught.value)


def test_a_frozen_model_needs_all_types():
    with pytest.raises(DPError, match=r"the type_map of three\.dp: \['C', 'H', 'O'\] lacks 'Si'"):
        FrozenModel.of(THREE, "three.dp", ("Si",))


def test_a_second_part_of_zbl_is_a_table():
    with pytest.raises(DPError, match="a model and a pair table, in this order"):
        ZBLModel.create(model=table(), table=model("in zbl"), **SWITCH)


def test_shapes_of_tables_are_checked():
    whole = table()
    with pytest.raises(DPError, match=r"model\.cubics: shape \(2, 2, 119, 3\)"):
        whole.with_(cubics=whole.cubics[..., :3])
    with pytest.raises(DPError, match=r"model\.out_bias: shape"):
        whole.with_(out_bias=np.zeros((1, 3, 1)))


def test_extension_is_told_by_the_logger_of_the_module(caplog, tmp_path):
    path = tmp_path / "pair.tab"
    np.savetxt(path, pair_rows()[:-8])
    with caplog.at_level(logging.WARNING):
        longer = PairTable.create(tab_file=str(path), rcut=RCUT, sel=4, type_map=("O", "H"))
    assert len(caplog.records) == 1
    assert longer.rows[-1, 1:] == pytest.approx(0.0)
