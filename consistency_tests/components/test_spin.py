"""Models with spins: derivatives by the spins, and what input and settings they take."""

import dataclasses as dc

import numpy as np
import pytest
from harness import Backend, assert_close, assert_same

from dpcore.errors import DPError
from dpcore.formats import Document
from dpcore.infer import DeepPot
from dpcore.models import SpinModel
from dpcore.settings import build_model
from examples.example import GIVEN
from examples.spin import EXAMPLES, PLAIN

STEP = 1e-4
BY_NAME = {e.name: e for e in EXAMPLES}
EVERY = pytest.mark.parametrize("example", EXAMPLES, ids=str)


@EVERY
@pytest.mark.parametrize("periodic", [True, False], ids=["periodic", "open"])
def test_magnetic_forces_are_slopes_by_the_spins(example, periodic, predict):
    model, frame = example.double(), example.frame(periodic=periodic)
    (result,) = predict(model, [frame])
    steps = np.eye(frame.spin.size).reshape(-1, *frame.spin.shape) * STEP
    moved = [dc.replace(frame, spin=frame.spin + s * step) for step in steps for s in (-1, 1)]
    energy = np.array([p["energy"][0] for p in predict(model, moved)])
    slope = (energy[1::2] - energy[::2]) / (2.0 * STEP)
    assert_close(result["force_mag"].ravel(), -slope, 1e-6, "force_mag")
    assert np.abs(slope).max() > 1e-3


@EVERY
def test_spins_of_other_types_do_not_matter(example, predict):
    model, frame = example.double(), example.frame()
    magnetic = np.array(model.use_spin)[frame.types][:, None]
    other = dc.replace(frame, spin=np.where(magnetic, frame.spin, 7.0))
    result, expected = predict(model, [other, frame])
    assert_same(result, expected, 0.0)
    assert np.array_equal(result["mask_mag"], magnetic)
    assert not result["force_mag"][~magnetic[:, 0]].any()


def test_virtual_atoms_are_where_the_scale_says(predict):
    """The energy is that of the backbone on atoms and virtual atoms."""
    example = BY_NAME["spin_of_all"]
    model, frame = example.double(), example.frame()
    scale = np.array(model.virtual_scale)[frame.types][:, None]
    whole = dc.replace(
        frame,
        coord=np.concatenate([frame.coord, frame.coord + scale * frame.spin]),
        types=np.concatenate([frame.types, frame.types + 2]),
        spin=None,
    )
    (result,), (expected,) = predict(model, [frame]), predict(model.backbone, [whole])
    assert_close(result["energy"], expected["energy"], 1e-13)
    assert_close(result["atom_energy"], expected["atom_energy"][:8], 1e-13)
    assert_close(result["force"], expected["force"][:8] + expected["force"][8:], 1e-13)
    assert_close(result["force_mag"], expected["force"][8:] * scale, 1e-13)
    assert result["mask"].tolist() == (1 - frame.types).tolist()


@EVERY
def test_descriptors_of_virtual_atoms_follow(example):
    potential = DeepPot.from_document(Document(example.model), Backend.NUMPY.adapter())
    frame = example.frame()
    given = {k: getattr(frame, k) for k in GIVEN}
    found = potential.eval_descriptor(frame.coord[None], frame.cell[None], frame.types, **given)
    atoms, virtual = found[0, :8], found[0, 8:]
    assert found.shape[1] == 16
    assert len(np.unique(atoms, axis=0)) == 8
    magnetic = np.array(example.model.use_spin)[frame.types]
    # Those of what is not magnetic see nothing and are all alike.
    assert len(np.unique(virtual[~magnetic], axis=0)) == int(not magnetic.all())
    assert len(np.unique(virtual[magnetic], axis=0)) == np.count_nonzero(magnetic)


@pytest.mark.parametrize("name", ["spin", "spin_hybrid"])
def test_spins_of_zero_are_the_limit_of_small_ones(name, predict):
    model, frame = BY_NAME[name].double(), BY_NAME[name].frame()
    still = frame.types == int(model.use_spin[1])
    still[np.flatnonzero(still)[0]] = False
    small = 1e-6

    def at(*direction):
        step = np.array(direction) * still[:, None]
        return dc.replace(frame, spin=np.where(still[:, None], step, frame.spin))

    zero, near, far, back = predict(
        model, [at(0, 0, 0), at(0, small, 0), at(0, 2 * small, 0), at(0, -small, 0)]
    )
    for key in ("energy", "atom_energy", "force"):
        assert_close(zero[key], 2.0 * near[key] - far[key], 1e-7, key)
    # The slope of the length of a spin has the direction of the spin; at zero it is none.
    assert_close(zero["force_mag"], 0.5 * (near["force_mag"] + back["force_mag"]), 1e-3)
    assert np.abs(near["force_mag"] - back["force_mag"])[still].max() > 0.1


def test_spins_that_are_not_usable_are_refused(predict):
    example = BY_NAME["spin"]
    model, frame = example.double(), example.frame()
    with pytest.raises(DPError, match=r"frame 1: the model needs the spins of the atoms"):
        predict(model, [frame, dc.replace(frame, spin=None)])
    wrong = frame.spin.copy()
    wrong[3, 1] = np.nan
    with pytest.raises(DPError, match=r"frame 0: the spin of atom 3 is not finite"):
        predict(model, [dc.replace(frame, spin=wrong)])
    by_angles = BY_NAME["spin_attended"]
    still = dc.replace(by_angles.frame(), spin=0.0 * frame.spin)
    with pytest.raises(DPError, match=r"the spin of atom 0 is zero.*without attn_dotr"):
        predict(by_angles.double(), [still])
    bare = model.with_(
        backbone=model.backbone.with_(
            descriptor=model.backbone.descriptor.with_(env_protection=0.0)
        )
    )
    wrong[3] = wrong[1] = 0.0
    with pytest.raises(DPError, match=r"the spin of atom 1 is zero.*env_protection above 0"):
        predict(bare, [dc.replace(frame, spin=wrong)])


def test_calls_check_spins():
    example = BY_NAME["spin_of_all"]
    potential = DeepPot.from_document(Document(example.model), Backend.NUMPY.adapter())
    frame = example.frame()
    given = (frame.coord[None], frame.cell[None], frame.types)
    with pytest.raises(DPError, match=r"pass spin="):
        potential.evaluate(*given)
    with pytest.raises(DPError, match=r"spin: shape \(7, 3\)"):
        potential.evaluate(*given, spin=frame.spin[1:])
    alone = potential.evaluate(*given, spin=frame.spin)
    both = potential.evaluate(
        *(np.concatenate([x, x]) for x in given[:2]), frame.types, spin=frame.spin
    )
    assert_close(both["force_mag"], np.concatenate([alone["force_mag"]] * 2), 1e-13)


def built(spin, **settings):
    section = {"type_map": ["O", "H", "C"], "descriptor": PLAIN | {"sel": [4, 5, 6]}}
    model = build_model(section | {"fitting_net": {"neuron": [3]}, "spin": spin} | settings, 0)
    assert isinstance(model, SpinModel)
    return model


def test_settings_of_the_same_meaning():
    flags = {"use_spin": [True, False, True], "virtual_scale": [0.3, 0.1, 0.2]}
    model = built(flags)
    assert model.use_spin == (True, False, True)
    assert model.backbone.type_map == ("O", "H", "C", "O_spin", "H_spin", "C_spin")
    assert model.backbone.descriptor.sel == (4, 5, 6, 4, 5, 6)
    assert model.backbone.descriptor.env_protection == 0.01
    assert {(4, t) for t in range(6)} == set(model.backbone.pair_exclude_types)
    for spin in (
        {"use_spin": ["C", "O"], "virtual_scale": [0.3, 0.2]},
        {"use_spin": [2, 0], "virtual_scale": [0.3, 7.0, 0.2]},
        {"use_spin": ["O", "C"], "virtual_len": [0.6, 0.4], "spin_norm": [2.0, 2.0]},
    ):
        other = built(spin)
        assert other.use_spin == model.use_spin
        scales = np.array(other.virtual_scale)[[0, 2]]
        assert np.allclose(scales, [0.3, 0.2], rtol=1e-15)


def test_settings_of_the_model_stay():
    descriptor = PLAIN | {"sel": [4, 5, 6], "env_protection": 0.5, "exclude_types": [[1, 2]]}
    model = built(
        {"use_spin": [0, 1, 2], "virtual_scale": 0.3},
        descriptor=descriptor,
        pair_exclude_types=[[0, 0]],
        atom_exclude_types=[2],
        preset_out_bias=[1.0, None, 2.0],
    )
    backbone = model.backbone
    assert backbone.descriptor.env_protection == 0.5
    assert backbone.descriptor.exclude_types == ((1, 2),)
    assert backbone.pair_exclude_types == ((0, 0),)
    assert backbone.atom_exclude_types == (2, 3, 4, 5)
    assert backbone.preset_out_bias == (1.0, None, 2.0, None, None, None)
    assert model.atom_exclude_types == (2,)


@pytest.mark.parametrize(
    ("spin", "message"),
    [
        ({"use_spin": [True]}, "1 flags for 3 types"),
        ({"use_spin": [False] * 3}, "no type is magnetic"),
        ({"use_spin": []}, "0 flags for 3 types"),
        ({"use_spin": ["Fe"]}, "no type 'Fe'"),
        ({"use_spin": [3]}, "no type 3; allowed: 0 … 2"),
        ({"use_spin": [0], "virtual_scale": 0.0}, "0.0 for the magnetic type 'O'"),
        ({"use_spin": [0], "virtual_scale": [1.0, 2.0]}, "2 numbers for 3 types, of which 1 are"),
        ({"use_spin": [0], "virtual_scale": None}, "either virtual_scale is needed"),
        ({"use_spin": [0], "spin_norm": [1.0]}, "either virtual_scale is needed"),
        ({"use_spin": [0], "scheme": "native"}, "scheme: 'native' is not possible"),
        ({"use_spin": [0], "allow_missing_label": True}, "allow_missing_label"),
        ({"use_spin": [0], "strength": 1.0}, "strength"),
    ],
)
def test_settings_without_a_meaning_are_refused(spin, message):
    with pytest.raises(DPError, match=message):
        built({"virtual_scale": 0.3} | spin)


def test_other_fittings_are_refused():
    with pytest.raises(DPError, match="predicts 'dos'; allowed: 'energy'"):
        built({"use_spin": [0], "virtual_scale": 0.3}, fitting_net={"type": "dos", "neuron": [3]})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"type_map": ("O", "H", "O_spin", "N_spin")}, "backbone.type_map"),
        ({"atom_exclude_types": (2,)}, "leaves virtual atoms with an energy"),
        ({"pair_exclude_types": ((2, 0), (2, 2), (2, 3))}, r"\[2, 1\] is missing"),
    ],
)
def test_backbones_of_other_models_are_refused(changes, message):
    model = BY_NAME["spin"].model
    with pytest.raises(DPError, match=message):
        model.with_(backbone=model.backbone.with_(**changes))
