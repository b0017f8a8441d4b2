"""``dpa2`` against plain loops, and what is special about it."""

import dataclasses as dc
import math
from types import SimpleNamespace

import numpy as np
import pytest
from components import test_se_atten, test_se_e3_tebd
from example_models import BY_NAME
from harness import Backend, assert_close, assert_descriptors, assert_same
from test_independent import ACTIVATIONS, neighbours, run_net, switch
from test_symmetry import orthogonal, turned_frame

from dpcore.compress import compress
from dpcore.descriptors import DPA2
from dpcore.errors import DPError
from dpcore.formats import Document
from dpcore.frames import Frame
from dpcore.fused.table import TabulatedNet
from dpcore.infer import DeepEval
from dpcore.registry import format_of
from dpcore.settings import build_model
from dpcore.tree import inside
from examples.dpa2 import EXAMPLES, THREE_BODY, example


@dc.dataclass
class Pair:
    """A centre and one of its neighbours: the neighbour's number, and what belongs to the two of them."""

    other: int
    there: bool
    switch: float
    g: np.ndarray
    h: np.ndarray


def first_features(d, frame, atom):
    """Return the features of an atom before the first layer, before the activation."""
    known = {k: getattr(d, k) for k in ("type_embedding", "use_econf_tebd", "use_tebd_bias")}
    pairs = SimpleNamespace(descriptor=d.pairs.with_(**known))
    found = test_se_atten.described(pairs, frame, atom)
    if d.triples is not None:
        triples = SimpleNamespace(descriptor=d.triples.with_(**known))
        found = [*found, *test_se_e3_tebd.angular_sum(triples, frame, atom)]
    out = np.array(found) if d.bridge is None else np.array(found) @ d.bridge.weight
    if d.add_tebd_to_repinit_out:
        out = out + d.type_embedding()[frame.types[atom]] @ d.type_bridge.weight
    return out


def numbered(frame, atom, cut):
    """Return (distance, number, vector) of everything around an atom, nearest first."""
    numbers = dc.replace(frame, types=np.arange(len(frame.types)))
    return neighbours(numbers, atom, cut)


def pairs_of(d, frame, atom, phi):
    told, found, centre = d.repformer, [], frame.types[atom]
    excluded = {frozenset(pair) for pair in d.exclude_types}
    nearest = numbered(frame, atom, d.repinit.rcut)[: d.repinit.nsel][: told.nsel]
    around = [n for n in nearest if n[0] < told.rcut]
    for place, (r, other, vector) in enumerate(around):
        near, weight = r + d.env_protection, switch(r, told.rcut_smth, told.rcut)
        row = weight / near * np.array([1.0, *(vector / near)])
        row = (row - d.messages.davg[centre, place]) / d.messages.dstd[centre, place]
        if told.direct_dist:
            row = np.array([r, *vector]) / told.rcut
        there = frozenset((centre, frame.types[other])) not in excluded
        g = np.array(
            [phi(x) for x in run_net(SimpleNamespace(layers=[d.messages.pair_net]), row[:1])]
        )
        found.append(Pair(other, there, weight, g, row[1:]))
    return [pair for pair in found if pair.there]


class Loops:
    """The layers, one number after another."""

    def __init__(self, d):
        self.d, self.told = d, d.repformer
        scalar = ACTIVATIONS[d.repformer.activation_function]
        self.phi = lambda x: np.array([scalar(v) for v in x])
        self.scalar = scalar

    def weight(self, pair):
        return pair.switch if self.d.smooth else 1.0

    def per_number(self, pairs, *, root):
        power = 0.5 if root else 1.0
        if self.d.smooth:
            return 1.0 / self.told.nsel**power
        return 1.0 / (1e-4 + len(pairs) ** power)

    def softmax(self, logits, weights):
        """Attend to the neighbours that are there; where all is smooth the other places count as well."""
        if not self.d.smooth:
            odds = [math.exp(x) for x in logits]
            return [o / sum(odds) for o in odds]
        odds = [math.exp((x + 20.0) * w - 20.0) for x, w in zip(logits, weights, strict=True)]
        total = sum(odds) + (self.told.nsel - len(odds)) * math.exp(-20.0)
        return [o / total * w for o, w in zip(odds, weights, strict=True)]

    def moments(self, pairs, features):
        total = sum(
            (self.weight(p) * np.outer(p.h, f) for p, f in zip(pairs, features, strict=True)),
            start=np.zeros((3, len(features[0]) if features else 1)),
        )
        return total * self.per_number(pairs, root=self.told.use_sqrt_nnei)

    def symmetrised(self, pairs, features, width):
        moments = self.moments(pairs, features) if pairs else np.zeros((3, width))
        axes = moments[:, : self.told.axis_neuron]
        return (axes.T @ moments / 3.0).ravel()

    def summed(self, residual, value, updates):
        style, n = self.told.style.update_style, len(updates)
        if style == "res_avg":
            return (value + sum(updates)) / math.sqrt(n + 1)
        if style == "res_incr":
            return value + sum(updates) / math.sqrt(n)
        return value + sum(w * u for w, u in zip(residual.weights, updates, strict=True))

    def convolution(self, layer, pairs, g1):
        total = 0.0
        for p in pairs:
            other = g1[p.other]
            if self.told.atom.g1_out_conv:
                product = (p.g @ layer.weight) * other
            else:
                product = p.g * (other @ layer.weight)
            total = total + self.weight(p) * product
        width = self.told.g1_dim if self.told.atom.g1_out_conv else self.told.g2_dim
        return (total if pairs else np.zeros(width)) * self.per_number(pairs, root=False)

    def local_attention(self, part, pairs, own, g1):
        nd, nh, width = self.told.atom.attn1_hidden, part.heads, self.told.g1_dim
        queries = (own @ part.queries.weight).reshape(nd, nh)
        both = [(g1[p.other] @ part.keys_values.weight).reshape(nd + width, nh) for p in pairs]
        out = []
        for head in range(nh):
            logits = [queries[:, head] @ kv[:nd, head] / math.sqrt(nd) for kv in both]
            odds = self.softmax(logits, [p.switch for p in pairs])
            out.append(
                sum(
                    (o * kv[nd:, head] for o, kv in zip(odds, both, strict=True)),
                    start=np.zeros(width),
                )
            )
        return np.concatenate(out) @ part.merged.weight + part.merged.bias

    def attention(self, part, pairs):
        """Return the attention of each pair to each by head, ``[head][j][k]``."""
        nd, nh = self.told.pair.attn2_hidden, part.heads
        both = [(p.g @ part.queries_keys.weight).reshape(nd, 2 * nh) for p in pairs]
        maps = []
        for head in range(nh):
            rows = []
            for j, first in enumerate(pairs):
                cosines = [first.h @ p.h for p in pairs]
                logits = [both[j][:, head] @ kv[:, nh + head] / math.sqrt(nd) for kv in both]
                if self.told.pair.attn2_has_gate:
                    logits = [x * c for x, c in zip(logits, cosines, strict=True)]
                odds = self.softmax(logits, [first.switch * p.switch for p in pairs])
                rows.append([o * c / math.sqrt(3) for o, c in zip(odds, cosines, strict=True)])
            maps.append(rows)
        return maps

    def updated_pairs(self, part, pairs, own, g1):
        found = [[self.phi(p.g @ part.alone.weight + part.alone.bias)] for p in pairs]
        vectors = [p.h for p in pairs]
        if part.product is not None:
            for p, updates in zip(pairs, found, strict=True):
                updates.append((own * g1[p.other] * self.weight(p)) @ part.product.weight)
        if part.attention is not None and pairs:
            maps = self.attention(part.attention, pairs)
            width, nh = self.told.g2_dim, part.attention.heads
            if part.heads is not None:
                values = [(p.g @ part.heads.values.weight).reshape(width, nh) for p in pairs]
                for j, updates in enumerate(found):
                    seen = np.zeros((width, nh))
                    for head in range(nh):
                        for k, value in enumerate(values):
                            seen[:, head] += maps[head][j][k] * value[:, head]
                    x = seen.ravel() @ part.heads.merged.weight + part.heads.merged.bias
                    x = (x - x.mean()) / math.sqrt(x.var() + self.told.eps)
                    updates.append(x * part.norm.scale + part.norm.shift)
            if part.turned is not None:
                for j in range(len(pairs)):
                    update = np.zeros(3)
                    for head in range(nh):
                        for k, p in enumerate(pairs):
                            update += part.turned.weight[head, 0] * maps[head][j][k] * p.h
                    vectors[j] = self.summed(part.vector_residual, pairs[j].h, [update])
        sums = [self.summed(part.residual, p.g, u) for p, u in zip(pairs, found, strict=True)]
        return [dc.replace(p, g=g, h=h) for p, g, h in zip(pairs, sums, vectors, strict=True)]

    def updated_atom(self, part, pairs, own, g1):
        atom, updates, given = self.told.atom, [], []
        if atom.g1_out_mlp:
            updates.append(self.phi(own @ part.alone.weight + part.alone.bias))
        else:
            given.append(own)
        if atom.update_g1_has_conv:
            found = self.convolution(part.convolution, pairs, g1)
            (updates if atom.g1_out_conv else given).append(found)
        if atom.update_g1_has_grrg:
            given.append(self.symmetrised(pairs, [p.g for p in pairs], self.told.g2_dim))
        if atom.update_g1_has_drrd:
            others = [g1[p.other] for p in pairs]
            given.append(self.symmetrised(pairs, others, self.told.g1_dim))
        updates.append(self.phi(np.concatenate(given) @ part.merged.weight + part.merged.bias))
        if part.attention is not None:
            updates.append(self.local_attention(part.attention, pairs, own, g1))
        return self.summed(part.residual, own, updates)

    def run(self, frame):
        """Return the features of all atoms and pairs after the last layer."""
        atoms = range(len(frame.types))
        g1 = [self.phi(first_features(self.d, frame, atom)) for atom in atoms]
        pairs = [pairs_of(self.d, frame, atom, self.scalar) for atom in atoms]
        for layer in self.d.messages.layers:
            own = zip(pairs, g1, strict=True)
            updated = [self.updated_atom(layer.atoms, p, x, g1) for p, x in own]
            if layer.pairs is not None:
                own = zip(pairs, g1, strict=True)
                pairs = [self.updated_pairs(layer.pairs, p, x, g1) for p, x in own]
            g1 = updated
        return g1, pairs


KEPT = {}


def described(model, frame, atom):
    """Return the descriptor of an atom; those of all atoms are computed together."""
    d, key = model.descriptor, (id(model), frame.coord.tobytes(), frame.types.tobytes())
    if key not in KEPT:
        KEPT.clear()
        KEPT[key] = model, Loops(d).run(frame)[0]
    own = d.type_embedding()[frame.types[atom]] if d.concat_output_tebd else []
    return [*KEPT[key][1][atom], *own]


UNUSUAL = [
    example("unusual_single", None, {"nlayers": 1}),
    example("unusual_given", atom={"g1_out_mlp": False}, style={"update_style": "res_incr"}),
    example(
        "unusual_outside",
        pair={"update_g2_has_attn": False, "attn2_has_gate": True},
        atom={"update_g1_has_grrg": False, "g1_out_conv": False},
        descriptor={"smooth": False},
    ),
]


@pytest.mark.parametrize("periodic", [True, False], ids=["periodic", "open"])
@pytest.mark.parametrize("one", EXAMPLES + UNUSUAL, ids=str)
def test_descriptors(one, periodic):
    frames = [one.frame(periodic=periodic, seed=seed) for seed in (0, 1)]
    assert_descriptors(one.double(), frames, described)


def updated(model, frame, monkeypatch):
    """Return what all layers make of a frame."""
    found, plain = [], DPA2.updated

    def noted(self, batch, displacement):
        out = plain(self, batch, displacement)
        found.append((out[0], len(batch.natoms)))
        return out

    monkeypatch.setattr(DPA2, "updated", noted)
    potential = DeepEval.from_document(Document(model), Backend.NUMPY.adapter(), tables=False)
    potential.eval_descriptor(frame.coord[None], None, frame.types)
    monkeypatch.undo()
    ((out, _),) = found
    return out


@pytest.mark.parametrize("determinant", [1, -1], ids=["rotation", "reflection"])
@pytest.mark.parametrize("one", [e for e in EXAMPLES if e.isotropic], ids=str)
def test_vectors_turn_with_the_atoms(one, determinant, monkeypatch):
    """Features do not change, and h2 and the frames turn."""
    frame, model, q = one.frame(periodic=False), one.double(), orthogonal(7, determinant)
    here = updated(model, frame, monkeypatch)
    there = updated(model, turned_frame(frame, q), monkeypatch)
    assert np.abs(here.vectors).max() > 0.01
    for key in ("atoms", "pairs"):
        assert_close(getattr(there, key), getattr(here, key), 1e-10, key)
    assert_close(there.vectors[: len(frame.types)], here.vectors[: len(frame.types)] @ q.T, 1e-10)
    assert_close(there.frames, here.frames @ q.T, 1e-10)


@pytest.mark.parametrize("one", EXAMPLES, ids=str)
def test_atoms_alone(one, predict):
    """Where no atom has a neighbour there is none of an axis of neighbours either."""
    frame = Frame(np.array([[0.0, 0.0, 0.0], [50.0, 0.0, 0.0]]), np.array([0, 1]))
    (alone,) = predict(one.model, [frame])
    assert np.isfinite(alone["energy"]).all()
    assert not alone["force"].any()


def test_messages_reach_as_far_as_there_are_layers(predict):
    """In a chain of atoms, each hears of what is as many links away as there are layers, and one more."""
    one = BY_NAME["dpa2_plain"]
    chain = np.array([[2.4 * i, 0.3 * (i % 2), 0.0] for i in range(6)])
    frame, moved = (
        Frame(chain + d, np.array([0, 1, 1, 0, 1, 1])) for d in (0.0, np.zeros_like(chain))
    )
    moved.coord[5] += [0.1, 0.2, 0.1]
    before, after = predict(one.double(), [frame, moved])
    change = np.abs(after["atom_energy"] - before["atom_energy"]).ravel()
    # Two layers and the first description: three links.
    assert not change[:2].any()
    assert change[2:].min() > 1e-12


@pytest.mark.parametrize("name", ["dpa2_strip_three_body", "dpa2_plain"])
def test_compression(name, tmp_path, predict):
    one = BY_NAME[name]
    compressed = compress(one.model).model
    tables = [table for _, table in inside(compressed, TabulatedNet)]
    assert len(tables) == (2 if "three_body" in name else 1)
    path = tmp_path / "model.dp"
    format_of(path).write(path, Document(compressed))
    (exact,) = predict(one.model, [one.frame()])
    (found,) = predict(format_of(path).read(path).model, [one.frame()])
    assert_same(found, exact, 1e-10)


def built(repinit=None, repformer=None, **changes):
    settings = {
        "type_map": ["O", "H"],
        "descriptor": {
            "type": "dpa2",
            "repinit": {"rcut": 4.0, "rcut_smth": 0.5, "nsel": 30, "neuron": [4], "axis_neuron": 2}
            | (repinit or {}),
            "repformer": {"rcut": 3.0, "rcut_smth": 0.5, "nsel": 20, "g1_dim": 6, "g2_dim": 4}
            | (repformer or {}),
        }
        | changes,
        "fitting_net": {"neuron": [4]},
    }
    return build_model(settings, seed=1).descriptor


def refused(*sections, **changes):
    with pytest.raises(DPError) as caught:
        built(*sections, **changes)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_settings():
    found = built(None, {"update_h2": True, "update_style": "res_incr"})
    assert type(found) is DPA2
    assert found.repformer.pair.update_h2
    assert found.repformer.style.update_style == "res_incr"
    assert found.repformer.nlayers == 3
    assert found.width == 6 + 8
    assert built(repformer_add_type_ebd_to_seq=True).type_bridge is not None
    assert built(THREE_BODY | {"three_body_neuron": [2, 4]}).triples is not None


def test_bad_settings():
    assert "repformer.rcut" in refused(None, {"rcut": 4.0})
    assert "repformer.nsel" in refused(None, {"nsel": 30})
    assert "repformer.rcut_smth" in refused(None, {"rcut_smth": 3.0})
    assert "nlayers" in refused(None, {"nlayers": 0})
    assert "axis_neuron" in refused(None, {"axis_neuron": 5})
    assert "update_style" in refused(None, {"update_style": "res_sum"})
    assert "update_residual_init" in refused(None, {"update_residual_init": "zero"})
    assert "attn1_nhead" in refused(None, {"attn1_nhead": 0})
    assert "attn2_hidden" in refused(None, {"attn2_hidden": 0})
    assert "ln_eps" in refused(None, {"ln_eps": 0.0})
    assert "activation_function" in refused(None, {"activation_function": "tanhh"})
    nothing = {"update_g1_has_grrg": False, "update_g1_has_drrd": False}
    assert "g1_out_mlp" in refused(None, nothing)
    assert "update_h3" in refused(None, {"update_h3": True})
    assert "tebd_input_mode" in refused({"tebd_input_mode": "stripe"})
    assert "three_body_rcut" in refused({"use_three_body": True, "three_body_rcut": 4.5})
    few = {"use_three_body": True, "three_body_rcut": 3.5, "three_body_sel": 10}
    assert "three_body_sel" in refused(few)
    assert "exclude_types" in refused(exclude_types=[[0, 2]])


def test_parts_that_the_settings_contradict():
    descriptor = BY_NAME["dpa2_strip_three_body"].model.descriptor
    with pytest.raises(DPError, match="smooth"):
        descriptor.with_(smooth=False)
    with pytest.raises(DPError, match="use_three_body"):
        descriptor.with_(triples=None)
    with pytest.raises(DPError, match="type_bridge"):
        descriptor.with_(add_tebd_to_repinit_out=False)
    told = descriptor.repformer
    with pytest.raises(DPError, match="nlayers"):
        descriptor.with_(repformer=told.with_(nlayers=2))
    with pytest.raises(DPError, match="davg"):
        descriptor.with_(repformer=told.with_(nsel=12))
    for group, key in (("atom", "update_g1_has_conv"), ("pair", "update_h2")):
        settings = getattr(told, group)
        changed = settings.with_(**{key: not getattr(settings, key)})
        with pytest.raises(DPError, match=key):
            descriptor.with_(repformer=told.with_(**{group: changed}))
