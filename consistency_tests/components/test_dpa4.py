"""The descriptor DPA-4: DeePMD-kit's numbers of many options, and what must not change on rotation."""

import dataclasses as dc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from example_models import Example
from harness import Backend, assert_close, engine_of
from scipy.spatial.transform import Rotation

from dpcore.descriptors import DPA4
from dpcore.descriptors.dpa4.cartesian import CartesianMessage, matrices
from dpcore.descriptors.dpa4.radial import RadialBasis, envelope
from dpcore.errors import DPError
from dpcore.fittings import GatedEnergyFitting
from dpcore.infer.evaluator import Evaluator
from dpcore.models import SpinModel, StandardModel
from dpcore.nn.glu import GLUNet
from dpcore.nn.so3.rotations import Rotations
from dpcore.settings import build_model
from examples.dpa4 import EXAMPLES, OPTIONS, descriptor, example

# Atomic energies that DeePMD-kit 3.2.0 (pt_expt, "film": pt) gives for the examples, written by us as .dp files.
EXPECTED = np.load(Path(__file__).parent / "data" / "dpa4.npz")
BY_NAME = {one.name: one for one in EXAMPLES}


@pytest.mark.parametrize("name", BY_NAME)
@pytest.mark.parametrize("kind", ["pbc", "nopbc"])
def test_energies_are_deepmd_kits(name, kind, predict):
    one = BY_NAME[name]
    (result,) = predict(one.model, [one.frame(periodic=kind == "pbc")])
    wanted, tight = EXPECTED[f"{name}.{kind}"], one.precision == "float64"
    found = result["atom_energy"].reshape(-1)
    np.testing.assert_allclose(found, wanted, atol=1e-12 if tight else 1e-6)


class Seen(DPA4, name="dpa4_seen", listed=False):
    """All features, and those of frames of edges that are turned."""

    def __call__(self, batch: Any, displacement: Any) -> Any:
        turn = 3.0 * np.sin(100.0 * np.arange(len(displacement)))[:, None]
        all_ = [self.features(batch, displacement, turn=t) for t in (None, turn)]
        flat = [x.reshape(len(x), -1) for x in all_]
        return super().__call__(batch, displacement).__class__(np.concatenate(flat, axis=1))


class Whole(Seen, name="dpa4_whole", listed=False):
    """The same before the last networks, which may drop all degrees above 0."""

    def _last(self, x: Any) -> Any:
        return x


def features(one: Example, frame: Any, kind: type[Seen] = Seen) -> np.ndarray:
    """Return the features of all degrees, ``(2, atom, row, channel)``: as they are, and with edges turned."""
    seen = one.model.with_(descriptor=kind(**vars(one.model.descriptor)))
    (result,) = Evaluator(seen, engine_of(seen, Backend.NUMPY)).describe([frame])
    found, channels = result["descriptor"], one.model.descriptor.width
    return np.moveaxis(found.reshape(len(found), 2, -1, channels), 1, 0)


DOUBLE = [e for e in EXAMPLES if e.precision == "float64" and isinstance(e.model, StandardModel)]
# Without the seed there is nothing of degree 1 to begin with, and sums make nothing.
SEEDED = example("seeded", **OPTIONS["sums"] | {"use_env_seed": True})


def turned_frame(frame: Any, turn: np.ndarray) -> Any:
    """Return a frame with its atoms and spins turned."""
    spin = None if frame.spin is None else frame.spin @ turn.T
    return dc.replace(frame, coord=frame.coord @ turn.T, spin=spin)


@pytest.mark.parametrize("one", [SEEDED, *(e for e in DOUBLE if e.name != "dpa4_sums")], ids=str)
def test_features_rotate_with_the_atoms(one):
    """Those of degree l by the matrices of that degree, and those of degree 0 not at all."""
    frame, turn = one.frame(periodic=False), Rotation.random(random_state=3).as_matrix()
    before, _ = features(one, frame, Whole)
    after, _ = features(one, turned_frame(frame, turn), Whole)
    mirror = np.diag([-1.0, 1.0, 1.0])
    top = int(before.shape[1] ** 0.5) - 1
    blocks = Rotations.create(top)((mirror @ turn @ mirror)[None])
    assert top >= 1
    np.testing.assert_allclose(blocks[0], 1.0, atol=1e-15)
    for degree, block in enumerate(blocks):
        rows = slice(degree**2, (degree + 1) ** 2)
        wanted = np.einsum("ab,nbc->nac", block[0], before[:, rows])
        assert np.abs(wanted).max() > 1e-4
        assert_close(after[:, rows], wanted, 1e-10)


@pytest.mark.parametrize("one", DOUBLE, ids=str)
def test_turns_of_the_frames_of_edges_change_nothing(one):
    plain, turned = features(one, one.frame())
    np.testing.assert_allclose(turned, plain, atol=1e-10)


@pytest.mark.parametrize(("lebedev", "exact"), [(True, True), (False, False)])
def test_grids_of_equal_angles_tell_turns_from_four_orders_on(lebedev, exact):
    """They are too coarse for the products of order 8, as DeePMD-kit's are."""
    told = {"lmax": 4, "mmax": 4, "node_wise_s2": True, "lebedev_quadrature": lebedev}
    one = example("turned", **told, mixing_layers=1, ffn_neurons=2)
    plain, turned = features(one, one.frame())
    change = np.abs(turned - plain).max()
    assert change < 1e-10 if exact else change > 1e-8


def test_forces_are_finite_and_slopes_along_the_axes(predict):
    """Edges along the axes, and pairs of atoms that the frames flip between, are nothing special."""
    one, step = BY_NAME["dpa4_plain"], 1e-5
    frame = one.frame(periodic=False)
    line = np.array([[0, 0, 0], [0, 0, 1.5], [0, 0, -1.4], [1.3, 0, 0], [0, -1.6, 0]], float)
    coord = np.concatenate([line, frame.coord[:3] + 20.0])
    frame = type(frame)(coord, frame.types)
    (result,) = predict(one.model, [frame])
    for atom in range(5):
        for axis in range(3):
            energies = []
            for sign in (-1, 1):
                moved = coord.copy()
                moved[atom, axis] += sign * step
                energies.append(predict(one.model, [type(frame)(moved, frame.types)])[0]["energy"])
            slope = (energies[1] - energies[0]) / (2 * step)
            np.testing.assert_allclose(result["force"][atom, axis], -slope, atol=1e-7)


def test_envelope_falls_to_zero_with_three_derivatives():
    near = 2.0 - np.array([1e-2, 1e-3])
    for exponent in (1, 5, 7):
        found = envelope(near, 2.0, exponent)
        assert abs(found[0] / found[1] / 1e4 - 1) < 0.1
        np.testing.assert_allclose(envelope(np.array([1e-9, 2.0, 2.5]), 2.0, exponent), [1, 0, 0])
    x = 0.3
    wanted = (1 - x) ** 4 * (1 + 4 * x + 10 * x**2)
    np.testing.assert_allclose(envelope(np.array([0.6]), 2.0, 3), wanted)


def test_bases_are_the_formulas():
    r = np.array([[0.5], [1.7]])
    bessel = RadialBasis.create(2.0, "bessel", 3, 5, "float64")
    wanted = np.sin(np.arange(1, 4) * np.pi * r / 2.0) / r * envelope(r, 2.0, 5)
    np.testing.assert_allclose(bessel(r), wanted)
    gaussian = RadialBasis.create(2.0, "gaussian", 3, 5, "float64")
    wanted = np.exp(-0.5 * (r - np.array([0.0, 1.0, 2.0])) ** 2) * envelope(r, 2.0, 5)
    np.testing.assert_allclose(gaussian(r), wanted)


def test_basis_matrices_are_orthonormal_and_their_products_as_tabulated():
    basis = matrices(2)
    np.testing.assert_allclose(np.einsum("aij,bij->ab", basis, basis), np.eye(9), atol=1e-15)
    table, a = CartesianMessage.table(2), np.random.default_rng(0).normal(size=(3, 3))
    wanted = [[np.sum(p * (d @ a)) for d in basis] for p in basis]
    np.testing.assert_allclose((a.reshape(9) @ table).reshape(9, 9), wanted, atol=1e-14)


def test_gated_layers_are_products_of_halves():
    net = GLUNet.create(
        3, (2,), np.random.default_rng(0), activation_function="tanh", precision="float64"
    )
    x = np.random.default_rng(1).normal(size=(4, 3))
    y = x @ net.layers[0].weight + net.layers[0].bias
    np.testing.assert_allclose(net(x), y[:, :2] * np.tanh(y[:, 2:]) @ net.layers[1].weight)


def test_widths_of_gated_layers_are_chosen():
    given = {"ntypes": 2, "mixed_types": True, "numb_fparam": 5, "neuron": (0, 3)}
    fitting = GatedEnergyFitting.create(np.random.default_rng(0), width=64, **given)
    assert fitting.neuron == (192, 3)
    assert fitting.nets[0].layers[0].weight.shape == (69, 384)


def film_fitting(**settings: Any) -> GatedEnergyFitting:
    """Make a small fitting whose layers the vector of the data set scales."""
    told = {"dim_case_embd": 3, "case_film_embd": True, "precision": "float64", "neuron": (2,)}
    told |= {"ntypes": 2, "mixed_types": True, "width": 4} | settings
    return GatedEnergyFitting.create(np.random.default_rng(0), **told)


def test_a_vector_scales_and_shifts_gated_layers():
    """The formula, by hand, for a descriptor of 4 numbers and one frame parameter."""
    rng = np.random.default_rng(1)
    net = film_fitting(numb_fparam=1).nets[0]
    targets = tuple(t.with_(weight=rng.normal(size=t.weight.shape)) for t in net.film.targets)
    strengths = {"factor": np.array([0.3, -0.4]), "shift": np.array([-0.2, 0.1])}
    net = net.with_(film=net.film.with_(targets=targets, **strengths))
    x, case = rng.normal(size=(5, 5)), np.array([0.0, 1.0, 0.5])
    first, second = (layer.weight for layer in net.film.code)
    code = case @ first
    code = code / (1 + np.exp(-code)) @ second
    given = x.copy()
    for number, rows in ((0, slice(0, 4)), (1, slice(0, 2))):
        gamma, beta = np.split(np.tanh(code @ targets[number].weight), 2)
        scale = 1 + np.exp(strengths["factor"][number]) * gamma
        given[:, rows] = given[:, rows] * scale + np.exp(strengths["shift"][number]) * beta
        if number == 0:
            y = given @ net.layers[0].weight + net.layers[0].bias
            given = y[:, :2] * y[:, 2:] / (1 + np.exp(-y[:, 2:]))
    rows = np.concatenate([x, np.broadcast_to(case, (5, 3))], axis=1)
    np.testing.assert_allclose(net.hidden(rows), given, rtol=1e-13)
    np.testing.assert_allclose(net(rows), given @ net.layers[1].weight, rtol=1e-13)
    assert net.widths == (8, 1)
    assert net(rows[:0]).shape == (0, 1)


def test_new_factors_and_shifts_change_nothing():
    plain, net = film_fitting(case_film_embd=False, dim_case_embd=0), film_fitting()
    assert net.nets[0].widths == (7, 1)
    x = np.random.default_rng(1).normal(size=(5, 4))
    rows = np.concatenate([x, np.ones((5, 3))], axis=1)
    np.testing.assert_allclose(net.nets[0](rows), plain.nets[0](x), rtol=1e-14)
    assert film_fitting(neuron=(0,), width=64).neuron == (192,)


def test_films_need_a_vector():
    with pytest.raises(DPError, match=r"^fitting_net.case_film_embd: no vector names the data set"):
        film_fitting(dim_case_embd=0)
    with pytest.raises(DPError, match=r"^fitting_net.case_film_embd: False, which nets.0 is not"):
        film_fitting().with_(case_film_embd=False)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"kmax": 3}, "kmax: 3 must lie between 0 and the highest degree 2"),
        ({"l_schedule": (1, 2)}, r"l_schedule: \[1, 2\] must not rise"),
        ({"m_schedule": (1, 1)}, "m_schedule: 2 orders for 1 blocks"),
        ({"m_schedule": (3,)}, r"m_schedule: \[3\] must lie between 0 and \[2\]"),
        ({"n_atten_head": 3}, "n_atten_head: 3 must divide the 4 channels of attention"),
        ({"so3_readout": "x"}, "so3_readout: 'x' is unknown; allowed: none, glu, mlp"),
        ({"basis_type": "x"}, "basis_type: 'x' is unknown; allowed: bessel, gaussian"),
        ({"edge_cartesian": True, "node_wise_s2": True}, "edge_cartesian: cannot be combined"),
        ({"full_attn_res": "dependent", "block_attn_res": "dependent"}, "full_attn_res: cannot"),
        ({"node_cartesian": "x:1"}, "node_cartesian: 'x:1' is not understood"),
        ({"sandwich_norm": (True,)}, r"sandwich_norm: \[True\] must have 4 items"),
        ({"grid_branch": (0, -1, 0)}, r"grid_branch: \(0, -1, 0\) must be 0 or more"),
        ({"exclude_types": ((0, 5),)}, r"exclude_types: \[0, 5\] names a type outside 0 … 1"),
        ({"default_chg_spin": (0.5, 1.0)}, "default_chg_spin: the charge 0.5 must be"),
        ({"precision": "float16"}, "precision: 'float16' is not supported; float32 and float64"),
        ({"env_exp": (7,)}, r"env_exp: \[7\] must be two positive numbers"),
        ({"chanels": 3}, "chanels: there is no such setting; did you mean 'channels'"),
    ],
)
def test_settings_without_meaning_are_refused(settings, text):
    with pytest.raises(DPError, match=f"^descriptor.{text}"):
        descriptor(**settings)


SMALL = {
    "rcut": 3.0,
    "channels": 4,
    "lmax": 1,
    "n_blocks": 1,
    "n_radial": 3,
    "mixing_layers": 1,
}


def test_a_property_has_layers_of_their_own_width():
    fitting = {"type": "property", "property_name": "gap", "neuron": [0, 5]}
    section = {"type": "dpa4", "type_map": ["O", "H"], "descriptor": SMALL, "fitting_net": fitting}
    # 8/3 of the four channels, rounded up to a multiple of 32.
    assert build_model(section).fitting.neuron == (32, 5)


def test_spins_are_virtual_atoms():
    spin = {"use_spin": ["O"], "virtual_scale": 0.3}
    section = {"type": "dpa4", "type_map": ["O", "H"], "descriptor": SMALL, "fitting_net": {}}
    model = build_model(section | {"spin": spin})
    assert isinstance(model, SpinModel)
    assert model.backbone.type_map == ("O", "H", "O_spin", "H_spin")


@pytest.mark.parametrize("name", ["dpa4", "SeZM"])
def test_the_model_implies_its_parts(name):
    model = build_model(
        {"type": name, "type_map": ["O", "H"], "descriptor": SMALL, "fitting_net": {}}
    )
    assert isinstance(model.descriptor, DPA4)
    assert model.fitting.neuron == (32,)
