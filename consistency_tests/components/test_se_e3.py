"""``se_e3`` against plain loops, and what is special about it."""

import numpy as np
import pytest
from example_models import BY_NAME
from harness import Backend, Way, assert_close, assert_same, engine_of
from test_independent import neighbours, run_net, switch

from dpcore.compress import compress
from dpcore.descriptors import SeE3
from dpcore.formats import Document
from dpcore.frames import Frame
from dpcore.infer import DeepPot
from dpcore.infer.engine import TreeEngine
from dpcore.infer.evaluator import Evaluator
from dpcore.registry import format_of
from dpcore.settings import build_model
from examples.se_e3 import EXAMPLES, example


def vectors_of(model, frame, atom):
    """Return the normalised vectors in the places of each type."""
    d, centre = model.descriptor, frame.types[atom]
    around = neighbours(frame, atom, d.rcut)[: sum(d.sel)]
    found, place = [], 0
    for kind, size in enumerate(d.sel):
        present = [n for n in around if n[1] == kind][:size]
        excluded = {(centre, kind), (kind, centre)} & set(d.exclude_types)
        rows = []
        for slot in range(size):
            row = np.zeros(3)
            if slot < len(present):
                r, _, vector = present[slot]
                row = switch(r, d.rcut_smth, d.rcut) * vector / (r + d.env_protection) ** 2
            row = (row - d.davg[centre, place, 1:]) / d.dstd[centre, place, 1:]
            rows.append(0.0 * row if excluded and slot < len(present) else row)
            place += 1
        found.append(rows)
    return found


def angular_sum(model, frame, atom):
    """Return Σ θ G(θ)/N_a N_b over all pairs of places."""
    d, vectors = model.descriptor, vectors_of(model, frame, atom)
    total, number = np.zeros(d.neuron[-1]), 0
    for b in range(len(d.sel)):
        for a in range(b + 1):
            for first in vectors[a]:
                for second in vectors[b]:
                    angle = first @ second
                    features = np.array(run_net(d.nets[number], [angle]))
                    total += angle * features / (d.sel[a] * d.sel[b])
            number += 1
    return total


@pytest.mark.parametrize("one", EXAMPLES, ids=str)
def test_descriptors(one):
    model, frame = one.double(), one.frame()
    potential = DeepPot.from_document(Document(model), Backend.NUMPY.adapter(), tables=False)
    found = potential.eval_descriptor(frame.coord[None], frame.cell[None], frame.types)[0]
    atoms = [0, 1, 6]
    assert_close(found[atoms], [angular_sum(model, frame, atom) for atom in atoms], 1e-12)


@pytest.mark.parametrize(("name", "full"), [("se_e3_plain", False), ("se_e3_by_place", True)])
def test_empty_places_are_laid_out_where_they_matter(name, full):
    (selection,) = BY_NAME[name].model.selections
    assert selection.full is full


def close_pair(distance):
    """Return eight atoms of which two are that close to each other."""
    rng = np.random.default_rng(5)
    sites = np.stack(np.meshgrid([0.0, 1.6], [0.0, 1.7], [0.0, 1.8]), axis=-1).reshape(-1, 3)
    coord = sites + rng.normal(0.0, 0.05, (8, 3))
    coord[1] = coord[0] + distance * np.array([0.6, 0.64, 0.48])
    return Frame(coord, np.array([0, 1, 0, 1, 1, 0, 1, 0]))


def tabulated(model, backend=Backend.NUMPY):
    """Return an engine that evaluates by tables, which are for those who ask: there are no kernels."""
    assert engine_of(model, backend, way=Way.TABLES)._default.reach == 0
    return TreeEngine(model, backend.adapter(), tables=True)


@pytest.mark.parametrize(("distance", "beyond"), [(0.501, 0), (0.3, 2)])
def test_tables_reach_down_to_half_an_angstrom(distance, beyond, framework, predict):
    model, frame = example("close", {"resnet_dt": True}).model, close_pair(distance)
    engine = tabulated(model, framework)
    assert 0.4 < engine._default.reach <= 0.5
    (exact,), (found,) = predict(model, [frame]), Evaluator(model, engine).predict([frame])
    assert_same({key: found[key] for key in exact}, exact, 1e-11)
    assert engine.beyond_tables == beyond


def test_compressed_tables_go_on_at_both_ends(predict):
    model = example("compressed", {}).model
    compression = compress(model, shortest=0.9)
    assert 0.35 < compression.reach <= 0.9 / np.sqrt(5.0)
    for tables in compression.model.descriptor.nets:
        below, usual, above = tables.segments
        assert usual is tables.usual
        assert below.upper == pytest.approx(usual.lower, rel=1e-12)
        assert above.lower == usual.upper
        assert usual.lower == -usual.upper
        assert tables.lower == pytest.approx(5 * usual.lower, rel=0.1)
        assert tables.upper == pytest.approx(5 * usual.upper, rel=0.1)
    assert compression.first.value_error <= 1.5e-14
    assert compression.second.value_error <= 2e-10
    frame = close_pair(0.55)
    (exact,), (found,) = (predict(m, [frame]) for m in (model, compression.model))
    assert_same(found, exact, 1e-8)
    assert np.abs(found["force"] - exact["force"]).max() > 1e-13


def test_a_compressed_file(tmp_path, predict):
    model = compress(BY_NAME["se_e3_plain"].model).model
    path = tmp_path / "model.dp"
    format_of(path).write(path, Document(model))
    frame = BY_NAME["se_e3_plain"].frame()
    (exact,) = predict(BY_NAME["se_e3_plain"].model, [frame])
    (found,) = predict(format_of(path).read(path).model, [frame])
    assert_same(found, exact, 1e-11)


@pytest.mark.parametrize("name", ["se_at", "se_a_3be", "se_t"])
def test_its_other_names(name):
    settings = {
        "type_map": ["O", "H", "C"],
        "descriptor": {"type": name, "sel": [3, 4, 1]},
        "fitting_net": {"neuron": [4]},
    }
    model = build_model(settings, seed=1)
    assert isinstance(model.descriptor, SeE3)
    assert len(model.descriptor.nets) == 6
