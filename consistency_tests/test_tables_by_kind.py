"""Networks and tables of one number that there is one of for each kind, such as each pair of types."""

import numpy as np
import pytest

from dpcore.errors import DPError
from dpcore.fused.table import Table, TabulatedNet
from dpcore.fused.tabulate import derivatives, tabulate, tabulated, values
from dpcore.nn import MLP, NetByKind
from dpcore.tree import map_arrays

SETTINGS = {"activation_function": "tanh", "precision": "float64", "resnet_dt": True}


def net_by_kind(neuron=(5, 5), kinds=3, constants=4):
    rng = np.random.default_rng(1)
    net = MLP.create(1 + constants, neuron, rng, **SETTINGS)
    return NetByKind(net=net, constants=rng.normal(size=(kinds, constants)))


def directly(net, x, kind):
    """Return what the network gives for the number and the constants side by side."""
    return net.net(np.concatenate([x, net.constants[kind]], axis=-1))


# The first of these layers adds nothing, its input, or its input twice.
@pytest.mark.parametrize("neuron", [(3, 6), (5, 5), (10, 7)])
def test_networks(neuron, backend):
    net, rng = net_by_kind(neuron), np.random.default_rng(2)
    x, kind = rng.normal(size=(2, 7, 1)), rng.integers(0, 3, (2, 7))
    adapter = backend.adapter()
    with adapter.scope():
        on = map_arrays(adapter.asarray, net)
        found = adapter.to_numpy(on(adapter.asarray(x), adapter.asarray(kind)))
    assert found.shape == (2, 7, neuron[-1])
    np.testing.assert_allclose(found, directly(net, x, kind), rtol=1e-13, atol=1e-13)


def test_derivatives():
    net, x, step = net_by_kind(), np.linspace(-2.0, 2.0, 9), 1e-4
    value, slope, curvature = derivatives(net, x)
    assert value.shape == (27, 5)
    np.testing.assert_allclose(value, values(net, x), atol=1e-14)
    above, below = values(net, x + step), values(net, x - step)
    np.testing.assert_allclose(slope, (above - below) / (2 * step), atol=1e-7)
    np.testing.assert_allclose(curvature, (above - 2 * value + below) / step**2, atol=1e-6)


def test_tables(backend):
    net = net_by_kind()
    table = tabulate(net, -2.0, 3.0, most_bytes=32 << 20)
    assert (table.kinds, table.upper) == (3, 3.0)
    rng = np.random.default_rng(3)
    x, kind = rng.uniform(-2.0, 3.0, (40, 6, 1)), rng.integers(0, 3, (40, 6))
    adapter = backend.adapter()
    with adapter.scope():
        on = map_arrays(adapter.asarray, TabulatedNet(segments=(table,)))
        found = adapter.to_numpy(on(adapter.asarray(x), adapter.asarray(kind)))
    np.testing.assert_allclose(found, directly(net, x, kind), rtol=0, atol=1e-12)


def test_a_kind_is_a_table_of_its_own():
    table = tabulate(net_by_kind(), -2.0, 3.0, most_bytes=32 << 20)
    x = np.linspace(-4.0, 5.0, 50)[:, None]
    for kind in range(3):
        knots = table.knots.reshape(3, -1, *table.knots.shape[1:])[kind]
        alone = Table(lower=table.lower, stride=table.stride, knots=knots)
        np.testing.assert_array_equal(table(x, np.full(50, kind)), alone(x))


def test_many_kinds_stay_networks():
    net = net_by_kind(kinds=65)
    assert tabulated([net], [(-1.0, 1.0)]) == (net,)
    (found,) = tabulated([net_by_kind(kinds=64)], [(-1.0, 1.0)])
    assert isinstance(found, TabulatedNet)


def parabola(lower, stride, intervals, **settings):
    """Return a table of x², which tables hold exactly."""
    x = lower + stride * np.arange(intervals + 1)
    knots = np.stack([x**2, 2 * x * stride, np.full(len(x), stride**2)], axis=1)[:, :, None]
    return Table(lower=lower, stride=stride, knots=knots, **settings)


def test_three_tables():
    net = TabulatedNet(
        segments=(parabola(-8.0, 1.0, 6), parabola(-2.0, 0.25, 16), parabola(2.0, 1.0, 6))
    )
    assert (net.lower, net.upper, net.usual) == (-8.0, 8.0, net.segments[1])
    x = np.linspace(-7.9, 7.9, 101)[:, None]
    np.testing.assert_allclose(net(x), x**2, atol=1e-12)
    ends = np.array([[-10.0], [10.0]])
    np.testing.assert_allclose(net(ends), [[96.0], [96.0]], atol=1e-12)


def test_no_digits_of_small_numbers_are_lost():
    """At knots with few binary digits the distance to the knot is exact, however far the table begins."""
    x = -1024.0 + 0.25 * np.arange(8193)
    line = np.stack([x, np.full(len(x), 0.25), np.zeros(len(x))], axis=1)[:, :, None]
    table = Table(lower=-1024.0, stride=0.25, knots=line)
    tiny = np.array([[1.25e-13], [-3.0e-14]])
    np.testing.assert_allclose(table(tiny), tiny, rtol=1e-14)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: parabola(0.0, 1.0, 3, kinds=3), "kinds: 3"),
        (lambda: parabola(0.0, 1.0, 3, kinds=4), "kinds: 4"),
        (lambda: parabola(0.0, 1.0, 3, kinds=0), "kinds: 0"),
        (
            lambda: TabulatedNet(
                segments=(parabola(0.0, 1.0, 3, kinds=2), parabola(1.0, 1.0, 3)),
            ),
            "2 functions in one table, 1 in the next",
        ),
    ],
)
def test_what_is_no_table_by_kind(make, message):
    with pytest.raises(DPError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)
