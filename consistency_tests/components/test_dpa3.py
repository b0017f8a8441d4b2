"""``dpa3`` against plain loops, and what is special about it."""

import dataclasses as dc
import itertools
import math

import numpy as np
import pytest
from example_models import BY_NAME, RCUT
from harness import assert_close, assert_descriptors, assert_same
from test_independent import ACTIVATIONS, switch

from dpcore.descriptors import DPA3, Hybrid, SeE2A
from dpcore.errors import DPError
from dpcore.formats import Document
from dpcore.frames import Frame
from dpcore.infer.deep_eval import DeepEval
from dpcore.nn.charge_spin import CHARGES
from dpcore.registry import backend as adapter_of
from dpcore.settings import build_model
from dpcore.tree import arrays, replace
from examples.dpa3 import EXAMPLES, LISTED, REPFLOW, SMOOTH, example
from examples.example import standard


def run(layer, *inputs):
    """Return φ(xW + b) of numbers one after another."""
    x = np.concatenate(inputs)
    bias = 0.0 if layer.bias is None else layer.bias
    phi = ACTIVATIONS[layer.activation_function]
    return np.array([phi(z) for z in x @ layer.weight + bias])


@dc.dataclass
class Edge:
    """An edge of an atom."""

    other: int
    r: float
    vector: np.ndarray
    place: int
    bent: bool
    features: np.ndarray = None

    def weight(self, asked, kind):
        smooth, cut = getattr(asked, f"{kind}_rcut_smth"), getattr(asked, f"{kind}_rcut")
        if asked.use_exp_switch:
            return math.exp(-math.exp(20.0 * (self.r - smooth) / smooth))
        return switch(self.r, smooth, cut)


def edges_of(d, frame, atom):
    """Return the edges of an atom, nearest first; excluded ones leave their places empty."""
    asked, found = d.repflow.neighbours, []
    turns = itertools.product(range(-2, 3), repeat=3) if frame.cell is not None else [(0, 0, 0)]
    cell = np.zeros((3, 3)) if frame.cell is None else frame.cell
    for turn, other in itertools.product(turns, range(len(frame.types))):
        vector = frame.coord[other] + np.array(turn) @ cell - frame.coord[atom]
        r = math.sqrt(vector @ vector)
        if 1e-9 < r < asked.e_rcut:
            found.append((r, other, vector))
    found.sort(key=lambda n: n[0])
    kept = []
    for place, (r, other, vector) in enumerate(found[: asked.e_sel]):
        pair = (frame.types[atom], frame.types[other])
        if pair not in d.exclude_types and pair[::-1] not in d.exclude_types:
            bent = place < asked.a_sel and r < asked.a_rcut
            kept.append(Edge(other, r, vector, place, bent))
    return kept


def added(residual, value, *updates):
    n = len(updates)
    if residual.style == "res_avg":
        return (value + sum(updates)) / math.sqrt(n + 1)
    if residual.style == "res_incr":
        return value + sum(updates) / math.sqrt(n)
    return value + sum(w * u for w, u in zip(residual.weights, updates, strict=True))


class Loops:
    """A repflow on one frame, atom by atom, edge by edge and angle by angle."""

    def __init__(self, d, frame):
        self.d, self.told, self.sizes = d, d.repflow, d.repflow.sizes
        asked = self.asked = self.told.neighbours
        dynamic = asked.sel_reduce_factor if asked.use_dynamic_sel else 1.0
        self.e_sel, self.a_sel = asked.e_sel / dynamic, asked.a_sel / dynamic
        phi = ACTIVATIONS[d.activation_function]
        self.first = self.of_atoms(frame)
        self.nodes = [np.array([phi(x) for x in row]) for row in self.first]
        self.edges = [edges_of(d, frame, i) for i in range(len(frame.types))]
        self.rows = [
            [self.row(e, t) for e in of] for t, of in zip(frame.types, self.edges, strict=True)
        ]
        for of, rows in zip(self.edges, self.rows, strict=True):
            for e, row in zip(of, rows, strict=True):
                given = e.r if self.told.edge_init_use_dist else row[0]
                e.features = run(d.edge_embedding, [given])
        self.angles = [
            {(j, k): self.angle(of[j], of[k]) for j, k in self.bent(of)} for of in self.edges
        ]
        for layer in d.layers:
            (self.one_by_one if self.told.updates.sequential_update else self.together)(layer)

    def of_atoms(self, frame):
        rows = self.d.type_embedding()[frame.types]
        known = self.d.charge_spin
        if known is None:
            return rows
        charge, spin = map(int, self.d.default_chg_spin)
        told = [known.charge()[charge - CHARGES[0]], known.spin()[spin]]
        return rows + run(known.mix, *told)

    def row(self, e, kind):
        near, w = e.r + self.d.env_protection, e.weight(self.asked, "e")
        row = w / near * np.array([1.0, *(e.vector / near)])
        return (row - self.d.davg[kind, e.place]) / self.d.dstd[kind, e.place]

    @staticmethod
    def bent(of):
        near = [k for k, e in enumerate(of) if e.bent]
        return list(itertools.product(near, near))

    def angle(self, first, second):
        units = [e.vector / (e.r + 1e-6) for e in (first, second)]
        cosine = units[0] @ units[1] * (1.0 - 1e-6) / math.sqrt(math.pi)
        return run(self.d.angle_embedding, [cosine])

    def moments(self, i, features, width):
        total = np.zeros((3, width))
        for e, row, x in zip(self.edges[i], self.rows[i], features, strict=True):
            total += np.outer(row[1:], x) * e.weight(self.asked, "e")
        return total / math.sqrt(self.e_sel)

    def node(self, layer, i):
        n, axis = self.sizes.n_dim, self.sizes.axis_neuron
        of = self.edges[i]
        products = []
        by_edges, by_nodes = [e.features for e in of], [self.nodes[e.other] for e in of]
        for features, width in ((by_edges, self.sizes.e_dim), (by_nodes, n)):
            m = self.moments(i, features, width)
            products += list((m[:, :axis].T @ m / 3.0).ravel())
        received = np.zeros(self.sizes.n_multi_edge_message * n)
        for e in of:
            told = run(layer.message, self.nodes[i], self.nodes[e.other], e.features)
            received = received + e.weight(self.asked, "e") * told / self.e_sel
        messages = [received[h * n : (h + 1) * n] for h in range(self.sizes.n_multi_edge_message)]
        own = run(layer.own, self.nodes[i])
        return added(layer.residual, self.nodes[i], own, run(layer.symmetric, products), *messages)

    def seen(self, layer, i, edge):
        told = self.told.compression
        if layer.node is not None:
            return run(layer.node, self.nodes[i]), run(layer.edge, edge)
        if told.a_compress_rate:
            n = self.sizes.a_dim // told.a_compress_rate
            return self.nodes[i][:n], edge[: n // 2 * told.a_compress_e_rate]
        return self.nodes[i], edge

    def on_angle(self, layer, by, i, j, k):
        (node, first), (_, second) = (
            self.seen(layer.angle, i, self.edges[i][place].features) for place in (j, k)
        )
        return run(by, self.angles[i][j, k], node, second, first)

    def by_pair(self, layer, i, e):
        return run(layer.edge.own, self.nodes[i], self.nodes[e.other], e.features)

    def by_angles(self, layer, i, j):
        e = self.edges[i][j]
        told = 0.0 * e.features if self.told.updates.smooth_edge_update else e.features
        if e.bent:
            told = np.zeros(self.sizes.e_dim)
            for first, k in self.angles[i]:
                if first == j:
                    w = e.weight(self.asked, "a") * self.edges[i][k].weight(self.asked, "a")
                    told += w * self.on_angle(layer, layer.edge.angular, i, j, k)
            told /= math.sqrt(self.a_sel)
        return run(layer.edge.received, told)

    def new_angles(self, layer):
        return [
            {
                (j, k): added(
                    layer.angle.residual, a, self.on_angle(layer, layer.angle.own, i, j, k)
                )
                for (j, k), a in of.items()
            }
            for i, of in enumerate(self.angles)
        ]

    def set_edges(self, features):
        for of, new in zip(self.edges, features, strict=True):
            for e, x in zip(of, new, strict=True):
                e.features = x

    def together(self, layer):
        nodes = [self.node(layer.node, i) for i in range(len(self.nodes))]
        edges, angles = [], self.angles
        for i, of in enumerate(self.edges):
            updates = [[self.by_pair(layer, i, e)] for e in of]
            if layer.angle is not None:
                for j, found in enumerate(updates):
                    found.append(self.by_angles(layer, i, j))
            edges.append(
                [
                    added(layer.edge.residual, e.features, *u)
                    for e, u in zip(of, updates, strict=True)
                ]
            )
        if layer.angle is not None:
            angles = self.new_angles(layer)
        self.set_edges(edges)
        self.nodes, self.angles = nodes, angles

    def one_by_one(self, layer):
        w = layer.edge.residual.weights
        self.set_edges(
            [
                [e.features + w[0] * self.by_pair(layer, i, e) for e in of]
                for i, of in enumerate(self.edges)
            ]
        )
        self.angles = self.new_angles(layer)
        self.set_edges(
            [
                [e.features + w[1] * self.by_angles(layer, i, j) for j, e in enumerate(of)]
                for i, of in enumerate(self.edges)
            ]
        )
        self.nodes = [self.node(layer.node, i) for i in range(len(self.nodes))]


@pytest.mark.parametrize("periodic", [True, False], ids=["periodic", "open"])
@pytest.mark.parametrize("one", EXAMPLES, ids=str)
def test_descriptors(one, periodic):
    loops = dict[int, Loops]()

    def described(model, frame, atom):
        # All frames are alive until the end.
        if id(frame) not in loops:
            loops[id(frame)] = Loops(model.descriptor, frame)
        found = loops[id(frame)]
        own = found.first[atom] if model.descriptor.concat_output_tebd else []
        return [*found.nodes[atom], *own]

    frames = [one.frame(periodic=periodic, seed=seed) for seed in (0, 1)]
    assert_descriptors(one.double(), frames, described)


def with_told(model, group, **changes):
    """Return a model with some settings of its repflow changed."""
    descriptor = model.descriptor
    told = descriptor.repflow
    told = told.with_(**{group: getattr(told, group).with_(**changes)})
    return model.with_(descriptor=descriptor.with_(repflow=told))


def test_edges_in_a_list_are_edges_in_rows(predict):
    listed = example("both", LISTED | {"sel_reduce_factor": 1.0}, {"exclude_types": ((0, 0),)})
    rows = with_told(listed.model, "neighbours", use_dynamic_sel=False)
    frames = [listed.frame(), listed.frame(periodic=False, seed=1)]
    expected = predict(rows, frames)
    for result, wanted in zip(predict(listed.model, frames), expected, strict=True):
        assert_same(result, wanted, 1e-12)


@pytest.mark.parametrize("one", EXAMPLES, ids=str)
def test_what_changes_no_number(one, predict):
    (expected,) = predict(one.model, [one.frame()])
    optimised = one.model.descriptor.repflow.updates.optim_update
    mapped = one.model.descriptor.use_loc_mapping
    for changed in (
        with_told(one.model, "updates", optim_update=not optimised),
        one.model.with_(descriptor=one.model.descriptor.with_(use_loc_mapping=not mapped)),
    ):
        (found,) = predict(changed, [one.frame()])
        assert_same(found, expected, 1e-15)


def features(model, frame):
    potential = DeepEval.from_document(Document(model), adapter_of("numpy"))
    cell = None if frame.cell is None else frame.cell[None]
    return potential.eval_descriptor(frame.coord[None], cell, frame.types)[0]


@pytest.mark.parametrize("name", ["dpa3_rough", "dpa3_listed_one_by_one"])
def test_beside_a_descriptor_of_typed_centres(name):
    one = BY_NAME[name]
    rng = np.random.default_rng(3)
    plain = {"rcut": RCUT, "rcut_smth": 1.0, "sel": (12, 18), "neuron": (4,), "axis_neuron": 2}
    typed = SeE2A.create(rng, type_map=("O", "H"), **plain)
    whole = standard("beside", Hybrid(children=(typed, one.model.descriptor)))
    expected = features(one.model.with_(descriptor=whole.model.descriptor.children[1]), one.frame())
    found = features(whole.model, one.frame())
    assert_close(found[:, -expected.shape[1] :], expected, 1e-13)


@pytest.mark.parametrize("repflow", [SMOOTH, LISTED | {"sequential_update": True}])
def test_vectors_rotate(repflow, predict):
    descriptor = example("turned", repflow).model.descriptor
    one = standard("turned_dipole", descriptor, {"type": "dipole"})
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    frame = one.frame()
    turned = dc.replace(frame, coord=frame.coord @ turn, cell=frame.cell @ turn)
    before, after = predict(one.model, [frame, turned])
    assert np.abs(before["dipole"]).max() > 1e-3
    assert_close(after["dipole"], before["dipole"] @ turn, 1e-10)
    assert_close(after["atom_virial"].shape, before["atom_virial"].shape, 0.0)


@pytest.mark.parametrize("name", ["dpa3_shortened", "dpa3_one_by_one"])
def test_messages_reach_as_many_cutoffs_as_there_are_layers(name, predict):
    """A chain: what moves is heard of by as many neighbours in a row as there are layers."""
    one = BY_NAME[name]
    reach = 1 + len(one.model.descriptor.layers)
    coord = np.array([[2.3 * i, 0.3 * (i % 2), 0.0] for i in range(reach + 3)])
    moved = coord.copy()
    moved[0, 1] += 0.4
    types = np.arange(len(coord)) % 2
    before, after = predict(one.double(), [Frame(coord, types), Frame(moved, types)])
    change = np.abs(after["atom_energy"] - before["atom_energy"])[:, 0]
    assert (change[:reach] > 1e-14).all()
    assert (change[reach:] == 0.0).all()


def test_atoms_alone(predict):
    for one in EXAMPLES:
        frame = Frame(np.array([[0.0, 0.0, 0.0], [50.0, 0.0, 0.0]]), one.types[:2])
        (alone,) = predict(one.model, [one.with_parameters(frame)])
        assert np.isfinite(alone["energy"]).all()
        assert not alone["force"].any()


def built(repflow=None, **changes):
    told = {key: value for key, value in REPFLOW.items() if "residual" not in key}
    settings = {
        "type_map": ["O", "H"],
        "descriptor": {"type": "dpa3", "repflow": told | (repflow or {})} | changes,
        "fitting_net": {"neuron": [4]},
    }
    return build_model(settings, seed=1).descriptor


def refused(repflow=None, **changes):
    with pytest.raises(DPError) as caught:
        built(repflow, **changes)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_settings():
    one = built({"use_env_envelope": True, "edge_use_dist": True})
    assert isinstance(one, DPA3)
    assert one.repflow.neighbours.use_exp_switch
    assert one.repflow.edge_init_use_dist
    assert (one.dstd == 0.3).all()
    assert (built({"fix_stat_std": 0.0}).dstd == 1.0).all()
    assert (built({"fix_stat_std": 0.7, "skip_stat": True}).dstd == 0.3).all()
    assert one.width == 6
    assert built(concat_output_tebd=True).width == 12
    assert len(one.selections) == 2
    assert len(built({"update_angle": False}).selections) == 1
    weights = built({"update_residual": 0.25}).layers[0].node.residual.weights
    assert (np.array(weights) == 0.25).all()


def test_bad_settings():
    assert "e_rcut" in refused({"e_rcut": None})
    assert "a_rcut" in refused({"a_rcut": 3.5, "a_rcut_smth": 1.0})
    assert "a_sel" in refused({"a_sel": 21})
    assert "e_rcut_smth" in refused({"e_rcut_smth": 3.2})
    assert "a_rcut_smth" in refused({"a_rcut_smth": 0.0, "use_exp_switch": True})
    assert "smooth_edge_update" in refused({"use_dynamic_sel": True})
    assert "sel_reduce_factor" in refused({"sel_reduce_factor": 0.0})
    assert "axis_neuron" in refused({"axis_neuron": 6})
    assert "nlayers" in refused({"nlayers": 0})
    assert "n_multi_edge_message" in refused({"n_multi_edge_message": 0})
    assert "a_compress_rate" in refused({"a_compress_rate": 4})
    assert "a_compress_rate" in refused({"a_compress_rate": -1})
    split = {"a_compress_rate": 1, "a_compress_e_rate": 4, "a_compress_use_split": True}
    assert "a_compress_use_split" in refused(split)
    assert "update_style" in refused({"update_style": "res"})
    assert "update_residual_init" in refused({"update_residual_init": "uniform"})
    sequential = {"sequential_update": True}
    assert "res_residual" in refused(sequential | {"update_style": "res_avg"})
    assert "update_angle" in refused(sequential | {"update_angle": False})
    assert "fix_stat_std" in refused({"fix_stat_std": -0.3})
    assert "exclude_types" in refused(exclude_types=[[0, 2]])
    assert "env_protection" in refused(env_protection=-1.0)
    assert "repflow" in refused({"n_dims": 3})
    assert "default_chg_spin" in refused(add_chg_spin_ebd=True, default_chg_spin=[0.5, 1.0])
    assert "default_chg_spin" in refused(add_chg_spin_ebd=True, default_chg_spin=[0.0, 100.0])
    assert "default_chg_spin" in refused(add_chg_spin_ebd=True, default_chg_spin=[0.0])


def test_parts_that_the_settings_contradict():
    descriptor = BY_NAME["dpa3_rough"].model.descriptor
    told = descriptor.repflow

    def changed(group, **changes):
        return told.with_(**{group: getattr(told, group).with_(**changes)})

    for group, changes, match in (
        ("sizes", {"nlayers": 4}, "nlayers"),
        ("sizes", {"n_multi_edge_message": 2}, r"layers\.0\.node"),
        ("sizes", {"n_dim": 7}, "n_dim"),
        ("sizes", {"a_dim": 6}, "angle_embedding"),
        ("updates", {"update_style": "res_avg"}, "update_style"),
        ("updates", {"update_angle": False}, r"layers\.0\.edge"),
        ("compression", {"a_compress_rate": 1}, r"layers\.0\."),
        ("neighbours", {"e_sel": 30}, "davg"),
    ):
        with pytest.raises(DPError, match=match):
            descriptor.with_(repflow=changed(group, **changes))
    with pytest.raises(DPError, match="add_chg_spin_ebd"):
        descriptor.with_(add_chg_spin_ebd=True)
    with pytest.raises(DPError, match="use_tebd_bias"):
        descriptor.with_(use_tebd_bias=True)


def test_charge_and_spin_matter(predict):
    one = BY_NAME["dpa3_charge_spin"]
    frames = [dc.replace(one.frame(), charge_spin=np.array(x)) for x in ([-1.0, 2.0], [1.0, 2.0])]
    before, after = predict(one.model, frames)
    assert abs(after["energy"] - before["energy"])[0] > 1e-6


@pytest.mark.parametrize("name", ["dpa3_rough", "dpa3_shortened", "dpa3_listed_one_by_one"])
def test_every_array_counts(name, predict):
    """There is no array of the layers whose numbers change nothing, but for what only vectors see."""
    one = BY_NAME[name]
    (expected,) = predict(one.model, [one.frame()])
    values, unused = arrays(one.model), set()
    for path, value in values.items():
        if path.startswith("descriptor.layers"):
            changed = replace(one.model, values | {path: value * 1.01 + 0.01})
            (found,) = predict(changed, [one.frame()])
            if np.abs(found["force"] - expected["force"]).max() < 1e-13:
                unused.add(path.removeprefix("descriptor.layers."))
    last = len(one.model.descriptor.layers) - 1
    sequential = one.model.descriptor.repflow.updates.sequential_update
    parts = () if sequential else (f"{last}.edge.", f"{last}.angle.", f"{last - 1}.angle.own")
    parts += () if sequential else (f"{last - 1}.angle.residual",)
    assert all(path.startswith(parts) for path in unused), unused
    assert bool(unused) != sequential
