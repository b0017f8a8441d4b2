"""Energies with the electrostatics of Wannier centroids, put together by hand."""

import dataclasses as dc
import itertools
import logging
import math
from pathlib import Path

import h5py
import numpy as np
import pytest
from example_models import BY_NAME
from harness import assert_close, assert_same

from dpcore.errors import DPError
from dpcore.formats import Document
from dpcore.infer import DeepEval, DeepPot
from dpcore.models import DipoleChargeModel, FrozenModel
from dpcore.registry import backend, format_of
from dpcore.settings import build_model
from dpcore.tree import map_arrays
from dpcore_serialization.tensorflow1.files import read_weights
from examples.dplr import SMALL
from examples.example import TYPES, standard

EXAMPLES = pytest.mark.parametrize("name", ["dplr", "dplr_mesh"])
CHARGES = {"model_charge_map": (-8.0,), "sys_charge_map": (6.0, 1.2)}
SETTINGS = {
    "type_map": ["O", "H"],
    "descriptor": {"type": "se_e2_a", "sel": [10, 12], "rcut": 3.0, "neuron": [3, 6], "seed": 1},
    "fitting_net": {"neuron": [4, 4], "seed": 2},
}


def loaded(case, framework):
    """Return a model of DeePMD-kit's TensorFlow code, and the numbers that it gives."""
    folder = Path(__file__).parents[1] / "data_tf" / case
    document = read_weights(folder / "weights.npz", folder / "model.json")
    return document, backend(str(framework)), np.load(folder / "expected.npz")


@pytest.mark.parametrize(("case", "method"), [("dplr_energy", "direct"), ("dplr_both", "mesh")])
def test_numbers_of_deepmd_kit(case, method, framework):
    """In the second case both types have dipoles, in an order of their own, and settings are rounded."""
    document, adapter, numbers = loaded(case, framework)
    model = document.model.with_(ewald_method=method)
    potential = DeepPot.from_document(dc.replace(document, model=model), adapter)
    frames = numbers["coord"], numbers["box"], numbers["atype"]
    for name, value in zip(("energy", "force", "virial"), potential.eval(*frames), strict=True):
        assert_close(value, numbers[f"pbc.{name}"].reshape(value.shape), 1e-11, name)
    if case == "dplr_energy":
        short = DeepPot.from_document(Document(model.energy), adapter)
        for name, value in zip(("energy", "force", "virial"), short.eval(*frames), strict=True):
            expected = numbers[f"pbc.{name}_short_range"].reshape(value.shape)
            assert_close(value, expected, 1e-11, name)


def test_dipoles_of_deepmd_kit(framework):
    document, adapter, numbers = loaded("dplr_dipole", framework)
    potential = DeepEval.from_document(document, adapter)
    for tag, cells in (("pbc", numbers["box"]), ("nopbc", None)):
        found = potential.evaluate(numbers["coord"], cells, numbers["atype"])
        # DeePMD-kit has the axis of components before that of the atoms.
        found["force"] = np.moveaxis(found["force"], 2, 1)
        found["dipole_selected"] = found["dipole"]
        for name in ("dipole_selected", "global_dipole", "force", "virial"):
            assert_close(found[name], numbers[f"{tag}.{name}"], 1e-11, name)


def parts_of(name):
    model = BY_NAME[name].model
    return model.energy, model.dipole


def predicted(model, frame, predict):
    (found,) = predict(model, [frame])
    return found


def charges_of(model, frame, dipoles):
    """Return coordinates and charges of nuclei and centroids."""
    inside = model.dipole.model
    selected = [t for t in range(2) if t not in inside.fitting.exclude_types]
    end = dict(zip([inside.type_map[t] for t in selected], model.model_charge_map, strict=True))
    coord, charge = list(frame.coord), [model.sys_charge_map[t] for t in frame.types]
    for atom, t in enumerate(frame.types):
        if model.type_map[t] in end:
            coord.append(frame.coord[atom] + dipoles[atom])
            charge.append(end[model.type_map[t]])
    return np.array(coord), np.array(charge)


def looped_energy(model, frame, dipoles):
    coord, charge = charges_of(model, frame, dipoles)
    h, beta = float(np.float32(model.ewald_h)), float(np.float32(model.ewald_beta))
    steps = [math.ceil(float(np.linalg.norm(row)) / h) for row in frame.cell]
    ranges = [range(-((n + n % 2) // 2), (n + n % 2) // 2 + 1) for n in steps]
    reciprocal, total = np.linalg.inv(frame.cell).T, 0.0
    for numbers in itertools.product(*ranges):
        m = np.array(numbers) @ reciprocal
        if any(numbers):
            factor = np.exp(-2j * np.pi * coord @ m) @ charge
            total += math.exp(-((math.pi / beta) ** 2) * (m @ m)) / (m @ m) * abs(factor) ** 2
    return total * 14.39964535475696995031 / (2 * math.pi * np.linalg.det(frame.cell))


@EXAMPLES
def test_energy_is_the_short_range_one_and_the_sum_over_charges(name, predict):
    example = BY_NAME[name]
    frame, model = example.frame(), example.model
    whole = predicted(model, frame, predict)
    short = predicted(model.energy, frame, predict)
    bare = dc.replace(frame, fparam=None, aparam=None)
    dipoles = predicted(model.dipole, bare, predict)["dipole"]
    long = looped_energy(model, frame, dipoles)
    assert abs(long) > 0.01
    assert whole["energy"][0] - short["energy"][0] == pytest.approx(long, rel=1e-10)
    assert_same({"mask": whole["mask"]}, {"mask": short["mask"]}, 0.0)


def test_types_are_found_by_name(predict):
    """The first example's dipole model knows the types in the other order."""
    example = BY_NAME["dplr"]
    frame, (energy, dipole) = example.frame(), parts_of("dplr")
    assert dipole.model.type_map == energy.type_map[::-1]
    bare = dc.replace(frame, fparam=None, aparam=None)
    found = predicted(dipole, bare, predict)["dipole"]
    assert found[TYPES == 0].all()
    assert not found[TYPES == 1].any()
    swapped = predicted(dipole.model, dc.replace(bare, types=1 - frame.types), predict)["dipole"]
    assert_close(found, swapped, 1e-13)


def test_dipoles_of_zero_leave_the_nuclei_their_charges(predict):
    """Centroids on the nuclei are as good as nuclei of less charge."""
    example = BY_NAME["dplr"]
    model = example.model
    inside = model.dipole.model
    nothing = map_arrays(np.zeros_like, inside.fitting)
    still = model.dipole.with_(model=inside.with_(fitting=nothing))
    (whole,) = predict(model.with_(dipole=still), [example.frame()])
    merged = model.with_(dipole=still, sys_charge_map=(-2.0, 1.2), model_charge_map=(0.0,))
    (expected,) = predict(merged, [example.frame()])
    for key in ("energy", "atom_energy", "virial"):
        assert_close(whole[key], expected[key], 1e-11, key)


def test_frames_keep_to_themselves(predict):
    example = BY_NAME["dplr"]
    frames = [example.frame(seed=s) for s in range(3)]
    together = predict(example.model, frames)
    for frame, expected in zip(frames, together, strict=True):
        assert_same(predicted(example.model, frame, predict), expected, 1e-12)


def test_atoms_that_are_not_there(predict):
    example = BY_NAME["dplr"]
    frame = example.frame()
    n = len(frame.types)
    more = dc.replace(
        frame,
        coord=np.concatenate([np.full((2, 3), np.nan), frame.coord]),
        types=np.concatenate([[-1, -1], frame.types]),
        aparam=np.concatenate([np.ones((2, 2)), frame.aparam]),
    )
    found, expected = (predicted(example.model, f, predict) for f in (more, frame))
    for key, value in expected.items():
        here = found[key] if key in {"energy", "virial"} else found[key][-n:]
        assert_close(here, value, 1e-12, key)


@pytest.mark.parametrize("pbc", [None, (True, True, False)])
def test_open_boundaries(pbc, predict):
    example = BY_NAME["dplr"]
    good = example.frame()
    bad = dc.replace(good, cell=None) if pbc is None else dc.replace(good, pbc=pbc)
    with pytest.raises(DPError, match=r"^frame 1: .* need a cell that repeats in all three dir"):
        predict(example.model, [good, bad])


def test_a_net_charge_is_told_once(predict, caplog):
    energy, dipole = parts_of("dplr")
    charged = DipoleChargeModel.of(
        energy, dipole, model_charge_map=(-8.0,), sys_charge_map=(6.0, 1.625)
    )
    frame = BY_NAME["dplr"].frame()
    with caplog.at_level(logging.WARNING, logger="dpcore"):
        predict(charged, [frame, frame])
        predict(BY_NAME["dplr"].model, [frame])
    assert [r.getMessage()[:43] for r in caplog.records] == [
        "the charges of a frame add up to 2.125 e; a"
    ]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"sys_charge_map": (6.0,)},
            "model.modifier.sys_charge_map: 1 charges for the 2 types ['O', 'H']; give one for each",
        ),
        (
            {"model_charge_map": (-8.0, 1.0)},
            (
                "model.modifier.model_charge_map: 2 charges for the 1 types with dipoles ['O']; give one "
                "for each"
            ),
        ),
        (
            {"sys_charge_map": (6.0, math.inf)},
            "model.modifier.sys_charge_map: [6.0, inf] must be finite",
        ),
        (
            {"ewald_h": 0.0},
            "model.modifier.ewald_h: 0.0 is not allowed; give a number above 0",
        ),
        (
            {"ewald_method": "fft"},
            "model.modifier.ewald_method: 'fft' is unknown; allowed: auto, direct, mesh",
        ),
    ],
)
def test_settings_without_a_meaning(changed, message):
    energy, dipole = parts_of("dplr")
    with pytest.raises(DPError) as error:
        DipoleChargeModel.of(energy, dipole, **CHARGES | changed)
    assert str(error.value) == message


def test_models_without_a_meaning():
    energy, dipole = parts_of("dplr")
    whole = BY_NAME["dplr"].model
    with pytest.raises(
        DPError, match=r"not to a model of type 'dipole_charge' that predicts the energy"
    ):
        DipoleChargeModel.of(whole, dipole, **CHARGES)
    with pytest.raises(DPError, match=r"^model.modifier: .* that predicts the global_dipole"):
        DipoleChargeModel.of(dipole.model, dipole, **CHARGES)
    with pytest.raises(DPError, match=r"^model.modifier.model_name: e.dp predicts the energy"):
        DipoleChargeModel.of(energy, FrozenModel.of(energy, "e.dp"), **CHARGES)
    with pytest.raises(DPError, match=r"e.dp has the types \['H', 'O'\]; \['O', 'H'\] are needed"):
        DipoleChargeModel.of(energy, FrozenModel.of(dipole.model, "e.dp"), **CHARGES)
    hungry = standard("hungry", SMALL, {"type": "dipole", "numb_fparam": 1}).model
    with pytest.raises(DPError, match="takes more than the places of atoms, such as parameters"):
        DipoleChargeModel.of(energy, FrozenModel.of(hungry, "e.dp"), **CHARGES)


def settings_with(path, **changed):
    modifier = {"type": "dipole_charge", "model_name": str(path)} | changed
    charges = {"model_charge_map": [-8], "sys_charge_map": [6, 1.2]}
    return SETTINGS | {"modifier": charges | modifier}


@pytest.fixture
def dipole_file(tmp_path):
    path = tmp_path / "dipole.dp"
    format_of(path).write(path, Document(BY_NAME["dplr"].model.dipole.model))
    return path


def test_from_an_input_file(dipole_file, predict):
    model = build_model(settings_with(dipole_file))
    assert (model.ewald_h, model.ewald_beta, model.ewald_method) == (1.0, 0.4, "auto")
    assert model.dipole.model_file == str(dipole_file)
    frame = dc.replace(BY_NAME["dplr"].frame(), fparam=None, aparam=None)
    same = DipoleChargeModel.of(build_model(SETTINGS), BY_NAME["dplr"].model.dipole, **CHARGES)
    assert_same(predicted(model, frame, predict), predicted(same, frame, predict), 1e-13)


def test_input_files_without_a_meaning(dipole_file, tmp_path):
    with pytest.raises(DPError, match=r"nothing.dp does not exist"):
        build_model(settings_with(tmp_path / "nothing.dp"))
    with pytest.raises(DPError, match=r"modifier\.ewald_hh: unknown key"):
        build_model(settings_with(dipole_file, ewald_hh=1.0))
    with pytest.raises(DPError, match="sys_charge_map: 1 charges"):
        build_model(settings_with(dipole_file, sys_charge_map=[6]))
    with pytest.raises(DPError, match="lacks 'C'"):
        build_model(settings_with(dipole_file) | {"type_map": ["O", "C"]})


def test_file(tmp_path):
    """DeePMD-kit's files do not know the model, so there is no header for it."""
    example, path = BY_NAME["dplr_mesh"], tmp_path / "dplr.dp"
    format_of(path).write(path, Document(example.model))
    with h5py.File(path) as file:
        assert "dpcore" in file.attrs
        assert "json" not in file.attrs
    frame = example.frame()
    out = DeepPot(path).evaluate(frame.coord, frame.cell, frame.types)
    direct = DeepPot.from_document(Document(example.model), backend("numpy"))
    assert_same(out, direct.evaluate(frame.coord, frame.cell, frame.types), 0.0)
