"""Last hidden layers and facts of models inside models."""

import numpy as np
import pytest

from dpcore.errors import DPError
from dpcore.formats import Document
from dpcore.infer import DeepPot
from dpcore.models import LinearModel, ZBLModel
from dpcore.models.survey import models_in, parameter_counts, unselected_types
from dpcore.registry import backend
from examples import composites

SWITCH = {"sw_rmin": 1.1, "sw_rmax": 2.7}


def potential(model):
    return DeepPot.from_document(Document(model), backend("numpy"), tables=False)


def frames(types):
    coord = np.random.default_rng(0).uniform(0.0, 4.0, (2, len(types), 3))
    return coord, np.diag([5.0, 5.2, 4.9]), types


@pytest.fixture(scope="module")
def inner():
    """A model of three types, C, H and O, without an energy for H."""
    return composites.THREE


@pytest.fixture(scope="module")
def outer(inner):
    """The same inside another, which knows O and H only."""
    names = {"type_map": ("O", "H")}
    return ZBLModel.create(model=inner, table=composites.table(sel=22), **names, **SWITCH)


def test_the_last_layer_is_that_of_the_model_inside_with_its_own_types(inner, outer):
    types = np.array([0, 1, 1, 0, -1])
    found = potential(outer).eval_embedding(*frames(types), dtype="fp64")
    renamed = np.array([2, 1, -1])[types]
    known = potential(inner).eval_embedding(*frames(renamed), dtype="fp64")
    np.testing.assert_allclose(found[0], known[0], rtol=0, atol=1e-14)
    np.testing.assert_allclose(found[1], known[1], rtol=0, atol=1e-14)
    assert np.abs(found[1]).max() > 1e-3
    # Which atoms count is what the outer model says.
    np.testing.assert_allclose(found[2], known[1].sum(axis=1), rtol=0, atol=1e-13)


def test_a_table_has_no_networks():
    table = potential(composites.table())
    with pytest.raises(DPError, match="a model of type 'pairtab' has no fitting network"):
        table.eval_fitting_last_layer(*frames([0, 1]))


def test_a_type_counts_if_a_part_says_so(inner, outer):
    assert unselected_types(inner) == {1}
    assert unselected_types(outer) == frozenset()
    alone = LinearModel.create(models=(inner,), type_map=("H", "O"), weights="sum")
    assert unselected_types(alone) == {0}
    assert unselected_types(outer.with_(atom_exclude_types=(0,))) == {0}


def test_parts_are_counted_one_by_one(inner, outer):
    own, whole = parameter_counts(inner), parameter_counts(outer)
    assert whole["models.0.descriptor"] == own["descriptor"]
    assert whole["models.0.fitting-net"] == own["fitting-net"]
    assert whole["total"] == own["total"]
    nested = LinearModel.create(models=(outer, inner), type_map=("O", "H"), weights=(0.5, 0.5))
    assert [m.type_name for m in models_in(nested)] == ["zbl", "standard"]
    counts = parameter_counts(nested)
    assert counts["models.0.models.0.fitting-net"] == counts["models.1.fitting-net"]
    assert counts["total"]["total"] == 2 * own["total"]["total"]


def test_a_sum_has_the_descriptors_of_its_first_model_that_has_some(inner):
    table = composites.table(type_map=inner.type_map)
    parts = (table, inner)
    whole = LinearModel.create(models=parts, type_map=("O", "C", "H"), weights="mean")
    types = np.array([0, 1, 2, 2, 0])
    found = potential(whole).eval_embedding(*frames(types), dtype="fp64")
    known = potential(inner).eval_embedding(*frames(np.array([2, 0, 1])[types]), dtype="fp64")
    for one, other in zip(found[:2], known[:2], strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-14)
    alone = LinearModel.create(models=(table,), type_map=("O", "C"), weights="sum")
    with pytest.raises(DPError, match="a model of type 'linear_ener' has no descriptor"):
        potential(alone).eval_descriptor(*frames(np.array([0, 1])))
