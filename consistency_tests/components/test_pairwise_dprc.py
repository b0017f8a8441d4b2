"""Pairwise range corrections against sums over fragments, and what residues they take."""

import dataclasses as dc
import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from harness import FRAMEWORKS, assert_close, assert_same, permuted

from dpcore.errors import DPError
from dpcore.formats import Document
from dpcore.frames import Frame
from dpcore.infer import DeepPot
from dpcore.registry import format_of
from dpcore.settings import build_model
from dpcore.tree import arrays, rebuild, structure
from examples.example import CELL, RCUT, RCUT_SMTH, shaken

TYPE_MAP = ["O", "H", "OW"]
TYPES = np.array([0, 1, 1, 2, 1, 1, 2, 0])
# Two MM residues, one atom that takes no part.
RESIDUES = np.array([0, 0, 0, 3, 3, 1, 1, -1])
STEP = 1e-4
DATA = Path(__file__).parent / "data"


def section(sel, **descriptor):
    small = {"rcut": RCUT, "rcut_smth": RCUT_SMTH, "neuron": [3, 6], "axis_neuron": 2}
    return {
        "descriptor": {"type": "se_e2_a", "sel": sel} | small | descriptor,
        "fitting_net": {"neuron": [5, 5]},
    }


def model_of(**settings):
    sections = {
        "type": "pairwise_dprc",
        "type_map": TYPE_MAP,
        "qm_model": section([8, 8], rcut=2.9) | {"type_map": ["H", "O"]},
        "qmmm_model": section([8, 8, 6], exclude_types=[[0, 0], [2, 2]]),
    }
    return shaken(build_model(sections | settings, 4), np.random.default_rng(5))


@pytest.fixture(scope="module")
def model():
    return model_of()


def frame_of(*, periodic=True, seed=0):
    rng = np.random.default_rng(seed)
    corners = np.stack(np.meshgrid(*[[0.0, 0.5]] * 3), axis=-1).reshape(-1, 3)
    coord = (corners + rng.uniform(-0.12, 0.12, (8, 3))) @ CELL
    return Frame(coord, TYPES, CELL if periodic else None, aparam=RESIDUES[:, None] * 1.0)


def fragment(frame, atoms, names):
    """Return some atoms of a frame with the types of another model."""
    types = np.array([names.index(TYPE_MAP[t]) for t in frame.types[atoms]])
    return Frame(frame.coord[atoms], types, frame.cell)


@pytest.mark.parametrize("periodic", [True, False], ids=["periodic", "open"])
def test_sum_over_fragments(model, periodic, predict):
    frames = [frame_of(periodic=periodic, seed=s) for s in (1, 2)]
    for frame, result in zip(frames, predict(model, frames), strict=True):
        wanted = {
            "energy": np.zeros(1),
            "virial": np.zeros(9),
            "force": np.zeros((8, 3)),
            "atom_energy": np.zeros((8, 1)),
            "atom_virial": np.zeros((8, 9)),
        }
        jobs = [(model.qm_model, ["H", "O"], [0, 1, 2])]
        jobs += [
            (model.qmmm_model, TYPE_MAP, atoms) for atoms in ([0, 1, 2, 3, 4], [0, 1, 2, 5, 6])
        ]
        for part, names, atoms in jobs:
            (found,) = predict(part, [fragment(frame, atoms, names)])
            for key, total in wanted.items():
                if len(total) == 8:
                    np.add.at(total, atoms, found[key])
                else:
                    np.add(total, found[key], out=total)
        assert_same(result, wanted | {"mask": np.array([1] * 7 + [0])}, 1e-12)
        assert np.abs(result["force"][:7]).min() > 0.0


@pytest.fixture(scope="module")
def of_deepmd():
    """Return numbers of DeePMD-kit's TensorFlow code, with the model and frames they are for.

    Frames were evaluated one at a time: of several together DeePMD-kit 3.2.0 takes the coordinates of the
    first for all interactions of QM with MM.
    """
    numbers = np.load(DATA / "pairwise_dprc.npz")
    drawn = build_model(json.loads(str(numbers["settings"])))
    model = rebuild(drawn, lambda path, _: numbers[f"weights.{path}"])
    frames = [
        Frame(coord, numbers["types"], aparam=residues[:, None] * 1.0)
        for coord, residues in zip(numbers["coord"], numbers["residues"], strict=True)
    ]
    return model, frames, numbers


@pytest.mark.parametrize("backend", FRAMEWORKS, ids=str)
def test_numbers_of_deepmd(of_deepmd, backend, predict):
    model, frames, numbers = of_deepmd
    for i, result in enumerate(predict(model, frames, backend.required())):
        for key in ("energy", "force", "virial", "atom_energy", "atom_virial"):
            assert_close(result[key], numbers[key][i], 1e-9, key)


@pytest.mark.parametrize("periodic", [True, False], ids=["periodic", "open"])
def test_forces_and_virial_are_slopes(model, periodic, predict):
    frame = frame_of(periodic=periodic, seed=3)
    (result,) = predict(model, [frame])

    def slope(frames):
        energy = np.array([p["energy"][0] for p in predict(model, frames)])
        return (energy[1::2] - energy[::2]) / (2.0 * STEP)

    steps = np.eye(24).reshape(24, 8, 3) * STEP
    moved = [dc.replace(frame, coord=frame.coord + s * x) for x in steps for s in (-1, 1)]
    assert_close(result["force"].ravel(), -slope(moved), 1e-6, "force")
    pulled = [
        dc.replace(
            frame, coord=frame.coord @ f, cell=None if frame.cell is None else frame.cell @ f
        )
        for x in np.eye(9).reshape(9, 3, 3) * STEP
        for f in (np.eye(3) - x, np.eye(3) + x)
    ]
    assert_close(result["virial"].reshape(3, 3).T.ravel(), -slope(pulled), 1e-6, "virial")


def test_names_of_residues_and_order_of_atoms_do_not_matter(model, predict):
    frame = frame_of(seed=4)
    order = np.random.default_rng(6).permutation(8)
    renamed = np.array([0, 0, 0, 1, 1, 9, 9, -1])[:, None] * 1.0
    result, expected = predict(model, [permuted(dc.replace(frame, aparam=renamed), order), frame])
    wanted = {k: v[order] if len(v) == 8 else v for k, v in expected.items()}
    assert_same(result | {"energy": result["energy"]}, wanted, 1e-12)


def test_without_residues_there_is_the_region_alone(model, predict):
    frame = dc.replace(frame_of(seed=5), aparam=np.where(RESIDUES == 0, 0.0, -1.0)[:, None])
    (result,), (alone,) = (
        predict(model, [frame]),
        predict(model.qm_model, [fragment(frame, [0, 1, 2], ["H", "O"])]),
    )
    assert_close(result["energy"], alone["energy"], 1e-13)
    assert not result["force"][3:].any()


def test_atoms_that_are_not_there(model, predict):
    frame = frame_of(seed=6)
    gone = dc.replace(frame, types=np.where(np.arange(8) == 7, -1, frame.types))
    result, expected = predict(model, [gone, frame])
    assert_same(result, expected, 1e-13)


def test_files(model, predict, tmp_path):
    path = tmp_path / "model.dp"
    format_of(path).write(path, Document(model))
    back = format_of(path).read(path).model
    assert structure(back) == structure(model)
    for key, value in arrays(model).items():
        assert np.array_equal(arrays(back)[key], value), key
    frame = frame_of(seed=7)
    given = (frame.coord[None], frame.cell[None], frame.types)
    out = DeepPot(path).evaluate(*given, aparam=frame.aparam)
    (expected,) = predict(model, [frame])
    assert_close(out["energy"][0], expected["energy"], 1e-12)


@pytest.mark.parametrize(
    ("residues", "message"),
    [
        ([0, 0, 0, 1.5, 1, 1, 1, 1], "aparam 1.5 of atom 3 is no residue"),
        ([0, 0, 0, -2, 1, 1, 1, 1], "aparam -2 of atom 3"),
        ([0, 0, 0, np.nan, 1, 1, 1, 1], "aparam nan of atom 3"),
        ([1, 1, 1, 2, 2, 2, 2, 2], "frame 0: aparam has no residue 0"),
        ([0, 0, 0, 0, 1, 1, 1, 1], "atom 3 is of type 'OW', which qm_model does not know"),
    ],
)
def test_residues_that_are_not_usable_are_refused(model, predict, residues, message):
    frame = dc.replace(frame_of(), aparam=np.array(residues)[:, None] * 1.0)
    with pytest.raises(DPError, match=message):
        predict(model, [frame])


def test_there_is_no_one_descriptor(model):
    potential = DeepPot.from_document(Document(model), FRAMEWORKS[0].adapter())
    frame = frame_of()
    given = (frame.coord[None], frame.cell[None], frame.types)
    with pytest.raises(DPError, match="no single descriptor"):
        potential.eval_descriptor(*given, aparam=frame.aparam)
    with pytest.raises(DPError, match="aparam: the model needs 1"):
        potential.evaluate(*given)


def parts(**fitting):
    return section([8, 8, 6]) | {"fitting_net": {"neuron": [3]} | fitting}


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (parts(numb_fparam=1), "qm_model.fitting_net.numb_fparam: 1"),
        (parts(numb_aparam=2), "qm_model.fitting_net.numb_aparam: 2"),
        (parts(type="dos"), "qm_model: it predicts 'dos'"),
        (parts() | {"type_map": ["O", "H", "Xe"]}, "qm_model.type_map: 'Xe'"),
        (
            parts() | {"spin": {"use_spin": [0], "virtual_scale": 1.0}},
            "qm_model: a model of type 'spin' is not possible inside another",
        ),
        (parts() | {"descriptor": {"type": "se_e2_a", "sel": [8]}}, "qm_model.type_map: 3 types"),
    ],
)
def test_parts_without_a_meaning_are_refused(part, message):
    with pytest.raises(DPError, match=message):
        model_of(qm_model=part)


def test_both_parts_are_told_the_types_alike():
    model = model_of(
        qm_model=section([8, 8, 6]),
        qmmm_model=section([8, 8, 6]),
        type_embedding={"neuron": [4], "use_tebd_bias": True},
    )
    first, other = (arrays(part.descriptor.type_embedding) for part in model.parts.values())
    assert first
    for key, value in first.items():
        assert np.array_equal(other[key], value)
    nets = [part.fitting.nets[0].layers[0].weight for part in model.parts.values()]
    assert not np.array_equal(*nets)


def test_pairs_of_residues_do_not_interact(model, predict):
    frame = frame_of(periodic=False, seed=8)

    def energy(*kept):
        residues = np.where(np.isin(RESIDUES, (0, *kept)), RESIDUES, -1.0)[:, None]
        return predict(model, [dc.replace(frame, aparam=residues)])[0]["energy"]

    none, one, other, both = (energy(*kept) for kept in ((), (1,), (3,), (1, 3)))
    assert_close(both - none, (one - none) + (other - none), 1e-12)
    for a, b in itertools.combinations((none, one, other, both), 2):
        assert abs(a - b) > 1e-6
