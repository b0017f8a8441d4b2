"""``loc_frame`` against plain loops, and its axes where neighbours are missing or on one line."""

import numpy as np
import pytest
from harness import Backend, assert_close, assert_same
from test_independent import neighbours

from dpcore.descriptors import LocFrame, WithTypes
from dpcore.errors import DPError
from dpcore.formats import Document
from dpcore.frames import Frame
from dpcore.infer import DeepPot
from dpcore.settings import build_model
from examples.loc_frame import EXAMPLES


def chosen(d, lists, kind, neighbour, order):
    """Return the vector to the neighbour that a rule names, or None."""
    sel = (d.sel_a, d.sel_r)[kind]
    starts = np.cumsum([0, *sel])
    if neighbour >= 0:
        place = starts[neighbour] + order
        return lists[kind][place] if place < starts[-1] else None
    left_out = -neighbour - 1 if kind == 0 else -neighbour
    nearest = [
        lists[kind][starts[t] + k]
        for t in range(len(sel))
        if t != left_out
        for k in range(min(3, sel[t]))
    ]
    nearest = sorted((v for v in nearest if v is not None), key=lambda v: v @ v)
    return nearest[order] if order < len(nearest) else None


def axes(d, lists, centre):
    """Return the axes of an atom's frame, or None where a neighbour that defines them is missing."""
    rules = d.axis_rule[6 * centre : 6 * centre + 6]
    if rules:
        first = chosen(d, lists, *rules[:3])
        second = chosen(d, lists, *rules[3:])
        spare = chosen(d, lists, *rules[3:5], rules[5] + 1)
    else:
        first, second, spare = lists[0 if sum(d.sel_a) > 1 else 1][:3]
    if first is None or second is None:
        return None
    cosine = first @ second / np.sqrt((first @ first) * (second @ second))
    if cosine < 1e-4 - 1.0 and spare is not None:
        second = spare
    x = first / np.linalg.norm(first)
    y = second - (x @ second) * x
    y /= np.linalg.norm(y)
    return np.array([x, y, np.cross(x, y)])


def description(d, frame, atom):
    """Return (1/r, z/r², x/r², y/r²) of the nearest and 1/r of the others, normalised."""
    centre, lists = frame.types[atom], ([], [])
    around = neighbours(frame, atom, d.rcut)
    for t, (n_a, n_r) in enumerate(zip(d.sel_a, d.sel_r, strict=True)):
        present = [vector for _, kind, vector in around if kind == t]
        padded = present + [None] * (n_a + n_r)
        lists[0].extend(padded[:n_a])
        lists[1].extend(padded[n_a : n_a + n_r])
    turn, features = axes(d, lists, centre), []
    for vector in lists[0]:
        row = [0.0] * 4
        if vector is not None:
            r = np.linalg.norm(vector)
            x, y, z = (0.0, 0.0, 0.0) if turn is None else turn @ vector / r**2
            row = [1.0 / r, z, x, y]
        features.extend(row)
    features.extend(0.0 if vector is None else 1.0 / np.linalg.norm(vector) for vector in lists[1])
    return (np.array(features) - d.davg[centre]) / d.dstd[centre]


def own(model):
    """Return the descriptor itself, without the types that may be told behind it."""
    d = model.descriptor
    return d.descriptor if isinstance(d, WithTypes) else d


def described(model, frame):
    potential = DeepPot.from_document(Document(model), Backend.NUMPY.adapter())
    cell = None if frame.cell is None else frame.cell[None]
    parameters = {} if frame.fparam is None else {"fparam": frame.fparam[None]}
    return potential.eval_descriptor(frame.coord[None], cell, frame.types, **parameters)[0]


@pytest.mark.parametrize("periodic", [True, False], ids=["periodic", "open"])
@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_descriptors(example, periodic):
    frame, d = example.frame(periodic=periodic), own(example.model)
    found = described(example.model, frame)[:, : d.width]
    truth = [description(d, frame, atom) for atom in range(len(frame.types))]
    assert_close(found, truth, 1e-12)


@pytest.mark.parametrize("atoms", [1, 2, 3])
@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_few_atoms_have_finite_results_that_do_not_turn(example, atoms, predict):
    coord = np.array([[0.1, 0.2, 0.3], [1.3, 0.4, -0.2], [0.2, -0.9, 1.1]])[:atoms]
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    turn *= np.linalg.det(turn)
    types = np.array([0, 1, 1])[:atoms]
    frames = [example.with_parameters(Frame(x, types)) for x in (coord, coord @ turn.T)]
    first, second = predict(example.model, frames)
    assert_close(second["energy"], first["energy"], 1e-12)
    assert_close(second["force"], first["force"] @ turn.T, 1e-12)
    truth = [description(own(example.model), frames[0], atom) for atom in range(atoms)]
    width = own(example.model).width
    assert_close(described(example.model, frames[0])[:, :width], truth, 1e-12)


def test_an_atom_alone_is_finite_everywhere(framework, predict):
    (found,) = predict(EXAMPLES[0].model, [Frame(np.zeros((1, 3)), np.array([0]))], framework)
    assert np.abs(found["force"]).max() == 0.0


LINE = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [-1.5, 0.0, 0.0], [0.3, 2.0, 0.1]])


def test_axis_opposite_to_the_other_gives_way_to_the_next(predict):
    """The two nearest hydrogens of the oxygen are opposite to each other: the third takes over."""
    example = next(e for e in EXAMPLES if e.name == "loc_frame-default")
    d = own(example.model).with_(axis_rule=(0, 1, 0, 0, 1, 1) * 2)
    frame = Frame(LINE, np.array([0, 1, 1, 1]))
    model = example.model.with_(descriptor=d)
    found = described(model, frame)[0]
    third = d.with_(axis_rule=(0, 1, 0, 0, 1, 2) * 2)
    assert_close(found, description(third, frame, 0), 1e-12)
    nearly = frame.coord.copy()
    nearly[2, 1] = 0.2
    near = Frame(nearly, frame.types)
    assert_close(described(model, near)[0], description(d, near, 0), 1e-12)
    assert_close(
        predict(model, [frame])[0]["force"].sum(axis=0), np.zeros(3), 1e-12, "the sum of forces"
    )


def test_axes_on_one_line_give_no_frame():
    """Two axes of one direction: there is no frame, and distances alone are seen."""
    example = next(e for e in EXAMPLES if e.name == "loc_frame-default")
    d = own(example.model).with_(axis_rule=(0, 1, 0, 0, 1, 1) * 2)
    coord = LINE[:3].copy()
    coord[2] = (2.5, 0.0, 0.0)
    model, frame = example.model.with_(descriptor=d), Frame(coord, np.array([0, 1, 1]))
    rows = (described(model, frame)[0] * d.dstd[0] + d.davg[0])[: 4 * sum(d.sel_a)].reshape(-1, 4)
    assert_close(rows[4:6, 0], [1.0, 0.4], 1e-12)
    assert_close(rows[:, 1:], np.zeros_like(rows[:, 1:]), 1e-12)


def test_neighbours_of_other_types_take_no_places():
    """The nearest of each type are kept, however many neighbours there are of other types."""
    d = LocFrame.create(
        np.random.default_rng(0), sel_a=(2, 1), sel_r=(0, 0), axis_rule=(), rcut=3.0
    )
    example = next(e for e in EXAMPLES if e.name == "loc_frame-default")
    rng = np.random.default_rng(5)
    coord = np.concatenate([[[0.0, 0.0, 0.0]], rng.uniform(0.5, 1.0, (6, 3)), [[-2.0, 0.1, 0.2]]])
    frame = Frame(coord, np.array([0, 0, 0, 0, 0, 0, 0, 1]))
    fitting = type(example.model.fitting).create(rng, ntypes=2, width=d.width, neuron=(3,))
    model = type(example.model).create(d, fitting, type_map=("O", "H"))
    assert_close(described(model, frame)[0], description(d, frame, 0), 1e-12)
    assert described(model, frame)[0, 8] > 0.4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sel_r": [3]}, "descriptor.sel_r: 1 numbers, sel_a has 2"),
        ({"sel_a": [3, -1]}, "descriptor.sel_a: [3, -1]"),
        ({"rcut": -1.0}, "descriptor.rcut: -1.0"),
        (
            {"axis_rule": [0, 1, 0, 0, 1, 1]},
            "descriptor.axis_rule: 6 numbers; 6 for each of 2 types",
        ),
        ({"axis_rule": [2, 1, 0, 0, 1, 1] * 2}, "descriptor.axis_rule: there is no class 2"),
        ({"axis_rule": [0, 2, 0, 0, 1, 1] * 2}, "descriptor.axis_rule: there is no type 2"),
        ({"axis_rule": [0, 1, 4, 0, 1, 1] * 2}, "order 4 in the rule [0, 1, 4]"),
        ({"axis_rule": [0, -1, 3, 0, 1, 1] * 2}, "order 3 in the rule [0, -1, 3]"),
        (
            {"axis_rule": [], "sel_a": [1, 0], "sel_r": [0, 1]},
            "descriptor.axis_rule: there are no rules, and no two places",
        ),
    ],
)
def test_mistakes_name_the_key(changes, message):
    descriptor = {
        "type": "loc_frame",
        "sel_a": [3, 4],
        "sel_r": [2, 2],
        "axis_rule": [0, 1, 0, 0, 1, 1] * 2,
    }
    model = {
        "type_map": ["O", "H"],
        "descriptor": descriptor | changes,
        "fitting_net": {"neuron": [2]},
    }
    with pytest.raises(DPError) as error:
        build_model(model)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_there_are_no_tensors_without_frames():
    descriptor = {"type": "loc_frame", "sel_a": [3, 4], "sel_r": [2, 2], "axis_rule": []}
    model = {"type_map": ["O", "H"], "descriptor": descriptor, "fitting_net": {"type": "dipole"}}
    with pytest.raises(DPError, match="dipole"):
        build_model(model)


def test_order_of_atoms_does_not_matter(predict):
    example = EXAMPLES[2]
    frame = example.frame()
    order = np.random.default_rng(1).permutation(len(frame.types))
    mixed = Frame(frame.coord[order], frame.types[order], frame.cell)
    first, second = predict(example.model, [frame, mixed])
    first["force"], first["atom_energy"] = first["force"][order], first["atom_energy"][order]
    first["atom_virial"], first["mask"] = first["atom_virial"][order], first["mask"][order]
    assert_same(second, first, 1e-12)
