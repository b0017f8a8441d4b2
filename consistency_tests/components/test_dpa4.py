"""The descriptor DPA-4: DeePMD-kit's numbers of many options, and what must not change on rotation."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from example_models import Example
from harness import Backend, engine_of
from scipy.spatial.transform import Rotation

from dpcore.descriptors import DPA4
from dpcore.descriptors.dpa4.cartesian import CartesianMessage, matrices
from dpcore.descriptors.dpa4.radial import RadialBasis, envelope
from dpcore.errors import DPError
from dpcore.fittings import GatedEnergyFitting
from dpcore.infer.evaluator import Evaluator
from dpcore.nn.glu import GLUNet
from dpcore.nn.so3.rotations import Rotations
from dpcore.settings import build_model
from examples.dpa4 import EXAMPLES, descriptor

# Atomic energies that DeePMD-kit 3.2.0 (dpmodel) gives for the examples, written by us as .dp files.
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


def features(one: Example, frame: Any) -> np.ndarray:
    """Return the features of all degrees, ``(2, atom, row, channel)``: as they are, and with edges turned."""
    seen = one.model.with_(descriptor=Seen(**vars(one.model.descriptor)))
    (result,) = Evaluator(seen, engine_of(seen, Backend.NUMPY)).describe([frame])
    found, channels = result["descriptor"], one.model.descriptor.width
    return np.moveaxis(found.reshape(len(found), 2, -1, channels), 1, 0)


READ = ["dpa4_rotations", "dpa4_cartesian"]


@pytest.mark.parametrize("name", READ)
def test_features_rotate_with_the_atoms(name):
    one = BY_NAME[name]
    frame, turn = one.frame(periodic=False), Rotation.random(random_state=3).as_matrix()
    before, _ = features(one, frame)
    after, _ = features(one, type(frame)(frame.coord @ turn.T, frame.types))
    mirror = np.diag([-1.0, 1.0, 1.0])
    blocks = Rotations.create(2)((mirror @ turn @ mirror)[None])
    for degree, block in enumerate(blocks):
        rows = slice(degree**2, (degree + 1) ** 2)
        wanted = np.einsum("ab,nbc->nac", block[0], before[:, rows])
        assert np.abs(wanted).max() > 1e-2
        np.testing.assert_allclose(after[:, rows], wanted, atol=1e-10)


@pytest.mark.parametrize("name", [name for name in BY_NAME if name != "dpa4_float32"])
def test_turns_of_the_frames_of_edges_change_nothing(name):
    plain, turned = features(BY_NAME[name], BY_NAME[name].frame())
    np.testing.assert_allclose(turned, plain, atol=1e-10)


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


@pytest.mark.parametrize("name", ["dpa4", "SeZM"])
def test_the_model_implies_its_parts(name):
    small = {
        "rcut": 3.0,
        "channels": 4,
        "lmax": 1,
        "n_blocks": 1,
        "n_radial": 3,
        "mixing_layers": 1,
    }
    model = build_model(
        {"type": name, "type_map": ["O", "H"], "descriptor": small, "fitting_net": {}}
    )
    assert isinstance(model.descriptor, DPA4)
    assert model.fitting.neuron == (32,)
    zbl = {"type": name, "type_map": ["O", "H"], "descriptor": small, "bridging_method": "ZBL"}
    with pytest.raises(DPError, match=r"^model.bridging_method: 'ZBL' is not supported"):
        build_model(zbl | {"fitting_net": {}})
