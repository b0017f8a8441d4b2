"""``se_e2_r`` against plain loops, and what is special about it."""

import numpy as np
import pytest
from example_models import BY_NAME
from harness import Backend, Way, assert_close, assert_same, engine_of
from test_independent import neighbours, run_net, switch

from dpcore.compress import compress
from dpcore.descriptors import SeE2R
from dpcore.errors import DPError
from dpcore.formats import Document
from dpcore.infer import DeepPot
from dpcore.registry import format_of
from dpcore.settings import build_model
from examples.se_e2_r import EXAMPLES


def mean_embedding(model, frame, atom):
    """Return Σ G(s)/5N over all places: empty ones have s = -davg/dstd, excluded neighbours s = 0."""
    d, centre = model.descriptor, frame.types[atom]
    around = neighbours(frame, atom, d.rcut)[: sum(d.sel)]
    total, place = np.zeros(d.neuron[-1]), 0
    for kind, size in enumerate(d.sel):
        present = [n for n in around if n[1] == kind][:size]
        excluded = {(centre, kind), (kind, centre)} & set(d.exclude_types)
        for slot in range(size):
            s = 0.0
            if slot < len(present):
                r = present[slot][0]
                s = switch(r, d.rcut_smth, d.rcut) / (r + d.env_protection)
            s = (s - d.davg[centre, place, 0]) / d.dstd[centre, place, 0]
            place += 1
            if excluded and slot < len(present):
                s = 0.0
            if d.type_one_side:
                total += run_net(d.nets[kind], [s])
            elif not excluded:
                total += run_net(d.nets[centre + len(d.sel) * kind], [s])
    return total / (5 * sum(d.sel))


@pytest.mark.parametrize("periodic", [True, False], ids=["periodic", "open"])
@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_descriptors(example, periodic):
    model, frame = example.double(), example.frame(periodic=periodic)
    potential = DeepPot.from_document(Document(model), Backend.NUMPY.adapter(), tables=False)
    cell = frame.cell[None] if periodic else None
    found = potential.eval_descriptor(frame.coord[None], cell, frame.types)[0]
    truth = [mean_embedding(model, frame, atom) for atom in range(len(frame.types))]
    assert_close(found, truth, 1e-12)


@pytest.mark.parametrize("way", [Way.NETS, Way.TABLES], ids=str)
@pytest.mark.parametrize("name", ["se_e2_r_plain", "se_e2_r_float32"])
def test_kernels_sum_ones(name, way, predict):
    """The kernels of environment rows serve here too, with a row of which a component is 1."""
    example = BY_NAME[name]
    assert engine_of(example.model, Backend.NUMPY, way=way)._default.model.is_fused
    frame = example.frame()
    tolerance = 1e-12 if example.precision == "float64" else 1e-5
    (exact,), (found,) = (predict(example.model, [frame], way=w) for w in (Way.PLAIN, way))
    assert_same(found, exact, tolerance)


def test_the_embedding_of_zero_is_within_the_tables(predict):
    """Excluded neighbours are embedded by G(0), which may lie outside what distances give."""
    example = BY_NAME["se_e2_r_one_side_by_place"]
    descriptor = example.model.descriptor.with_(
        davg=example.model.descriptor.davg - 2.0, activation_function="tanh"
    )
    nets = tuple(
        net.with_(layers=tuple(x.with_(activation_function="tanh") for x in net.layers))
        for net in descriptor.nets
    )
    model = example.model.with_(descriptor=descriptor.with_(nets=nets))
    (exact,) = predict(model, [example.frame()])
    (found,) = predict(model, [example.frame()], way=Way.TABLES)
    assert_same(found, exact, 1e-12)
    (found,) = predict(compress(model).model, [example.frame()])
    assert_same(found, exact, 1e-12)


def test_its_other_name():
    settings = {
        "type_map": ["O", "H"],
        "descriptor": {"type": "se_r", "sel": [3, 4], "seed": 1},
        "fitting_net": {"neuron": [4], "seed": 1},
    }
    model = build_model(settings)
    assert isinstance(model.descriptor, SeE2R)
    assert len(model.descriptor.nets) == 4
    settings["descriptor"]["type_one_side"] = True
    assert len(build_model(settings).descriptor.nets) == 2


@pytest.mark.parametrize("fitting", ["dipole", "polar"])
def test_it_has_no_vectors_for_tensors(fitting):
    settings = {
        "type_map": ["O", "H"],
        "descriptor": {"type": "se_e2_r", "sel": [3, 4]},
        "fitting_net": {"type": fitting, "neuron": [4]},
    }
    with pytest.raises(DPError, match=r"se_e2_r|vectors") as caught:
        build_model(settings, seed=1)
    assert "\n" not in str(caught.value)


def test_networks_of_pairs_are_for_dpcore_alone(tmp_path):
    model = BY_NAME["se_e2_r_plain"].model
    path = tmp_path / "model.yaml"
    with pytest.raises(DPError, match="type_one_side"):
        format_of(path).write(path, Document(model))


def test_networks_must_be_as_many_as_the_settings_need():
    descriptor = BY_NAME["se_e2_r_plain"].model.descriptor
    with pytest.raises(DPError, match="4 networks; these settings need 2"):
        descriptor.with_(type_one_side=True)
    with pytest.raises(
        DPError, match=r"davg: shape \(2, 22, 4\); these settings need \(2, 22, 1\)"
    ):
        descriptor.with_(davg=np.zeros((2, 22, 4)))
    with pytest.raises(DPError, match=r"env_protection: -0\.1"):
        descriptor.with_(env_protection=-0.1)
