"""Spins that the descriptor DPA-4 is told of."""

import dataclasses as dc
from pathlib import Path

import numpy as np
import pytest
from harness import assert_close

from dpcore.errors import DPError
from dpcore.formats import Document
from dpcore.infer import DeepPot
from dpcore.models import StandardModel
from dpcore.registry import format_of
from dpcore.settings import build_model
from dpcore_serialization.deepmd import read_model, write_model
from examples.dpa4 import EXAMPLES

# Magnetic forces that DeePMD-kit 3.2.0 (pt_expt) gives for the examples, written by us as .dp files.
EXPECTED = np.load(Path(__file__).parent / "data" / "dpa4.npz")
MAGNETIC = {e.name: e for e in EXAMPLES if e.model.magnetic}
EVERY = pytest.mark.parametrize("one", MAGNETIC.values(), ids=str)
KINDS = pytest.mark.parametrize("kind", ["pbc", "nopbc"])
SPIN = MAGNETIC["dpa4_spin"]
SMALL = {"rcut": 3.0, "channels": 4, "lmax": 1, "n_blocks": 1, "n_radial": 3, "mixing_layers": 1}
DPA4 = {"type": "dpa4", "type_map": ["O", "H"], "descriptor": SMALL, "fitting_net": {}}
NATIVE = {"use_spin": ["O"], "scheme": "native"}
STEP = 1e-4


@EVERY
@KINDS
def test_magnetic_forces_are_deepmd_kits(one, kind, predict):
    (result,) = predict(one.model, [one.frame(periodic=kind == "pbc")])
    wanted = EXPECTED[f"{one.name}.{kind}.force_mag"]
    assert np.abs(wanted).max() > 1e-2
    assert_close(result["force_mag"], wanted, 1e-12)


@EVERY
@KINDS
def test_magnetic_forces_are_slopes_by_the_spins(one, kind, predict):
    frame = one.frame(periodic=kind == "pbc")
    (result,) = predict(one.model, [frame])
    steps = np.eye(frame.spin.size).reshape(-1, *frame.spin.shape) * STEP
    moved = [dc.replace(frame, spin=frame.spin + s * step) for step in steps for s in (-1, 1)]
    energy = np.array([p["energy"][0] for p in predict(one.model, moved)])
    slope = (energy[1::2] - energy[::2]) / (2.0 * STEP)
    assert_close(result["force_mag"].ravel(), -slope, 1e-6, "force_mag")


def test_other_atoms_have_no_spins(predict):
    frame, magnetic = SPIN.frame(), (SPIN.types == 0)[:, None]
    other = dc.replace(frame, spin=np.where(magnetic, frame.spin, 7.0))
    result, same = predict(SPIN.model, [frame, other])
    np.testing.assert_array_equal(result["mask_mag"], magnetic)
    np.testing.assert_array_equal(result["force_mag"], same["force_mag"])
    assert not result["force_mag"][~magnetic[:, 0]].any()
    assert result["force_mag"][magnetic[:, 0]].all()


def test_spins_of_zero_are_nothing_special(predict):
    """Their magnetic forces are the limit of those of small spins."""
    frame = SPIN.frame()
    small = [dc.replace(frame, spin=s * frame.spin) for s in (0.0, 1e-6, -1e-6)]
    zero, near, back = predict(SPIN.model, small)
    assert_close(zero["force_mag"], 0.5 * (near["force_mag"] + back["force_mag"]), 1e-9)


def test_magnetic_forces_are_returned_as_those_of_virtual_atoms(tmp_path):
    frame, path = SPIN.frame(), tmp_path / "model.dp"
    format_of(path).write(path, Document(SPIN.model))
    potential = DeepPot(path, backend="numpy")
    assert potential.has_spin
    given = frame.coord, frame.cell, frame.types
    energy, force, virial, magnetic, mask = potential.eval(*given, spin=frame.spin)
    assert (force.shape, virial.shape, energy.shape) == ((1, 8, 3), (1, 9), (1, 1))
    assert magnetic.shape == (1, 8, 3)
    assert mask.shape == (1, 8, 1)
    assert mask.dtype == np.bool_


def test_frames_need_spins(predict):
    frame = SPIN.frame()
    with pytest.raises(DPError, match=r"^frame 1: the model needs the spins of the atoms"):
        predict(SPIN.model, [frame, dc.replace(frame, spin=None)])
    wrong = np.where(np.arange(8)[:, None] == 3, np.nan, frame.spin)
    with pytest.raises(DPError, match=r"^frame 0: the spin of atom 3 is not finite"):
        predict(SPIN.model, [dc.replace(frame, spin=wrong)])


def test_atoms_that_are_not_there_need_none(predict):
    frame = SPIN.frame()
    types = np.append(frame.types, -1)
    more = dc.replace(
        frame,
        coord=np.concatenate([frame.coord, np.zeros((1, 3))]),
        types=types,
        spin=np.concatenate([frame.spin, np.full((1, 3), np.nan)]),
    )
    (result,), (wanted,) = predict(SPIN.model, [more]), predict(SPIN.model, [frame])
    assert_close(result["force_mag"][:8], wanted["force_mag"], 1e-13)
    assert not result["mask_mag"][8]


def test_the_section_of_spins_tells_the_descriptor():
    for flags in (["O"], [0], [True, False]):
        model = build_model(DPA4 | {"spin": {"use_spin": flags, "scheme": "native"}})
        assert isinstance(model, StandardModel)
        assert model.magnetic == (True, False)
        assert model.conditions.spin
        assert model.output.magnetic
    bridged = build_model(DPA4 | {"spin": NATIVE, "bridging_method": "ZBL"})
    assert bridged.magnetic == (True, False)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        (DPA4 | {"spin": NATIVE | {"scheme": "x"}}, "model.spin.scheme: 'x' is unknown"),
        (
            DPA4 | {"spin": NATIVE, "descriptor": SMALL | {"use_spin": [True, True]}},
            "descriptor.use_spin: spin.use_spin tells it",
        ),
        (
            DPA4 | {"descriptor": SMALL | {"use_spin": [True]}},
            "descriptor.use_spin: 1 flags for 2 types",
        ),
        (
            DPA4 | {"spin": NATIVE, "descriptor": SMALL | {"lmax": 0, "mmax": 0, "kmax": 0}},
            "descriptor.use_spin: needs features of degree 1",
        ),
    ],
)
def test_settings_without_meaning_are_refused(settings, text):
    with pytest.raises(DPError, match=f"^{text}"):
        build_model(settings)


def test_other_descriptors_take_virtual_atoms():
    section = {"type": "se_e2_r", "rcut": 3.0, "sel": [4, 4], "neuron": [3]}
    model = {"type_map": ["O", "H"], "descriptor": section, "fitting_net": {}, "spin": NATIVE}
    with pytest.raises(DPError, match=r"^model.spin.scheme: 'native' is not possible"):
        build_model(model)


def test_files_say_twice_which_atoms_have_spins():
    data = write_model(SPIN.model)
    assert (data["type"], data["backbone_type"]) == ("native_spin", "standard")
    assert read_model(data).magnetic == (True, False)
    wrong = data | {"spin": {"use_spin": [True, True], "virtual_scale": None}}
    with pytest.raises(DPError, match=r"^model.spin.use_spin: \[True, True\], but \[True, False\]"):
        read_model(wrong)
    with pytest.raises(DPError, match=r"^model.backbone_type: 'zbl' takes no spins"):
        read_model(data | {"backbone_type": "zbl"})


def test_older_files_have_the_root_of_the_strength_of_spins():
    data = write_model(SPIN.model)
    older = data | {"descriptor": data["descriptor"] | {"@version": 1.1}}
    found, new = (read_model(d).descriptor.seed.spin for d in (older, data))
    np.testing.assert_array_equal(found, new**2)
    assert (found != new).all()
