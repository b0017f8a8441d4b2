"""The reference against a slow, plain implementation of the published formulas that shares nothing with it.

Every atom, every periodic image and every place of ``sel``, the empty ones too, has its own turn.
Sources: Zhang et al., NeurIPS 2018, arXiv:1805.09003; Zeng et al., J. Chem. Phys. 159, 054801 (2023).
"""

import itertools
import math

import numpy as np
import pytest
from example_models import BY_NAME, PAIRWISE
from harness import Backend, assert_close

from dpcore.backend.adapter import value_and_grad
from dpcore.formats import Document
from dpcore.infer import DeepPot
from dpcore.neighbours.sizes import ExactSizes
from dpcore.nn import activation
from dpcore.xp import namespace


def sigmoid(x):
    return 1.0 / (1.0 + math.exp(-x)) if x > -700.0 else 0.0


def gelu(x):
    return 0.5 * x * (1.0 + math.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * x**3)))


def silut(threshold):
    """Return x·sigmoid(x) up to the threshold, and beyond it a tanh that continues value and slope."""
    g = sigmoid(threshold)
    slope = g * (1.0 + threshold * (1.0 - g))

    def function(x):
        if x < threshold:
            return x * sigmoid(x)
        return threshold * g + math.tanh(slope * (x - threshold))

    return function


ACTIVATIONS = {
    "tanh": math.tanh,
    "relu": lambda x: max(x, 0.0),
    "relu6": lambda x: min(max(x, 0.0), 6.0),
    "softplus": lambda x: math.log(1.0 + math.exp(x)) if x < 30.0 else x,
    "sigmoid": sigmoid,
    "gelu": gelu,
    "gelu_tf": gelu,
    "silu": lambda x: x * sigmoid(x),
    "silut": silut(3.0),
    "silut:5.0": silut(5.0),
    "custom_silu:0.5": silut(0.5),
    "linear": lambda x: x,
    "none": lambda x: x,
}


def run_layer(layer, x):
    """Return φ(xW + b)·Δt, plus the input once or twice where the width stays or doubles."""
    phi = ACTIVATIONS[layer.activation_function]
    n_in, n_out = layer.weight.shape
    y = []
    for k in range(n_out):
        total = sum(x[j] * layer.weight[j, k] for j in range(n_in)) + layer.bias[k]
        value = phi(total)
        if layer.timestep is not None:
            value *= layer.timestep[k]
        if layer.resnet and n_out == n_in:
            value += x[k]
        if layer.resnet and n_out == 2 * n_in:
            value += x[k % n_in]
        y.append(value)
    return y


def run_net(net, x):
    for layer in net.layers:
        x = run_layer(layer, x)
    return x


def switch(r, smooth, cut):
    if r < smooth:
        return 1.0
    if r >= cut:
        return 0.0
    u = (r - smooth) / (cut - smooth)
    return u**3 * (-6.0 * u**2 + 15.0 * u - 10.0) + 1.0


def neighbours(frame, atom, cut):
    """Return (distance, type, vector) of everything around an atom, nearest first."""
    found = []
    turns = itertools.product(range(-3, 4), repeat=3) if frame.cell is not None else [(0, 0, 0)]
    cell = np.zeros((3, 3)) if frame.cell is None else frame.cell
    for turn in turns:
        for other in range(len(frame.types)):
            if other == atom and turn == (0, 0, 0):
                continue
            d = frame.coord[other] + np.array(turn) @ cell - frame.coord[atom]
            r = math.sqrt(d @ d)
            if r < cut:
                found.append((r, frame.types[other], d))
    return sorted(found, key=lambda n: n[0])


def descriptor_of(model, frame, atom):
    """Return D = (Σ g rᵀ)(Σ r g<ᵀ)/N² of an atom, its first axis running fastest last."""
    d, centre = model.descriptor, frame.types[atom]
    around = neighbours(frame, atom, d.rcut)[: sum(d.sel)]
    moments = np.zeros((d.neuron[-1], 4))
    place = 0
    for kind, size in enumerate(d.sel):
        unseen = {(centre, kind), (kind, centre)} & set(model.pair_exclude_types)
        excluded = {(centre, kind), (kind, centre)} & set(d.exclude_types)
        present = [] if unseen else [n for n in around if n[1] == kind][:size]
        for slot in range(size):
            row = np.zeros(4)
            if slot < len(present):
                r, _, vector = present[slot]
                s = switch(r, d.rcut_smth, d.rcut) / (r + d.env_protection)
                row = np.array([s, *(s * vector / (r + d.env_protection))])
            row = (row - d.davg[centre, place]) / d.dstd[centre, place]
            if excluded and slot < len(present):
                row = np.zeros(4)
            net = d.nets[kind] if d.type_one_side else d.nets[centre + len(d.sel) * kind]
            g = run_net(net, [row[0]])
            for m in range(len(g)):
                moments[m] += g[m] * row
            place += 1
    moments /= place
    return [
        sum(moments[m, c] * moments[a, c] for c in range(4))
        for m in range(d.neuron[-1])
        for a in range(d.axis_neuron)
    ]


def energy_of(model, frame, atom):
    """Return the energy of an atom."""
    f, kind = model.fitting, frame.types[atom]
    if kind in model.atom_exclude_types:
        return 0.0
    bias = model.out_bias[0, kind, 0]
    if kind in f.exclude_types:
        return bias
    parameters = []
    if f.numb_fparam:
        parameters += list((frame.fparam - f.fparam_avg) * f.fparam_inv_std)
    if f.numb_aparam and not f.use_aparam_as_mask:
        parameters += list((frame.aparam[atom] - f.aparam_avg) * f.aparam_inv_std)
    features = descriptor_of(model, frame, atom)
    energy = run_net(f.nets[kind], features + parameters)[0]
    if f.atom_ener and f.atom_ener[kind] is not None:
        energy -= run_net(f.nets[kind], [0.0] * len(features) + parameters)[0]
    return energy + f.bias_atom_e[kind, 0] + bias


@pytest.mark.parametrize("periodic", [True, False], ids=["periodic", "open"])
@pytest.mark.parametrize("example", PAIRWISE, ids=str)
def test_atomic_energies(example, periodic, predict):
    model, frame = example.double(), example.frame(periodic=periodic)
    (result,) = predict(model, [frame])
    truth = np.array([energy_of(model, frame, atom) for atom in range(len(frame.types))])
    assert_close(result["atom_energy"][:, 0], truth, 1e-12)
    assert_close(result["energy"], [math.fsum(truth)], 1e-12)


@pytest.mark.parametrize("name", ["by_place", "exclude_types", "widths", "truncated"])
def test_descriptors(name):
    model, frame = BY_NAME[name].model, BY_NAME[name].frame()
    potential = DeepPot.from_document(Document(model), Backend.NUMPY.adapter())
    found = potential.eval_descriptor(frame.coord[None], frame.cell[None], frame.types)[0]
    truth = [descriptor_of(model, frame, atom) for atom in range(len(frame.types))]
    assert_close(found, truth, 1e-12)


def test_forces(predict):
    """The forces on one atom, from the energies of the plain implementation."""
    model, frame = BY_NAME["by_place"].model, BY_NAME["by_place"].frame(periodic=False)
    step, slope = 1e-5, []
    for axis in range(3):
        energies = []
        for sign in (1.0, -1.0):
            coord = frame.coord.copy()
            coord[2, axis] += sign * step
            moved = type(frame)(coord, frame.types)
            energies.append(sum(energy_of(model, moved, atom) for atom in range(len(coord))))
        slope.append((energies[0] - energies[1]) / (2.0 * step))
    (result,) = predict(model, [frame])
    assert_close(result["force"][2], -np.array(slope), 1e-6)


GRID = np.array([-50.0, -6.5, -3.0, -1.0, -0.1, 0.1, 0.49, 0.51, 2.99, 3.01, 4.9, 5.1, 6.5, 50.0])


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation_functions(name, framework):
    adapter = framework.adapter()
    phi, truth = activation(name), ACTIVATIONS[name]
    with adapter.scope():
        x = adapter.asarray(GRID.copy(), adapter.device(None))
        (_, values), slopes = value_and_grad(adapter, lambda a: (namespace(a).sum(phi(a)), phi(a)))(
            x
        )
        values, slopes = adapter.to_numpy(values), adapter.to_numpy(slopes)
    expected = [truth(x) for x in GRID]
    np.testing.assert_allclose(values, expected, rtol=1e-13, atol=1e-13)
    step = 1e-6
    quotients = [(truth(x + step) - truth(x - step)) / (2.0 * step) for x in GRID]
    np.testing.assert_allclose(slopes, quotients, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("threshold", [0.5, 3.0, 5.0])
def test_silut_continues_value_and_slope(threshold):
    phi, h = activation(f"silut:{threshold}"), 1e-5
    below, at, above = phi(np.array([threshold - h, threshold, threshold + h]))
    assert at == pytest.approx(threshold * sigmoid(threshold), rel=1e-14)
    assert (above - at) / h == pytest.approx((at - below) / h, abs=1e-4)


def straightened(net, name):
    """Return the network with silu in the place of an activation function."""
    return net.with_(
        layers=tuple(
            x.with_(activation_function="silu") if x.activation_function == name else x
            for x in net.layers
        )
    )


@pytest.mark.parametrize("name", ["silu-silut", "silut_5.0-linear", "none-custom_silu_0.5"])
def test_the_examples_reach_the_bent_part_of_silut(name, predict):
    """With silu instead, their energies would be others."""
    model, frame = BY_NAME[name].model, BY_NAME[name].frame()
    for part in ("descriptor", "fitting"):
        component = getattr(model, part)
        if "silu" in component.activation_function:
            bent = component.activation_function
            nets = tuple(straightened(net, bent) for net in component.nets)
            changed = model.with_(**{part: component.with_(nets=nets)})
    results = [predict(m, [frame])[0]["energy"][0] for m in (model, changed)]
    assert abs(results[0] - results[1]) > 1e-3


def test_sizes_of_the_reference_are_exact():
    assert isinstance(
        DeepPot.from_document(
            Document(BY_NAME["plain"].model), Backend.NUMPY.adapter()
        ).engine.sizes,
        ExactSizes,
    )
