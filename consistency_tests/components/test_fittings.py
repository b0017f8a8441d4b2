"""Fittings against plain loops over the published formulas, atom by atom.

The loops are given what the descriptor says of an atom and share nothing else with the implementation.
"""

import dataclasses as dc
import math
from typing import Any

import numpy as np
import pytest
from harness import assert_close
from test_independent import run_net

from dpcore.batch import Batch, Group, displacements, places
from dpcore.descriptors import Description
from dpcore.fittings import FITTINGS
from dpcore.infer.assemble import assemble
from dpcore.neighbours.sizes import ExactSizes
from examples import dipole, dos, ener, polar
from examples import property as any_property

EXAMPLES = [e for m in (dipole, polar, dos, any_property, ener) for e in m.EXAMPLES]
KINDS = ["dipole", "dos", "ener", "polar", "property"]


def batch_of(model, frame):
    assembly = assemble([frame], model.selections, ExactSizes())
    return next(assembly.batches(centres=1000))


def described(model, frame):
    """Return the features and vectors of each atom of a frame."""
    batch = batch_of(model, frame)
    found = model.descriptor(batch, displacements(batch))
    order = np.argsort(places(batch))[: len(frame.types)]
    return found.features[order], None if found.frames is None else found.frames[order]


def normalised(values, mean, inverse):
    return [(x - m) * s for x, m, s in zip(values, mean, inverse, strict=True)]


def network_output(fitting, kind, features, fparam, aparam):
    """Return what the network of a type gives, with its bias."""
    given = list(features)
    if fitting.numb_fparam:
        given += normalised(fparam, fitting.fparam_avg, fitting.fparam_inv_std)
    if fitting.numb_aparam and not getattr(fitting, "use_aparam_as_mask", False):
        given += normalised(aparam, fitting.aparam_avg, fitting.aparam_inv_std)
    if fitting.dim_case_embd:
        given += list(fitting.case_embd)
    shared = len(fitting.nets) == 1
    net = fitting.nets[0 if shared else kind]
    out = [y + b for y, b in zip(run_net(net, given), fitting.bias_atom_e[kind], strict=True)]
    fixed = getattr(fitting, "atom_ener", ())
    if fixed and (shared or fixed[kind] is not None):
        bare = [0.0] * len(features) + given[len(features) :]
        out = [y - v for y, v in zip(out, run_net(net, bare), strict=True)]
    return out


@dc.dataclass
class Atom:
    """An atom, what the networks give for it and how its model standardises properties."""

    fitting: Any
    kind: int
    numbers: list[float]
    vectors: np.ndarray | None
    bias: np.ndarray
    std: np.ndarray


def dipole_of(atom):
    return [
        sum(m * r[axis] for m, r in zip(atom.numbers, atom.vectors, strict=True))
        for axis in range(3)
    ]


def polar_of(atom):
    fitting, size = atom.fitting, len(atom.vectors)
    shift = fitting.constant_matrix[atom.kind] + (atom.bias[0] + atom.bias[4] + atom.bias[8]) / 3.0

    def inner(m, n):
        if fitting.fit_diag:
            return atom.numbers[m] if m == n else 0.0
        return 0.5 * (atom.numbers[m * size + n] + atom.numbers[n * size + m])

    def entry(i, j):
        pairs = [(m, n) for m in range(size) for n in range(size)]
        value = sum(atom.vectors[m][i] * inner(m, n) * atom.vectors[n][j] for m, n in pairs)
        return value + (shift if fitting.shift_diag and i == j else 0.0)

    return [[fitting.scale[atom.kind] * entry(i, j) for j in range(3)] for i in range(3)]


def biased(atom):
    return [x + b for x, b in zip(atom.numbers, atom.bias, strict=True)]


def standardised(atom):
    return [x * s + b for x, s, b in zip(atom.numbers, atom.std, atom.bias, strict=True)]


FORMULAS = {
    "dipole": dipole_of,
    "polar": polar_of,
    "dos": biased,
    "property": standardised,
    "ener": biased,
}


def property_of(model, frame, i, features, vectors):
    """Return the property of the atom ``i``."""
    fitting, kind = model.fitting, frame.types[i]
    aparam = None if frame.aparam is None else frame.aparam[i]
    numbers = network_output(fitting, kind, features[i], frame.fparam, aparam)
    if kind in fitting.exclude_types:
        numbers = [0.0] * len(numbers)
    row = kind if getattr(fitting, "distinguish_types", True) else 0
    vectors = None if vectors is None else vectors[i]
    statistics = model.out_bias[0, row], model.out_std[0, row]
    value = FORMULAS[fitting.type_name](Atom(fitting, kind, numbers, vectors, *statistics))
    return np.array(value) * (0.0 if kind in model.atom_exclude_types else 1.0)


@pytest.mark.parametrize("periodic", [True, False], ids=["periodic", "open"])
@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_properties_of_atoms_and_frames(example, periodic, predict):
    model, frame = example.double(), example.frame(periodic=periodic)
    given = described(model, frame)
    truth = np.array([property_of(model, frame, i, *given) for i in range(len(frame.types))])
    (result,) = predict(model, [frame])
    output = model.output
    assert_close(result[output.atomic], truth, 1e-12)
    counted = np.isin(frame.types, model.atom_exclude_types, invert=True)
    np.testing.assert_array_equal(result["mask"], counted)
    total = np.array([math.fsum(column) for column in truth.reshape(len(truth), -1).T])
    total = total / np.count_nonzero(counted) if output.intensive else total
    assert_close(result[output.total], total.reshape(output.shape), 1e-12)
    assert np.abs(total).min() > 1e-5


def test_a_mean_counts_the_atoms_that_are_there(predict):
    (example,) = [e for e in any_property.EXAMPLES if e.name == "property_intensive"]
    frame = example.frame()
    types = np.where(np.arange(8) == 1, -1, frame.types)
    (result,) = predict(example.model, [dc.replace(frame, types=types)])
    assert np.count_nonzero(types == 1) == 4
    assert_close(result["band-gap.1"], result["atom_band-gap.1"].sum(axis=0) / 4.0, 1e-12)


def drawn(kind, **settings):
    """Return a fitting of three types with random biases, and an array of what it is given."""
    rng = np.random.default_rng(4)
    needed = {"property": {"property_name": "foo", "task_dim": 2}, "dos": {"numb_dos": 3}}
    settings = {"neuron": (5, 5)} | needed.get(kind, {}) | settings
    fitting = FITTINGS[kind].create(rng, ntypes=3, width=4, frame_width=2, **settings)
    bias = rng.normal(size=fitting.bias_atom_e.shape)
    return fitting.with_(bias_atom_e=bias), rng.normal(size=(5, 4)), rng.normal(size=(5, 2, 3))


TYPES = np.array([1, 0, 2, 1, 0])
MIXED = (Group(type=None, place=np.arange(5)),)
TYPED = tuple(Group(type=t, place=np.flatnonzero(t == TYPES)) for t in range(3))


def evaluated(fitting, features, vectors, groups):
    batch = Batch(
        groups=groups, views=(), frame=np.zeros(5, int), natoms=np.array([5]), types=TYPES
    )
    place = places(batch)
    return fitting(Description(features[place], vectors[place]), batch)[np.argsort(place)]


@pytest.mark.parametrize("kind", KINDS)
def test_one_network_for_all_types(kind):
    """The same numbers as from equal networks by type, whether or not the centres come by type."""
    settings = {"atom_ener": (1.0, 2.0, 3.0)} if kind == "ener" else {"exclude_types": (2,)}
    one, *given = drawn(kind, mixed_types=True, **settings)
    each = one.with_(nets=one.nets * 3)
    expected = evaluated(each, *given, TYPED)
    assert np.abs(expected).max() > 0.1
    assert_close(evaluated(one, *given, TYPED), expected, 1e-14)
    assert_close(evaluated(one, *given, MIXED), expected, 1e-14)


def test_one_network_is_measured_from_vacuum_for_all_types():
    """As in DeePMD-kit, an energy in vacuum that is given for one type means all of them."""
    one, features, vectors = drawn("ener", mixed_types=True, atom_ener=(None, -2.0))
    energies = evaluated(one, np.zeros_like(features), vectors, MIXED)
    assert_close(energies, one.bias_atom_e[TYPES], 1e-14)


def test_a_network_of_each_type_is_measured_from_vacuum_where_asked():
    """Where the list is too short, too."""
    each, features, vectors = drawn("ener", atom_ener=(None, -2.0))
    energies = evaluated(each, np.zeros_like(features), vectors, TYPED)
    expected = each.bias_atom_e[TYPES]
    assert_close(energies[TYPES > 0], expected[TYPES > 0], 1e-14)
    assert np.abs(energies - expected)[TYPES == 0].min() > 0.01


def test_the_last_hidden_layer():
    model, frame = dipole.EXAMPLES[0].model, dipole.EXAMPLES[0].frame()
    batch = batch_of(model, frame)
    features = model.features(batch, displacements(batch))
    hidden, raw = model.fitting.last_hidden(features, batch), model.fitting.raw(features, batch)
    assert hidden.shape == (len(features), 12)
    for row, out, place in zip(hidden, raw, places(batch), strict=True):
        head = model.fitting.nets[batch.types[place]].layers[-1]
        assert_close(out, row @ head.weight + head.bias, 1e-13)


def test_every_kind_is_here():
    assert {e.model.fitting.type_name for e in EXAMPLES} == set(KINDS) == set(FORMULAS)
