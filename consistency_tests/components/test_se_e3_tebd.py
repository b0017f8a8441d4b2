"""``se_e3_tebd`` against plain loops, and what is special about it."""

import numpy as np
import pytest
from example_models import BY_NAME
from harness import Backend, assert_descriptors, assert_same
from test_independent import neighbours, run_net, switch

from dpcore.compress import compress
from dpcore.errors import DPError
from dpcore.formats import Document
from dpcore.fused.table import TabulatedNet
from dpcore.infer.engine import TreeEngine
from dpcore.infer.evaluator import Evaluator
from dpcore.registry import format_of
from dpcore.settings import build_model
from examples.se_e3_tebd import EXAMPLES, STRIP, example


def places_of(model, frame, atom):
    """Return (vector, type, switch) of every place; an empty one has the type of the frame's first atom."""
    d, centre = model.descriptor, frame.types[atom]
    around = neighbours(frame, atom, d.rcut)
    found = []
    for place in range(np.sum(d.sel)):
        row, kind, weight, here = np.zeros(3), frame.types[0], 0.0, place < len(around)
        if here:
            r, kind, vector = around[place]
            weight = switch(r, d.rcut_smth, d.rcut)
            row = weight * vector / (r + d.env_protection) ** 2
        row = (row - d.davg[centre, place, 1:]) / d.dstd[centre, place, 1:]
        excluded = here and {(centre, kind), (kind, centre)} & set(d.exclude_types)
        found.append((0.0 * row if excluded else row, kind, weight))
    return found


def angular_sum(model, frame, atom):
    """Return Σ θ G/N² over all pairs of places, and the features of the centre's type."""
    d, places = model.descriptor, places_of(model, frame, atom)
    types = d.type_embedding()
    total = np.zeros(d.neuron[-1])
    for first, a, w in places:
        for second, b, v in places:
            angle = first @ second
            told = [*types[a], *types[b]]
            if d.tebd_input_mode == "concat":
                features = np.array(run_net(d.nets[0], [angle, *told]))
            else:
                factor = w * v if d.smooth else 1.0
                features = np.array(run_net(d.nets[0], [angle]))
                features = features * (1.0 + np.array(run_net(d.type_net, told)) * factor)
            total += angle * features / len(places) ** 2
    return [*total, *(types[frame.types[atom]] if d.concat_output_tebd else [])]


UNUSUAL = [
    example("unusual_concat", {"set_davg_zero": False}, by_place=True),
    example("unusual_rough", {**STRIP, "smooth": False, "set_davg_zero": False}, by_place=True),
]


@pytest.mark.parametrize("periodic", [True, False], ids=["periodic", "open"])
@pytest.mark.parametrize("one", EXAMPLES + UNUSUAL, ids=str)
def test_descriptors(one, periodic):
    frames = [one.frame(periodic=periodic, seed=seed) for seed in (0, 1)]
    assert_descriptors(one.double(), frames, angular_sum)


@pytest.mark.parametrize("name", ["se_e3_tebd_concat", "se_e3_tebd_strip_by_place"])
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


@pytest.mark.parametrize(("ntypes", "tabulated"), [(3, True), (9, False)])
def test_pairs_of_few_types_have_tables(ntypes, tabulated):
    settings = {
        "type_map": ["H", "He", "Li", "Be", "B", "C", "N", "O", "F"][:ntypes],
        "descriptor": {"type": "se_e3_tebd", "sel": 8, "neuron": [4, 4]},
        "fitting_net": {"neuron": [4]},
    }
    model = build_model(settings, seed=1)
    ready = TreeEngine(model, Backend.NUMPY.adapter(), tables=True)._default.model
    assert isinstance(ready.descriptor.nets[0], TabulatedNet) is tabulated


@pytest.mark.parametrize("name", ["concat", "concat_wide", "strip_by_place"])
def test_tables_are_lossless(name, framework, predict):
    one = BY_NAME[f"se_e3_tebd_{name}"]
    engine = TreeEngine(one.model, framework.adapter(), tables=True)
    assert 0.4 < engine._default.reach <= 0.5
    (exact,) = predict(one.model, [one.frame()])
    (found,) = Evaluator(one.model, engine).predict([one.frame()])
    assert_same({key: found[key] for key in exact}, exact, 1e-11)


def refused(**changes):
    settings = {
        "type_map": ["O", "H"],
        "descriptor": {"type": "se_e3_tebd", "sel": 8, "neuron": [4]} | changes,
        "fitting_net": {"neuron": [4]},
    }
    with pytest.raises(DPError) as caught:
        build_model(settings, seed=1)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_bad_settings():
    assert "tebd_input_mode" in refused(tebd_input_mode="stripe")
    assert "sel" in refused(sel=0)
    assert "tebd_dim" in refused(tebd_dim=0)
    assert "exclude_types" in refused(exclude_types=[[0, 2]])
    assert "axis_neuron" in refused(axis_neuron=4)


def test_settings_that_the_networks_contradict():
    descriptor = BY_NAME["se_e3_tebd_concat"].model.descriptor
    with pytest.raises(DPError, match="use_tebd_bias"):
        descriptor.with_(use_tebd_bias=False)
    with pytest.raises(DPError, match=r"type_net|nets"):
        descriptor.with_(tebd_input_mode="strip")
