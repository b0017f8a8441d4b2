"""Tables of networks: how they are made, how near they are, and that every backend reads them alike."""

import math
import subprocess
import sys

import numpy as np
import pytest
from harness import Backend, assert_close

from dpcore.backend.adapter import value_and_grad
from dpcore.errors import DPError
from dpcore.fused import Table, TabulatedNet
from dpcore.fused import tabulate as tabulate_module
from dpcore.fused.tabulate import MOST_BYTES, TOLERANCE, derivatives, tabulate, tabulated
from dpcore.nn import MLP
from dpcore.nn.activation import ACTIVATIONS
from dpcore.tree import map_arrays
from dpcore.xp import namespace

WIDE = np.longdouble


def silut(threshold):
    gate = 1.0 / (1.0 + math.exp(-threshold))
    value, slope = threshold * gate, gate * (1.0 + threshold * (1.0 - gate))

    def bent(x):
        with np.errstate(over="ignore"):
            return np.where(x < threshold, silu(x), np.tanh(slope * (x - threshold)) + value)

    return bent


def silu(x):
    return x / (1.0 + np.exp(-x))


def gelu(x):
    return (
        0.5
        * x
        * (1.0 + np.tanh(np.sqrt(WIDE(2) / np.arctan2(WIDE(0), WIDE(-1))) * (x + 0.044715 * x**3)))
    )


# Written out anew, for extended precision.
FORMULAS = {
    "tanh": np.tanh,
    "relu": lambda x: np.where(x > 0, x, 0 * x),
    "relu6": lambda x: np.clip(x, 0, 6),
    "softplus": lambda x: np.logaddexp(x, 0 * x),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "silu": silu,
    "gelu": gelu,
    "gelu_tf": gelu,
    "linear": lambda x: x,
    "none": lambda x: x,
    "silut": silut(3.0),
    "silut:0.8": silut(0.8),
    "custom_silu:5.0": silut(5.0),
}
# Of these the first or second derivative jumps.
KINKED = {"relu", "relu6", "silut", "silut:0.8", "custom_silu:5.0"}
SMOOTH = sorted(FORMULAS.keys() - KINKED)


def network(activation, neuron=(2, 4, 4, 7), *, resnet_dt=True, dtype=np.float64, gain=1.0):
    rng = np.random.default_rng(len(activation))
    settings = {"activation_function": activation, "precision": "float64"}
    net = MLP.create(1, neuron, rng, resnet_dt=resnet_dt, **settings)
    return map_arrays(lambda x: (gain * x).astype(dtype), net)


def exactly(net, x):
    """Return a network of ``x (n,)`` in extended precision."""
    y = x.astype(WIDE)[:, None]
    for layer in net.layers:
        n_in, n_out = layer.weight.shape
        new = FORMULAS[layer.activation_function](y @ layer.weight.astype(WIDE) + layer.bias)
        new = new if layer.timestep is None else new * layer.timestep
        y = new + np.tile(y, n_out // n_in) if n_out in {n_in, 2 * n_in} else new
    return y


def differences(function, x, h=1e-4):
    """Return first and second derivative from five points, in extended precision."""
    low2, low, here, high, high2 = (function(x.astype(WIDE) + k * WIDE(h)) for k in range(-2, 3))
    first = (low2 - 8 * low + 8 * high - high2) / (12 * WIDE(h))
    second = (-low2 + 16 * low - 30 * here + 16 * high - high2) / (12 * WIDE(h) ** 2)
    return first.astype(float), second.astype(float)


def test_every_activation_is_here():
    assert set(ACTIVATIONS) < set(FORMULAS)


@pytest.mark.parametrize("resnet_dt", [True, False], ids=["timestep", "no_timestep"])
@pytest.mark.parametrize("activation", sorted(FORMULAS))
def test_derivatives(activation, resnet_dt):
    net = network(activation, resnet_dt=resnet_dt)
    x = np.random.default_rng(1).uniform(-4.0, 6.0, 200)
    first, second = differences(lambda y: exactly(net, y), x)
    nearer, _ = differences(lambda y: exactly(net, y), x, 5e-5)
    smooth = (np.abs(first - nearer) < 1e-10).all(axis=1)
    assert smooth.sum() > 190, "some may have a kink among their five points"
    value, slope, curvature = (part[smooth] for part in derivatives(net, x))
    assert_close(value, exactly(net, x[smooth]).astype(float), 1e-14)
    assert_close(slope, first[smooth], 1e-10)
    assert_close(curvature, second[smooth], 1e-7)


def test_derivatives_without_bias():
    net = network("tanh")
    bare = net.with_(layers=tuple(layer.with_(bias=None) for layer in net.layers))
    zero = net.with_(layers=tuple(x.with_(bias=np.zeros_like(x.bias)) for x in net.layers))
    x = np.linspace(-2.0, 2.0, 9)
    for found, expected in zip(derivatives(bare, x), derivatives(zero, x), strict=True):
        np.testing.assert_array_equal(found, expected)


# In a process of its own, where no backend has been loaded before.
FAR_OUT = """
import numpy as np
from dpcore.fused.tabulate import derivatives
from dpcore.nn import MLP, Dense

x = np.array([-1e4, -800.0, -400.0, -40.0, 0.5, 40.0, 400.0, 800.0, 1e4])
settings = {"precision": "float64", "resnet": False, "bias": None, "timestep": None}
for activation in %r:
    layer = Dense(weight=np.ones((1, 1)), activation_function=activation, **settings)
    for order, part in enumerate(derivatives(MLP(layers=(layer,)), x)):
        assert np.isfinite(part).all(), (activation, order, part[:, 0])
"""


@pytest.mark.parametrize("backend", [None, "numpy"])
def test_derivatives_far_out(backend):
    load = f"from dpcore.registry import backend; backend({backend!r})\n" if backend else ""
    script = load + FAR_OUT % sorted(FORMULAS)
    command = [sys.executable, "-W", "error", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("activation", SMOOTH)
def test_error_of_tables(activation, dtype):
    net, lower, upper = network(activation, dtype=dtype), -0.3, 3.1
    table = tabulate(net, lower, upper, most_bytes=MOST_BYTES)
    assert table.knots.dtype == dtype
    assert (table.lower, table.upper) == (lower, pytest.approx(upper, rel=1e-14))
    x = np.random.default_rng(2).uniform(lower, upper, 5000)
    found = table(x.astype(dtype)[:, None])
    wide = map_arrays(lambda a: a.astype(float), net)
    exact = exactly(wide, x.astype(dtype)).astype(float)
    scale = np.abs(exact).max()
    assert np.abs(found - exact).max() <= (1.1 * TOLERANCE if dtype == np.float64 else 1e-6) * scale
    # What the tolerance of the value leaves of the slope: an interval's length divides it.
    given = table.with_(knots=table.knots.astype(float))
    slope = polynomial_slope(given, x)
    error = np.abs(slope - derivatives(wide, x)[1]).max()
    bound = 10 * TOLERANCE / table.stride if dtype == np.float64 else 1e-6 * table.intervals
    assert error <= bound * scale


@pytest.mark.parametrize("activation", ["relu", "relu6"])
def test_kinks_have_no_table(activation):
    net = network(activation, gain=3.0)
    assert tabulate(net, -2.0, 2.0, most_bytes=1 << 20) is None


def test_memory_is_capped():
    net = network("tanh")
    table = tabulate(net, 0.0, 4.0, most_bytes=MOST_BYTES)
    needed = table.knots.nbytes
    again = tabulate(net, 0.0, 4.0, most_bytes=needed)
    np.testing.assert_array_equal(again.knots, table.knots)
    assert tabulate(net, 0.0, 4.0, most_bytes=needed - 1) is None
    assert tabulate(net, 0.0, 4.0, most_bytes=0) is None


def test_all_networks_have_tables_or_none(monkeypatch):
    monkeypatch.setattr(tabulate_module, "MOST_BYTES", 1 << 20)
    smooth, kinked = network("tanh"), network("relu", gain=3.0)
    ranges = [(-1.0, 2.0), (0.0, 1.5)]
    first, second = tabulated([smooth, smooth], ranges)
    for net, (lower, upper) in zip((first, second), ranges, strict=True):
        assert net.segments[0].lower == lower
        assert net.upper == pytest.approx(upper, rel=1e-14)
    assert tabulated([smooth, kinked], [(-1.0, 2.0)] * 2) == (smooth, kinked)
    half = network("tanh", dtype=np.float16)
    assert tabulated([smooth, half], [(-1.0, 2.0)] * 2) == (smooth, half)
    kept, made = tabulated([first, smooth], ranges)
    assert kept is first
    assert isinstance(made, TabulatedNet)


def random_table(lower, stride, intervals, width, seed=0):
    rng = np.random.default_rng(seed)
    knots = rng.normal(size=(intervals + 1, 3, width)) * [[[1.0], [0.4], [0.1]]]
    return Table(lower=lower, stride=stride, knots=knots)


def joined():
    """Return two tables that meet at 1.5 in value, slope and curvature."""
    near, far = random_table(0.5, 0.125, 8, 5), random_table(1.5, 0.25, 6, 5, seed=1)
    knots = far.knots.copy()
    knots[0] = near.knots[-1] * np.array([1.0, 2.0, 4.0])[:, None]
    return TabulatedNet(segments=(near, far.with_(knots=knots)))


def polynomials(table):
    """Return the coefficients that the six conditions at the ends of each interval demand."""
    conditions = np.zeros((6, 6))
    for order in range(3):
        conditions[order, order] = 1.0
        conditions[3 + order] = [math.comb(k, order) for k in range(6)]
    knots = np.asarray(table.knots, float)
    return np.linalg.solve(conditions, np.concatenate([knots[:-1], knots[1:]], axis=1))


def expected_jet(table, x):
    """Return value and slope of a table at ``x (n,)`` by its definition."""
    position = (x - table.lower) / table.stride
    interval = np.clip(position, 0, table.intervals - 1).astype(int)
    u = position - interval
    inside = np.clip(u, 0.0, 1.0)
    powers = inside[:, None] ** np.arange(6)
    rates = np.arange(6) * inside[:, None] ** np.maximum(np.arange(6) - 1, 0)
    chosen = polynomials(table)[interval]
    value, slope = (np.einsum("nk,nkf->nf", w, chosen) for w in (powers, rates))
    return value + (u - inside)[:, None] * slope, slope / table.stride


def polynomial_slope(table, x):
    return expected_jet(table, x)[1]


def expected_of_joined(net, x):
    near, far = (expected_jet(table, x) for table in net.segments)
    first = (x < net.segments[1].lower)[:, None]
    return [np.where(first, a, b) for a, b in zip(near, far, strict=True)]


SOME = np.random.default_rng(3).uniform(0.2, 3.6, 300)
KNOTS = np.concatenate([0.5 + 0.125 * np.arange(9), 1.5 + 0.25 * np.arange(1, 7)])
PLACES = np.concatenate([SOME, KNOTS, [-1e6, -3.0, 9.0, 1e6]])


def evaluate(backend, net, x, weight):
    """Return the features of ``x (n,)`` and, where there are derivatives, the slope of their weighted sum."""
    adapter = backend.adapter()
    with adapter.scope():
        on = map_arrays(adapter.asarray, net)
        given, w = adapter.asarray(x[:, None]), adapter.asarray(weight.astype(x.dtype))
        value = adapter.to_numpy(on(given))
        if backend is Backend.STRICT:
            return value, None
        total = value_and_grad(adapter, lambda y: (namespace(y).sum(on(y) * w), None))
        return value, adapter.to_numpy(total(given)[1])[:, 0]


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(np.float64, 1e-13), (np.float32, 2e-5)], ids=["float64", "float32"]
)
def test_backends_read_tables_alike(dtype, tolerance, backend):
    net = map_arrays(lambda a: a.astype(dtype), joined())
    x = PLACES.astype(dtype)
    weight = np.random.default_rng(4).normal(size=(len(x), 5))
    value, slope = expected_of_joined(net, x.astype(float))
    found, found_slope = evaluate(backend, net, x, weight)
    assert found.dtype == dtype
    # What is far away is large, and so is its rounding.
    scale = np.maximum(1.0, np.abs(x.astype(float)))
    assert np.abs((found - value) / scale[:, None]).max() <= 10 * tolerance
    if found_slope is not None:
        exact = (slope * weight.astype(dtype)).sum(axis=1)
        assert_close(found_slope, exact, 10 * tolerance)


def test_any_leading_axes(backend):
    net, x = joined().segments[0], SOME.reshape(3, 20, 5)
    adapter = backend.adapter()
    with adapter.scope():
        on = map_arrays(adapter.asarray, net)
        found = adapter.to_numpy(on(adapter.asarray(x[..., None])))
    assert found.shape == (3, 20, 5, 5)
    np.testing.assert_allclose(found.reshape(300, 5), expected_jet(net, SOME)[0], atol=1e-13)


def test_widths_and_ends():
    net = joined()
    assert net.widths == (1, 5)
    assert net.upper == 3.0
    assert TabulatedNet(segments=net.segments[:1]).upper == 1.5


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Table(lower=0.0, stride=1.0, knots=np.zeros((1, 3, 2))), "two knots"),
        (lambda: Table(lower=0.0, stride=1.0, knots=np.zeros((4, 2, 2))), r"\(knots, 3, features\)"),
        (lambda: Table(lower=0.0, stride=1.0, knots=np.zeros((4, 3))), r"\(knots, 3, features\)"),
        (lambda: random_table(0.0, 0.0, 2, 2), "positive"),
        (lambda: random_table(0.0, -1.0, 2, 2), "positive"),
        (lambda: random_table(0.0, math.nan, 2, 2), "positive"),
        (lambda: TabulatedNet(segments=()), "0 tables; 1 to 3"),
        (lambda: TabulatedNet(segments=(random_table(0.0, 1.0, 2, 2),) * 4), "4 tables; 1 to 3"),
        (lambda: TabulatedNet(segments=(random_table(0.0, 1.0, 2, 2), random_table(2.0, 1.0, 2, 3))), "features"),
        (lambda: TabulatedNet(segments=(random_table(0.0, 1.0, 2, 2), random_table(2.1, 1.0, 2, 2))), "begin"),
    ],
)  # fmt: skip
def test_what_is_no_table(make, message):
    with pytest.raises(DPError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)
