"""``se_a_tpe`` and ``se_a_ebd_v2`` against plain loops, and the section of a model that asks for them."""

import numpy as np
import pytest
from harness import Backend, Way, assert_close, assert_same, engine_of
from test_independent import neighbours, run_net, switch

from dpcore.descriptors import Hybrid, SeAEbdV2, SeATpe, SeE2R, WithTypes
from dpcore.errors import DPError
from dpcore.formats import Document
from dpcore.infer import DeepPot
from dpcore.models import StandardModel
from dpcore.nn import MLP
from dpcore.nn.known import scaled, with_known
from dpcore.settings import build_model
from examples.se_a_ebd_v2 import EXAMPLES as STRIPPED
from examples.se_a_tpe import EXAMPLES as TOLD
from examples.se_a_tpe import embedding

MODELS = [e for e in [*TOLD, *STRIPPED] if isinstance(e.model.descriptor, SeATpe | SeAEbdV2)]


def features_of_types(types):
    """Return the features of all types and, last, of none."""
    given = np.eye(len(types.type_map)) if types.configurations is None else types.configurations
    layers = [
        layer if layer.bias is not None else layer.with_(bias=np.zeros(layer.weight.shape[1]))
        for layer in types.net.layers
    ]
    rows = [run_net(MLP(layers=tuple(layers)), row) for row in given]
    return np.array([*rows, [0.0] * len(rows[0])])


def embedded(d, features, s, kind, centre):
    """Return what a place of a type, or an empty one of type -1, is embedded as."""
    told = [*features[kind], *([] if d.type_one_side else features[centre])]
    if isinstance(d, SeATpe):
        return np.array(run_net(d.nets[0], [s, *told]))
    return np.array(run_net(d.nets[0], [s])) * (1.0 + np.array(run_net(d.nets[1], told)))


def description(d, frame, atom):
    """Return (Σ g rᵀ)(Σ r g<ᵀ)/N² of an atom, and behind it the features of its type."""
    centre, features = frame.types[atom], features_of_types(d.type_embedding)
    around = neighbours(frame, atom, d.rcut)
    moments, place = np.zeros((d.neuron[-1], 4)), 0
    for kind, size in enumerate(d.sel):
        # The nearest of each type, however many there are of others.
        present = [n for n in around if n[1] == kind][:size]
        excluded = {(centre, kind), (kind, centre)} & set(d.exclude_types)
        for slot in range(size):
            row, there = np.zeros(4), slot < len(present)
            if there:
                r, _, vector = present[slot]
                s = switch(r, d.rcut_smth, d.rcut) / (r + d.env_protection)
                row = np.array([s, *(s * vector / (r + d.env_protection))])
            row = (row - d.davg[centre, place]) / d.dstd[centre, place]
            place += 1
            if excluded and there:
                continue
            # Only where the two networks are apart does an empty place know that it is empty.
            known = kind if there or isinstance(d, SeATpe) else -1
            moments += embedded(d, features, row[0], known, centre)[:, None] * row
    moments /= place
    products = moments @ moments[: d.axis_neuron].T
    return [*products.ravel(), *features[centre]]


@pytest.mark.parametrize("periodic", [True, False], ids=["periodic", "open"])
@pytest.mark.parametrize("example", MODELS, ids=str)
def test_descriptors(example, periodic):
    model, frame = example.double(), example.frame(periodic=periodic)
    model = model if model.output.total == "energy" else with_energy(model)
    potential = DeepPot.from_document(Document(model), Backend.NUMPY.adapter(), tables=False)
    cell = frame.cell[None] if periodic else None
    parameters = {k: getattr(frame, k) for k in ("fparam", "aparam")}
    parameters = {k: v[None] for k, v in parameters.items() if v is not None}
    found = potential.eval_descriptor(frame.coord[None], cell, frame.types, **parameters)[0]
    truth = [description(model.descriptor, frame, atom) for atom in range(len(frame.types))]
    assert_close(found, truth, 1e-12)


def with_energy(model):
    """Return a model of the energy with the same descriptor."""
    from dpcore.fittings import EnergyFitting

    fitting = EnergyFitting.create(
        np.random.default_rng(0),
        ntypes=len(model.type_map),
        width=model.descriptor.width,
        mixed_types=True,
        neuron=(3,),
    )
    return StandardModel.create(model.descriptor, fitting, type_map=model.type_map)


@pytest.mark.parametrize("way", [Way.NETS, Way.TABLES], ids=str)
@pytest.mark.parametrize(
    "example", [e for e in [*TOLD, *STRIPPED] if "plain" in e.name or "hybrid" in e.name], ids=str
)
def test_kernels_and_tables(example, way, predict):
    fused = engine_of(example.model, Backend.NUMPY, way=way)._default.model.is_fused
    # Kernels of networks know no factor behind them.
    assert fused == (way is Way.TABLES or "ebd_v2" not in example.name)
    frame = example.frame()
    expected, found = (
        predict(example.model, [frame])[0],
        predict(example.model, [frame], way=way)[0],
    )
    assert_same(found, expected, 1e-11)


def test_known_inputs():
    """A network of five numbers, four of them known, with a first layer that adds its input or not."""
    rng = np.random.default_rng(0)
    known, s = rng.normal(size=4), rng.normal(size=(7, 1))
    for first in (5, 10, 2, 1, 6):
        net = MLP.create(
            5, (first, 6), rng, resnet_dt=True, activation_function="tanh", precision="float64"
        )
        told = with_known(net, known)
        assert told.widths == (1, 6)
        whole = np.concatenate([s, np.broadcast_to(known, (7, 4))], axis=1)
        assert_close(told(s), net(whole), 1e-14)
        factor = rng.normal(size=6)
        assert_close(scaled(told, factor)(s), net(whole) * factor, 1e-14)


SMALL = {"neuron": [4, 8], "sel": [10, 12], "rcut": 3.2}


def build(descriptor, section=None, fitting=None):
    model = {
        "type_map": ["O", "H"],
        "descriptor": SMALL | descriptor,
        "fitting_net": {"neuron": [3]} | (fitting or {}),
    }
    return build_model(model if section is None else model | {"type_embedding": section}, seed=1)


def test_section_makes_se_e2_a_of_all_types():
    model = build({"type": "se_a", "type_one_side": True}, {"neuron": [2, 4], "resnet_dt": True})
    d = model.descriptor
    assert isinstance(d, SeATpe)
    assert d.type_one_side
    assert (d.type_embedding.neuron, d.type_embedding.resnet_dt) == ((2, 4), True)
    assert d.type_embedding.activation_function == "tanh"
    assert d.width == 8 * 4 + 4
    assert len(model.fitting.nets) == 1
    assert model.fitting.nets[0].widths[0] == d.width


def test_without_a_section_descriptors_embed_types_by_themselves():
    told = build({"type": "se_a_ebd", "type_nchanl": 5, "type_nlayer": 3}).descriptor.type_embedding
    assert (told.neuron, told.activation_function) == ((5, 5, 5), "tanh")
    default = build({"type": "se_a_tpe_v2"}).descriptor.type_embedding
    assert (default.neuron, default.activation_function) == ((8,), "none")
    section = {"neuron": [3], "use_tebd_bias": True}
    given = build({"type": "se_a_ebd_v2"}, section).descriptor.type_embedding
    assert (given.neuron, given.activation_function, given.use_tebd_bias) == ((3,), "tanh", True)


def test_section_of_a_hybrid_descriptor_is_shared():
    children = [SMALL | {"type": "se_e2_a"}, SMALL | {"type": "se_e2_r"}]
    whole = {"type": "hybrid", "list": children}
    model = build_model(
        {
            "type_map": ["O", "H"],
            "descriptor": whole,
            "fitting_net": {"neuron": [3]},
            "type_embedding": {"neuron": [2]},
        }
    )
    d = model.descriptor
    assert isinstance(d, WithTypes)
    assert isinstance(d.descriptor, Hybrid)
    assert [type(child) for child in d.descriptor.children] == [SeATpe, SeE2R]
    assert d.width == 8 * 4 + 8 + 2
    assert d.descriptor.children[0].type_embedding is d.type_embedding


def test_section_of_another_descriptor_is_for_the_fitting():
    d = build({"type": "se_e2_r"}, {"neuron": [2]}).descriptor
    assert isinstance(d, WithTypes)
    assert d.width == 8 + 2
    assert d.mixed_types


@pytest.mark.parametrize(
    ("descriptor", "section", "message"),
    [
        (
            {"type": "se_a_tpe", "type_nlayer": 0},
            None,
            "descriptor.type_nlayer: 0 must be positive",
        ),
        ({"type": "se_a_tpe", "numb_aparam": 2}, None, "descriptor.numb_aparam: 2"),
        (
            {"type": "se_e2_a", "sel": [3]},
            {},
            "descriptor.sel: has numbers for 1 types, the type embedding has 2",
        ),
        ({"type": "se_e2_a", "exclude_types": [[0, 2]]}, {}, "exclude_types"),
        ({"type": "se_e2_a"}, {"neuron": []}, "type_embedding.neuron: [] must hold"),
        ({"type": "se_e2_a"}, {"width": 3}, "width"),
        ({"type": "with_types"}, None, "with_types"),
    ],
)
def test_mistakes_name_the_key(descriptor, section, message):
    with pytest.raises(DPError) as error:
        build(descriptor, section)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_mask_is_told_no_types():
    fitting = {"numb_aparam": 1, "use_aparam_as_mask": True}
    descriptor = {"type": "se_a_mask", "sel": [4, 7], "neuron": [4]}
    model = {"type_map": ["O", "H"], "descriptor": descriptor, "fitting_net": fitting}
    build_model(model)
    with pytest.raises(DPError, match=r"model\.type_embedding: a descriptor of type 'se_a_mask'"):
        build_model(model | {"type_embedding": {}})


def test_types_must_fit():
    rng, types = np.random.default_rng(0), embedding(1, 3)
    with pytest.raises(DPError, match="has numbers for 2 types, the type embedding has 3"):
        SeATpe.create(rng, sel=(3, 4), type_embedding=types)
