"""Rotations of features, and maps that do not care how the atoms are turned."""

import numpy as np
import pytest
from scipy.integrate import lebedev_rule
from scipy.spatial.transform import Rotation
from scipy.special import sph_harm_y

from dpcore.errors import DPError
from dpcore.nn.so3.gates import Gated
from dpcore.nn.so3.grid_net import GridNet
from dpcore.nn.so3.grids import Grid
from dpcore.nn.so3.harmonics import spherical_harmonics
from dpcore.nn.so3.linear import DegreeLinear, EdgeLinear
from dpcore.nn.so3.mixer import DegreeMixer
from dpcore.nn.so3.norms import RowsNorm
from dpcore.nn.so3.quadrature import lebedev, product_grid
from dpcore.nn.so3.rotations import Rotations, edge_frames, order_rows, orders_of
from dpcore.nn.so3.rows import Rows

LMAX, F64 = 3, "float64"
RNG = np.random.default_rng(0)


def random_rotations(n: int, seed: int = 0) -> np.ndarray:
    return Rotation.random(n, random_state=seed).as_matrix()


def unit_vectors(n: int) -> np.ndarray:
    return random_rotations(n, 7)[:, 0]


def full(blocks: list[np.ndarray]) -> np.ndarray:
    """Put blocks on the diagonal."""
    n = sum(block.shape[1] for block in blocks)
    found, at = np.zeros((len(blocks[0]), n, n)), 0
    for block in blocks:
        size = block.shape[1]
        found[:, at : at + size, at : at + size] = block
        at += size
    return found


def from_scipy(unit: np.ndarray, degree: int) -> np.ndarray:
    theta, phi = np.arccos(unit[:, 2]), np.arctan2(unit[:, 1], unit[:, 0])
    scale = np.sqrt(4 * np.pi / (2 * degree + 1))
    rows = []
    for m in range(-degree, degree + 1):
        value = sph_harm_y(degree, abs(m), theta, phi) * scale * (-1.0) ** abs(m)
        factor = np.sqrt(2.0) if m else 1.0
        rows.append(factor * (value.imag if m < 0 else value.real))
    return np.stack(rows, axis=1)


def test_harmonics_are_scipys():
    unit = unit_vectors(20)
    found = spherical_harmonics(unit, 8)
    for degree in range(9):
        rows = found[:, degree**2 : (degree + 1) ** 2]
        np.testing.assert_allclose(rows, from_scipy(unit, degree), atol=1e-13)


def test_rotations_turn_harmonics_and_follow_each_other():
    first, second, unit = random_rotations(3), random_rotations(3, 1), unit_vectors(5)
    make = Rotations.create(11)
    one, two, both = make(first), make(second), make(first @ second)
    for degree, (a, b, c) in enumerate(zip(one, two, both, strict=True)):
        np.testing.assert_allclose(a @ b, c, atol=1e-13)
        np.testing.assert_allclose(
            a @ np.swapaxes(a, 1, 2), np.eye(2 * degree + 1)[None] + 0 * a, atol=1e-13
        )
        rows = slice(degree**2, (degree + 1) ** 2)
        turned = spherical_harmonics(unit @ first[0].T, 11)[:, rows]
        np.testing.assert_allclose(
            turned, spherical_harmonics(unit, 11)[:, rows] @ a[0].T, atol=1e-13
        )


def test_frames_take_edges_to_z_even_at_the_poles():
    poles = np.array([[0.0, 0.0, 1.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
    unit = np.concatenate([poles, unit_vectors(20)])
    for turn in (None, RNG.uniform(0, 6, (len(unit), 1))):
        frames = edge_frames(unit, turn)
        np.testing.assert_allclose(
            frames @ unit[:, :, None], np.broadcast_to([[0], [0], [1]], (24, 3, 1)), atol=1e-14
        )
        np.testing.assert_allclose(np.linalg.det(frames), 1.0, atol=1e-14)
        np.testing.assert_allclose(
            frames @ np.swapaxes(frames, 1, 2), np.broadcast_to(np.eye(3), (24, 3, 3)), atol=1e-14
        )


def test_the_row_of_order_0_is_the_harmonics_of_the_edge():
    unit = unit_vectors(6)
    rows = order_rows(Rotations.create(LMAX)(edge_frames(unit)), 0)
    harmonics = spherical_harmonics(unit, LMAX)
    for degree in range(LMAX + 1):
        part = slice(degree**2, (degree + 1) ** 2)
        np.testing.assert_allclose(rows[:, degree, part], harmonics[:, part], atol=1e-14)


@pytest.mark.parametrize("degree", [3, 9, 26, 35, 36])
def test_lebedevs_weights_integrate_and_add_up_to_one(degree):
    points, weights = lebedev(degree)
    assert abs(weights.sum() - 1.0) < 1e-13
    even = degree - degree % 2
    np.testing.assert_allclose(weights @ points[:, 2] ** even, 1.0 / (even + 1), rtol=1e-12)


def test_all_of_scipys_rules_are_known_and_no_others():
    assert len(lebedev(131)[1]) == lebedev_rule(131)[1].size
    with pytest.raises(DPError, match="no Lebedev rule integrates degree 132; the highest is 131"):
        lebedev(132)


def test_product_grids_integrate():
    points, weights = product_grid(8, 7)
    harmonics = spherical_harmonics(points, 6)
    np.testing.assert_allclose(weights @ harmonics, np.eye(49)[0], atol=1e-14)


@pytest.mark.parametrize(
    "rows", [Rows.by_degree(LMAX), Rows.by_order(LMAX, 2)], ids=["degree", "order"]
)
def test_grids_give_features_back(rows):
    grids = [Grid.sphere(rows, exact=exact) for exact in (True, False)]
    lacking = [(2 * n + 1) / (2 * min(n, rows.mmax) + 1) for n in rows.degrees]
    for grid in grids:
        np.testing.assert_allclose(grid.from_points @ grid.to_points, np.diag(lacking), atol=1e-13)
    grid = Grid.rotations(rows, 2)
    there = [abs(k) <= n for n in rows.degrees for k in (0, -1, 1, -2, 2)]
    np.testing.assert_allclose(
        grid.from_points @ grid.to_points, np.diag(there).astype(float), atol=1e-13
    )


def maps():
    """Return maps of features ``(1, n, row, 4)``, by degree, that commute with rotations."""
    rows, rng = Rows.by_degree(LMAX), np.random.default_rng(1)
    told = {"precision": F64, "bias": True}
    linear = DegreeLinear.create(rng, LMAX, (1, 4, 3), **told)
    norm = RowsNorm.create(LMAX, None, 4, F64)
    norm = norm.with_(scale=rng.normal(1, 0.3, norm.scale.shape), shift=rng.normal(0, 1, (1, 4)))
    gated = Gated.create(rng, LMAX, 1, 4, activation_function="silu", **told)
    found = {
        "linear": lambda x: linear(x, rows),
        "norm": lambda x: norm(x, rows),
        "gated": lambda x: gated(x, rows),
    }
    for name, grid in {
        "sphere": Grid.sphere(rows, exact=True),
        "angles": Grid.sphere(rows, exact=False, square=True),
        "rotations": Grid.rotations(rows, 1),
    }.items():
        for operation in ("glu", "mlp", "branch"):
            sizes = (1, 4 // 2 if name == "rotations" else 2)
            net = GridNet.create(rng, grid, rows, sizes, operation=operation, branches=2, **told)
            wide = 2 * sizes[1] * grid.frames
            found[f"{name}_{operation}"] = lambda x, net=net, wide=wide: net.halves(
                np.concatenate([x] * 3, axis=3)[..., :wide], rows
            )
            both = GridNet.create(
                rng, grid, rows, (1, 4), operation=operation, branches=2, cross=True, **told
            )
            both = both.with_(scale=rng.normal(1, 0.2, (1, 4)))
            found[f"{name}_{operation}_cross"] = lambda x, net=both: net(
                x, x[..., ::-1] + 0.3 * x * x[:, :, :1], rows
            )
    return found


@pytest.mark.parametrize("name", maps())
def test_maps_commute_with_rotations(name):
    function, x = maps()[name], RNG.normal(size=(1, 5, 16, 4))
    rotation = full(Rotations.create(LMAX)(random_rotations(1)))[0]
    after = np.einsum("ab,fnbc->fnac", rotation, function(x))
    np.testing.assert_allclose(function(np.einsum("ab,fnbc->fnac", rotation, x)), after, atol=1e-12)


def mixed(mixer: DegreeMixer, x: np.ndarray, radial: np.ndarray, rows: Rows) -> np.ndarray:
    """Return features in the frames of edges mixed there."""
    if not mixer.separable:
        return mixer(x, radial, rows)
    unturned = [np.eye(2 * n + 1)[None].repeat(len(x), 0) for n in range(rows.lmax + 1)]
    turned = mixer.turned(radial, orders_of(unturned, rows.mmax), rows)
    return turned @ mixer.spread(np.swapaxes(order_rows(unturned, rows.mmax), 1, 2) @ x)


def edge_maps():
    """Return maps of features in the frames of edges, ``(2, n, row, 4)``, that commute with turns about z."""
    rows, rng = Rows.by_order(LMAX, 2), np.random.default_rng(2)
    told = {"precision": F64, "bias": True}
    linear = EdgeLinear.create(rng, rows, (2, 4, 3), **told)
    norm = RowsNorm.create(LMAX, 2, 4, F64)
    gated = Gated.create(rng, LMAX, 2, 4, activation_function="tanh", **told)
    radial = rng.normal(size=(5, 4, 4))
    found = {
        "linear": lambda x: rows.together(linear(rows.apart(x))),
        "norm": lambda x: norm(x, rows),
        "gated": lambda x: gated(x, rows),
        "gated_orders": lambda x: rows.together(gated.of_orders(rows.apart(x), 4)),
    }
    for mode, rank in (("degree", 0), ("degree_channel", 0), ("degree_channel", 2)):
        mixer = DegreeMixer.create(rng, rows, 4, mode=mode, rank=rank, precision=F64)
        found[f"{mode}_{rank}"] = lambda x, mixer=mixer: np.stack(
            [mixed(mixer, part, radial, rows) for part in x]
        )
    for exact in (True, False):
        grid = Grid.sphere(rows, exact=exact)
        net = GridNet.create(rng, grid, rows, (2, 2), operation="glu", branches=1, **told)
        found[f"grid_{exact}"] = lambda x, net=net: net.halves(x, rows)
    return found


@pytest.mark.parametrize("name", edge_maps())
def test_edge_maps_commute_with_turns_about_the_edge(name):
    rows, function = Rows.by_order(LMAX, 2), edge_maps()[name]
    turn = Rotation.from_euler("z", 0.7).as_matrix()[None]
    places = order_rows([np.eye(2 * n + 1)[None] for n in range(LMAX + 1)], 2)[0]
    rotation = places @ full(Rotations.create(LMAX)(turn))[0] @ places.T
    x = RNG.normal(size=(2, 5, rows.number, 4))
    after = np.einsum("ab,fnbc->fnac", rotation, function(x))
    np.testing.assert_allclose(function(np.einsum("ab,fnbc->fnac", rotation, x)), after, atol=1e-12)


def test_degree_mixer_is_a_sum_over_degrees():
    rows, rng = Rows.by_order(2, 1), np.random.default_rng(3)
    mixer = DegreeMixer.create(rng, rows, 3, mode="degree_channel", rank=2, precision=F64)
    x, radial = rng.normal(size=(4, rows.number, 3)), rng.normal(size=(4, 3, 3))
    kernels = radial.reshape(4, 9) @ mixer.weight
    zero, one = kernels[:, :18].reshape(4, 3, 3, 2), kernels[:, 18:].reshape(4, 2, 2, 2)
    wanted = np.zeros_like(x)
    for first, kernel in ((0, zero), (3, one), (5, one)):
        for a in range(kernel.shape[1]):
            for b in range(kernel.shape[2]):
                weights = kernel[:, a, b] @ mixer.basis
                wanted[:, first + b] += weights * x[:, first + a]
    np.testing.assert_allclose(mixed(mixer, x, radial, rows), wanted, atol=1e-13)
