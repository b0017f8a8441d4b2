"""``se_atten`` and ``se_atten_v2`` against plain loops, and what is special about them."""

import dataclasses as dc
import math

import numpy as np
import pytest
from example_models import BY_NAME
from harness import Backend, Way, assert_close, assert_descriptors, assert_same, engine_of
from numpy.polynomial.legendre import Legendre
from test_independent import neighbours, run_net, switch

from dpcore.compress import compress
from dpcore.descriptors import SeAtten
from dpcore.descriptors.attended import AttendedDescriptor
from dpcore.descriptors.paired import PairedMoments
from dpcore.errors import DPError
from dpcore.formats import Document
from dpcore.frames import Frame
from dpcore.nn.electrons import SYMBOLS, configuration_vector, occupation
from dpcore.nn.type_embedding import TypeEmbedding
from dpcore.registry import format_of
from dpcore.settings import build_model
from examples.se_atten import EXAMPLES, SMOOTH, STRIP, example


def places_of(model, frame, atom):
    """Return (row, vector, type, switch, counts) of every place of an atom."""
    d, centre = model.descriptor, frame.types[atom]
    around, found = neighbours(frame, atom, d.rcut), []
    for place in range(np.sum(d.sel)):
        row, vector, kind, weight = np.zeros(4), np.zeros(3), frame.types[0], 0.0
        here = place < len(around)
        if here:
            r, kind, vector = around[place]
            weight, near = switch(r, d.rcut_smth, d.rcut), r + d.env_protection
            row = weight / near * np.array([1.0, *(vector / near)])
        row = (row - d.davg[centre, place]) / d.dstd[centre, place]
        if here and {(centre, kind), (kind, centre)} & set(d.exclude_types):
            row, weight, here = 0.0 * row, 0.0, False
        found.append((row, vector, kind, weight, here))
    return found


def embedded(d, types, row, pair, weight):
    told = [*types[pair[0]], *([] if d.type_one_side else types[pair[1]])]
    if d.type_net is None:
        return np.array(run_net(d.nets[0], [row[0], *told]))
    factor = np.array(run_net(d.type_net, told)) * (weight if d.smooth else 1.0)
    return np.array(run_net(d.nets[0], [row[0]])) * (1.0 + factor)


def softmax(values):
    odds = np.exp(values - np.max(values))
    return odds / odds.sum()


def attended(d, layer, features, places):
    """Let each place attend to all places, one after another."""
    hidden = d.attn
    scale = d.temperature if d.temperature is not None else 1 / math.sqrt(hidden * d.scaling_factor)
    parts = [f @ layer.in_proj.weight + layer.in_proj.bias for f in features]
    q, k, v = ([p[i * hidden : (i + 1) * hidden] for p in parts] for i in range(3))
    if d.normalize:
        q, k, v = ([x / np.linalg.norm(x) for x in rows] for rows in (q, k, v))
    rows = [row[1:] / max(np.linalg.norm(row[1:]), 1e-12) for row, *_ in places]
    out = []
    for i, (_, _, _, w, here) in enumerate(places):
        logits = np.array([scale * (q[i] @ key) for key in k])
        if d.smooth:
            weights = np.array([w * place[3] for place in places])
            attention = softmax((logits + 20.0) * weights - 20.0) * weights
        elif here:
            there = [place[4] for place in places]
            attention = softmax(np.where(there, logits, -np.inf))
        else:
            attention = np.zeros(len(places))
        for j in range(len(places)):
            angle = rows[i] @ rows[j] if d.attn_dotr else 1.0
            attention[j] *= 0.0 if d.attn_mask and i == j else angle
        mixed = sum(a * value for a, value in zip(attention, v, strict=True))
        x = features[i] + mixed @ layer.out_proj.weight + layer.out_proj.bias
        x = (x - x.mean()) / math.sqrt(x.var() + (1e-5 if d.ln_eps is None else d.ln_eps))
        out.append(x * layer.norm.scale + layer.norm.shift)
    return out


def products(d, first, second, centre):
    """Return what the rows of two places contribute to products, degrees above 1 included."""
    (a, u, _, w, _), (b, v, _, x, _) = first, second
    total = a @ b
    if d.lmax == 1 or 0.0 in {w, x}:
        return total
    r, s = np.linalg.norm(u), np.linalg.norm(v)
    near, far = r + d.env_protection, s + d.env_protection
    std = d.dstd[centre, 0, 0]
    radial = w / near / std * x / far / std
    for degree, gain in zip(range(2, d.lmax + 1), d.degree_gain, strict=True):
        angular = Legendre.basis(degree)(u @ v / r / s)
        total += gain**2 * radial * (r / near * s / far) ** degree * angular
    return total


def described(model, frame, atom):
    """Return the descriptor of an atom: Σ_jk g_j g_k< (R_j · R_k) / N²."""
    d, centre, places = model.descriptor, frame.types[atom], places_of(model, frame, atom)
    types = d.type_embedding()
    features = [embedded(d, types, row, (kind, centre), w) for row, _, kind, w, _ in places]
    for layer in d.attention:
        features = attended(d, layer, features, places)
    total = np.zeros((d.neuron[-1], d.axis_neuron))
    for first, g in zip(places, features, strict=True):
        for second, h in zip(places, features, strict=True):
            total += products(d, first, second, centre) * np.outer(g, h[: d.axis_neuron])
    own = types[centre] if d.concat_output_tebd else []
    return [*(total / len(places) ** 2).ravel(), *own]


UNUSUAL = [
    example("unusual_concat", {**SMOOTH, "set_davg_zero": False}),
    example("unusual_by_place", {"set_davg_zero": False, "attn_layer": 2}, by_place=True),
    example("unusual_strip", {**STRIP, "set_davg_zero": False, "exclude_types": ((0, 0),)}),
    example("unusual_alone", {"attn_layer": 0, "set_davg_zero": False}),
    example("unusual_factor", {**STRIP, "attn_layer": 0, "set_davg_zero": False}),
    example("unusual_mask", {**SMOOTH, "attn_mask": True, "attn_dotr": False, "temperature": 90.0}),
    example("unusual_logits", {"temperature": -60.0, "type_one_side": True}, gain=3.0),
]


@pytest.mark.parametrize("periodic", [True, False], ids=["periodic", "open"])
@pytest.mark.parametrize(
    "one", [e for e in EXAMPLES if e.precision != "float16"] + UNUSUAL, ids=str
)
def test_descriptors(one, periodic):
    frames = [one.frame(periodic=periodic, seed=seed) for seed in (0, 1)]
    assert_descriptors(one.double(), frames, described)


@pytest.mark.parametrize("one", UNUSUAL, ids=str)
def test_nothing_changes_when_a_model_is_made_ready(one, predict, monkeypatch):
    frames = [one.frame(), one.frame(periodic=False)]
    expected = predict(one.double(), frames)
    monkeypatch.setattr(AttendedDescriptor, "prepared", lambda self, **_: self)
    for result, wanted in zip(predict(one.double(), frames), expected, strict=True):
        assert_same(result, wanted, 1e-12)


ALONE = [e for e in [*EXAMPLES, *UNUSUAL] if not e.model.descriptor.attention]


@pytest.mark.parametrize("way", [Way.NETS, Way.TABLES], ids=str)
@pytest.mark.parametrize("one", ALONE, ids=str)
def test_kernels_sum_where_there_is_no_attention(one, way, predict):
    """Types are parts of networks of one number; places without a neighbour are those of all types."""
    model, frames = one.double(), [one.frame(), one.frame(periodic=False)]
    # The second frame begins with an atom of another type.
    frames[1] = dc.replace(frames[1], types=np.roll(frames[1].types, 3))
    expected = predict(model, frames)
    for result, wanted in zip(predict(model, frames, way=way), expected, strict=True):
        assert_same(result, wanted, 1e-12)
    ready = engine_of(model, Backend.NUMPY, way=way)._default.model.descriptor
    assert isinstance(ready, PairedMoments)
    assert ready.is_fused is (way is Way.TABLES or ready.nets[0].layers[-1].resnet)


@pytest.mark.parametrize("one", [*EXAMPLES, *UNUSUAL], ids=str)
def test_atoms_alone(one, predict):
    """Where no atom has a neighbour there is none of an axis of neighbours either."""
    frame = Frame(np.array([[0.0, 0.0, 0.0], [50.0, 0.0, 0.0]]), np.array([0, 1]))
    (alone,) = predict(one.model, [frame])
    assert np.isfinite(alone["energy"]).all()
    assert not alone["force"].any()
    together = one.with_parameters(Frame(np.array([[0.0, 0.0, 0.0]]), np.array([0])))
    (single,) = predict(one.model, [together])
    assert_close(single["energy"], alone["atom_energy"][0], 1e-3)


@pytest.mark.parametrize("name", ["se_atten_concat", "se_atten_strip_by_place"])
def test_compression(name, tmp_path, predict):
    one = BY_NAME[name]
    compressed = compress(one.model).model
    (tables,) = compressed.descriptor.nets
    assert tables.usual.kinds == (4 if "concat" in name else 1)
    path = tmp_path / "model.dp"
    format_of(path).write(path, Document(compressed))
    (exact,) = predict(one.model, [one.frame()])
    (found,) = predict(format_of(path).read(path).model, [one.frame()])
    assert_same(found, exact, 1e-11)


def built(**changes):
    settings = {
        "type_map": ["O", "H"],
        "descriptor": {"type": "se_atten", "sel": 8, "neuron": [4], "attn": 4} | changes,
        "fitting_net": {"neuron": [4]},
    }
    return build_model(settings, seed=1).descriptor


def refused(**changes):
    with pytest.raises(DPError) as caught:
        built(**changes)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_settings_by_other_names():
    assert type(built(type="dpa1")) is SeAtten
    assert built(smooth_type_embdding=True).smooth
    assert built(stripped_type_embedding=True).type_net is not None
    assert built(tebd_input_mode="strip", stripped_type_embedding=False).type_net is None
    assert built(n_axis_neuron=3).axis_neuron == 3
    assert built(sel=[3, 5]).places == 8


def test_bad_settings():
    assert "tebd_input_mode" in refused(tebd_input_mode="stripe")
    assert "sel" in refused(sel=0)
    assert "tebd_dim" in refused(tebd_dim=0)
    assert "attn:" in refused(attn=0)
    assert "attn_layer" in refused(attn_layer=-1)
    assert "axis_neuron" in refused(axis_neuron=5)
    assert "lmax" in refused(lmax=5)
    assert "scaling_factor" in refused(scaling_factor=0.0)
    assert "ln_eps" in refused(ln_eps=0.0)
    assert "exclude_types" in refused(exclude_types=[[0, 2]])
    assert "smooth_type_embedding" in refused(type="se_atten_v2", smooth_type_embedding=True)
    assert "tebd_input_mode" in refused(type="se_atten_v2", tebd_input_mode="concat")


def test_networks_that_the_settings_contradict():
    descriptor = BY_NAME["se_atten_concat"].model.descriptor
    with pytest.raises(DPError, match="attn_layer"):
        descriptor.with_(attn_layer=1)
    with pytest.raises(DPError, match=r"attention\.0"):
        descriptor.with_(attn=3)
    with pytest.raises(DPError, match=r"attention\.0"):
        descriptor.with_(ln_eps=1e-3)
    with pytest.raises(DPError, match="degree_gain"):
        descriptor.with_(lmax=2)
    with pytest.raises(DPError, match="stripped_type_embedding"):
        descriptor.with_(stripped_type_embedding=True)


def test_electron_configurations():
    assert len(SYMBOLS) == 118
    assert [sum(occupation(symbol).values()) for symbol in SYMBOLS] == list(range(1, 119))
    assert occupation("Cr")["3d"] == 5
    assert occupation("Cr")["4s"] == 1
    assert occupation("Pd")["5s"] == 0
    assert occupation("U")["5f"] == 3
    # Carbon: 1s² 2s² and two single electrons in three 2p orbitals.
    signs = np.sign(configuration_vector("C"))[:10]
    assert signs.tolist() == [1, 1, 1, 1, -1, 1, -1, 1, -1, -1]
    assert np.sign(configuration_vector("C"))[10:].max() == -1
    assert len({tuple(configuration_vector(symbol)) for symbol in SYMBOLS}) == 118
    assert_close(np.linalg.norm(configuration_vector("Og")), 1.0, 1e-15)


def test_type_embedding_layers():
    rng = np.random.default_rng(1)
    embedding = TypeEmbedding.create(
        rng, type_map=("O", "H"), neuron=(4, 4), resnet_dt=True, use_tebd_bias=True
    )
    rows = [run_net(embedding.net, unit) for unit in ([1.0, 0.0], [0.0, 1.0])]
    assert_close(embedding(), [*rows, [0.0] * 4], 1e-14)
    with pytest.raises(DPError, match="use_tebd_bias"):
        embedding.with_(use_tebd_bias=False)
    with pytest.raises(DPError, match="'D' is no element"):
        TypeEmbedding.create(rng, type_map=("O", "D"), use_econf_tebd=True)
