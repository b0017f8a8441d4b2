"""The repulsion of nuclei, and learned energies that do not see neighbours that come very close."""

import dataclasses as dc
import math

import numpy as np
import pytest
from example_models import RCUT
from harness import assert_close

from dpcore.descriptors.dpa4.frozen_zone import FrozenZone
from dpcore.errors import DPError
from dpcore.frames import Frame
from dpcore.models import InnerPotential, LinearModel
from dpcore.nn.neighbourhood import Neighbourhood
from dpcore.settings import build_model
from dpcore_serialization.deepmd import read_model, write_model
from examples.dpa4 import EXAMPLES

(BRIDGED,) = [e for e in EXAMPLES if e.name == "dpa4_bridged"]
ZONE = FrozenZone(1.0, 2.9)
SMALL = {"rcut": 3.0, "channels": 4, "lmax": 1, "n_blocks": 1, "n_radial": 3, "mixing_layers": 1}
DPA4 = {"type": "dpa4", "type_map": ["O", "H"], "descriptor": SMALL, "fitting_net": {}}


def repulsion(z: int, other: int, r: float) -> float:
    """Return the energy of Ziegler, Biersack and Littmark of a pair, eV."""
    a = 0.88534 * 0.5291772109 / (z**0.23 + other**0.23)
    shares, decays = (0.18175, 0.50986, 0.28022, 0.028171), (3.1998, 0.94229, 0.4029, 0.20162)
    screening = sum(c * math.exp(-d * r / a) for c, d in zip(shares, decays, strict=True))
    return 14.3996 * z * other / r * screening


@pytest.mark.parametrize("periodic", [False, True])
def test_repulsion_is_the_sum_over_pairs(periodic, predict):
    types = ("H", "Au", "C")
    model = InnerPotential.create(type_map=types, rcut=RCUT, pair_exclude_types=((1, 2),))
    frame = dc.replace(BRIDGED.frame(periodic=periodic), types=np.array([0, 1, 1, 0, 2, 2, 0, 1]))
    charges, wanted = np.array([1, 79, 6]), np.zeros(8)
    steps = np.arange(-2, 3) if periodic else np.zeros(1)
    cell = np.zeros((3, 3)) if frame.cell is None else frame.cell
    for i in range(8):
        for j in range(8):
            if {frame.types[i], frame.types[j]} == {1, 2}:
                continue
            for a, b, c in np.stack(np.meshgrid(steps, steps, steps), -1).reshape(-1, 3):
                r = np.linalg.norm(frame.coord[j] + [a, b, c] @ cell - frame.coord[i])
                if 1e-9 < r < RCUT:
                    pair = (int(charges[frame.types[k]]) for k in (i, j))
                    wanted[i] += 0.5 * repulsion(*pair, r)
    (result,) = predict(model, [frame])
    assert_close(result["atom_energy"][:, 0], wanted, 1e-13)


def test_distances_are_frozen_and_free_again():
    r = np.array([0.2, 1.0, 2.9, 3.1])
    np.testing.assert_allclose(ZONE.clamped(r), [1.0, 1.0, 2.9, 3.1], rtol=1e-15)
    np.testing.assert_allclose(ZONE.switch(r), [0.0, 0.0, 1.0, 1.0], atol=1e-15)
    middle = np.linspace(1.0, 2.9, 50)
    assert (np.diff(ZONE.clamped(middle)) > 0).all()
    assert (np.diff(ZONE.switch(middle)) > 0).all()


@pytest.mark.parametrize(("end", "slope"), [(1.0, 0.0), (2.9, 1.0)])
def test_three_derivatives_are_continuous_at_both_ends(end, slope):
    """What differs from the straight line beyond an end begins with the fourth power of the way to it."""
    into = 1.0 if end < 2.0 else -1.0
    steps = into * np.array([0.04, 0.02])
    for function, rise in ((ZONE.clamped, slope), (ZONE.switch, 0.0)):
        values = function(np.array([end, *(end + steps)]))
        apart = np.abs(values[1:] - values[0] - rise * steps)
        assert 13.0 < apart[0] / apart[1] < 19.0


@pytest.mark.parametrize(("apart", "heard"), [(0.6, False), (1.8, True)])
def test_atoms_with_a_neighbour_within_the_inner_end_tell_nothing(apart, heard, predict):
    """Two atoms are that close, or not; the others hear of their spins, or not."""
    coord = np.array([[0.0, 0, 0], [2.0, 0, 0], [2.0, apart, 0], [-2.0, 0.3, 0]])
    spin = np.random.default_rng(0).normal(size=(4, 3))
    frame = Frame(coord, np.array([0, 1, 1, 0]), spin=spin)
    other = dc.replace(frame, spin=spin + np.array([[0], [1], [1], [0]]))
    first, second = predict(BRIDGED.model.models[0], [frame, other])
    change = np.abs(first["atom_energy"] - second["atom_energy"])[:, 0]
    assert change[1:3].min() > 1e-4
    assert (change[0] > 1e-6) == heard
    assert heard or change[3] == 0.0


def test_gates_are_products_of_the_switches_of_all_pairs():
    """A chain of three atoms as a list of edges, one of which does not count."""
    r = np.array([[1.9], [2.3], [1.9], [2.3], [2.0]])
    centre, place = np.array([0, 1, 1, 2, 2]), np.array([1, 0, 2, 1, 0])
    r = r[[0, 0, 1, 1, 4]]
    there = np.array([[1.0], [1.0], [1.0], [1.0], [0.0]])
    pairs = Neighbourhood(r, there, there, place, np.zeros(3, int), place, centre)
    a, b = ZONE.switch(np.array([1.9, 2.3]))
    wanted = [a * b, a, b, a * b, a]
    np.testing.assert_allclose(ZONE.gates(r, pairs)[:, 0], wanted, rtol=1e-13)


def test_nothing_learned_changes_within_the_inner_end(predict):
    learned = BRIDGED.model.models[0]
    spin = np.random.default_rng(0).normal(size=(3, 3))

    def energy(model, r, force=False):
        coord = np.array([[0.0, 0, 0], [r, 0, 0], [0.0, 20.0, 0]])
        (result,) = predict(model, [Frame(coord, np.array([0, 1, 0]), spin=spin)])
        return result["force"] if force else result["energy"][0]

    assert energy(learned, 0.3) == energy(learned, 0.95) != energy(learned, 1.5)
    assert not energy(learned, 0.3, force=True).any()
    # The whole falls steeply as the nuclei part.
    assert energy(BRIDGED.model, 0.3) - energy(BRIDGED.model, 0.6) > 50.0


def test_forces_are_smooth_through_the_zone(predict):
    """Forces are the slopes of the energy, and bend nowhere, at both ends and on the way."""
    step = np.array([2.0, -1.0, 2.0]) / 3.0
    spin = np.random.default_rng(0).normal(size=(3, 3))
    grid = np.concatenate([np.linspace(c - 0.1, c + 0.1, 41) for c in (1.0, 2.0, 2.9)])
    learned, types = BRIDGED.model.models[0], np.array([0, 1, 0])
    frames = [
        Frame(np.array([[0.0, 0, 0], r * step, [0.2, 1.9, 0.4]]), types, spin=spin) for r in grid
    ]
    results = predict(learned, frames)
    energy = np.array([p["energy"][0] for p in results]).reshape(3, 41)
    pull = np.array([p["force"][1] @ step for p in results]).reshape(3, 41)
    h = grid[1] - grid[0]
    slope = (energy[:, 2:] - energy[:, :-2]) / (2 * h)
    assert_close(-pull[:, 1:-1], slope, 1e-3)
    bend = np.diff(pull, n=2, axis=1)
    assert np.abs(np.diff(bend, axis=1)).max() < 0.3 * np.abs(bend).max()


def test_the_short_form_is_the_sum_spelled_out():
    short = build_model(DPA4 | {"bridging_method": "zbl", "bridging_r_outer": 1.1}, seed=3)
    learned = {
        "type": "dpa4",
        "descriptor": {"type": "dpa4", **SMALL},
        "fitting_net": {"type": "dpa4_ener"},
    }
    inner = {"type": "inner_potential", "r_outer": 1.1}
    whole = {"type": "linear_ener", "type_map": ["O", "H"], "weights": "sum"}
    long = build_model(whole | {"models": [learned, inner]}, seed=3)
    standard = build_model(
        learned
        | {"type": "standard", "type_map": ["O", "H"]}
        | {"bridging_method": "ZBL", "bridging_r_outer": 1.1},
        seed=3,
    )
    for model in (short, long, standard):
        assert isinstance(model, LinearModel)
        assert model.models[0].descriptor.edges.zone == FrozenZone(0.5, 1.1)
        assert model.models[1].rcut == 3.0
        assert str(write_model(model)) == str(write_model(short))


def test_pairs_without_interaction_do_not_repel():
    told = {"descriptor": SMALL | {"exclude_types": [[0, 1]]}, "bridging_method": "ZBL"}
    assert build_model(DPA4 | told).pair_exclude_types == ((0, 1),)
    with pytest.raises(DPError, match=r"^model.pair_exclude_types: .*both must agree"):
        build_model(DPA4 | told | {"pair_exclude_types": [[1, 1]]})


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"bridging_method": "LJ"}, "bridging_method: 'LJ' is unknown; allowed: ZBL"),
        ({"bridging_r_inner": 0.4}, "bridging_r_inner: has a meaning together with"),
        ({"bridging_method": "ZBL", "type_map": ["O", "X"]}, "type_map: 'X' is no element"),
        ({"lora": {"alpha": 2.0}}, "lora.rank: missing; rank of the changes"),
    ],
)
def test_settings_without_meaning_are_refused(settings, text):
    with pytest.raises(DPError, match=f"^model.{text}"):
        build_model(DPA4 | settings)


def test_the_ends_must_be_in_order():
    with pytest.raises(DPError, match=r"^descriptor.inner_clamp_r_inner: 0.9 must be above 0 and"):
        build_model(DPA4 | {"bridging_method": "ZBL", "bridging_r_inner": 0.9})
    for radii in ({"inner_clamp_r_inner": 0.5}, {"inner_clamp_r_outer": 0.5}):
        with pytest.raises(DPError, match=r"^descriptor.inner_clamp_r_inner: needs"):
            build_model(DPA4 | {"descriptor": SMALL | radii})


def test_a_repulsion_goes_with_one_model_of_dpa4():
    inner, other = {"type": "inner_potential"}, {"descriptor": {"type": "se_e2_r", "sel": [4, 4]}}
    whole = {"type": "linear_ener", "type_map": ["O", "H"], "weights": "sum"}
    for models in ([inner], [inner, inner]):
        with pytest.raises(DPError, match=r"^model.models: an inner_potential is added to one"):
            build_model(whole | {"models": models})
    other |= {"fitting_net": {"neuron": [3]}}
    with pytest.raises(DPError, match=r"^model.models.1: a repulsion can be added to models of"):
        build_model(whole | {"models": [inner, other]})
    standard = {"type_map": ["O", "H"], **other, "use_srtab": "x", "sw_rmin": 0.2, "sw_rmax": 1.0}
    with pytest.raises(DPError, match=r"^model.bridging_method: is not possible together with"):
        build_model(standard | {"bridging_method": "ZBL"})


def wrapped(model: LinearModel) -> dict:
    """Return a model as DeePMD-kit's PyTorch backend writes it."""
    inside = write_model(model.models[0])
    inside = {k: v for k, v in inside.items() if k not in {"spin", "backbone_type"}}
    inside |= {"type": "sezm_atomic", "@version": 3, "dens_fitting": None, "active_mode": "ener"}
    inside["@variables"] = inside["@variables"] | {"dens_force_rmsd": np.array(1.0)}
    return {
        "@class": "Model",
        "@version": 1,
        "type": "sezm_native_spin",
        "atomic_model": inside,
        "bridging_method": "ZBL",
        "bridging_r_inner": 1.0,
        "bridging_r_outer": 2.9,
        "lora": None,
        "spin": {"use_spin": [True, True], "virtual_scale": None},
    }


def test_the_wrapper_of_the_other_backend_is_read(predict):
    model = BRIDGED.model.with_(
        out_bias=np.zeros((1, 2, 1)),
        pair_exclude_types=(),
        models=(
            BRIDGED.model.models[0],
            BRIDGED.model.models[1].with_(out_bias=np.zeros((1, 2, 1))),
        ),
    )
    read = read_model(wrapped(model))
    frames = BRIDGED.frames()
    for found, wanted in zip(predict(read, frames), predict(model, frames), strict=True):
        assert_close(found["force"], wanted["force"], 1e-14)
        assert_close(found["atom_energy"], wanted["atom_energy"], 1e-14)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"lora": {"rank": 2}}, "lora: low-rank adapters are not supported"),
        ({"bridging_r_inner": 0.7}, r"bridging_r_inner: \[0.7, 2.9\], but \[1.0, 2.9\]"),
        ({"spin": {"use_spin": [True, False]}}, r"spin.use_spin: \[True, False\], but"),
        ({"spin": None}, "spin: missing"),
        ({"bridging_method": "LJ"}, "mode: 'LJ' is unknown"),
    ],
)
def test_wrappers_that_contradict_themselves_are_refused(change, text):
    with pytest.raises(DPError, match=f"^model.{text}"):
        read_model(wrapped(BRIDGED.model) | change)
