"""Composite energies in DeePMD-kit's dictionaries: what they mean, and what has no place in them."""

import copy
from pathlib import Path

import numpy as np
import pytest
from example_models import BY_NAME

from dpcore.errors import DPError
from dpcore.formats import Document
from dpcore.models import FrozenModel, LinearModel, PairTable, StandardModel, ZBLModel
from dpcore.registry import format_of
from dpcore_serialization.deepmd import UnwritableError, read_model, write_model
from examples.composites import SWITCH, THREE, TYPE_EMBEDDED, model, table

DATA = Path(__file__).parents[2] / "consistency_tests" / "data"


def stored(case):
    return format_of("model.dp").read(DATA / case / "model.dp").model


def test_a_sum_is_read_as_it_means():
    whole = stored("linear")
    assert isinstance(whole, LinearModel)
    assert (whole.weights, whole.factors) == ("sum", (1.0, 1.0))
    learned, pairs = whole.models
    assert isinstance(learned, StandardModel)
    assert isinstance(pairs, PairTable)
    assert (pairs.rcut, pairs.sel, pairs.lower, pairs.spacing) == (4.0, 60, 0.005, 0.005)
    assert pairs.cubics.shape == (2, 2, 799, 4)
    # Parts keep their own biases, which count.
    assert all(np.abs(part.out_bias).max() > 0.01 for part in whole.models)


def test_an_interpolation_is_read_as_it_means():
    whole = stored("zbl")
    assert isinstance(whole, ZBLModel)
    assert (whole.sw_rmin, whole.sw_rmax, whole.smin_alpha) == (0.9, 1.4, 0.1)
    assert whole.srtab_add_bias is True


def test_splines_are_those_of_the_stored_table():
    pairs = stored("zbl").models[1]
    again = PairTable.of(
        pairs.rows, tab_file="", rcut=pairs.rcut, sel=pairs.sel, type_map=pairs.type_map
    )
    assert np.abs(again.cubics - pairs.cubics).max() < 1e-11 * np.abs(pairs.cubics).max()
    assert again.grid.tolist() == pairs.grid.tolist()


def test_a_frozen_model_is_written_as_the_model_inside(tmp_path):
    frozen = FrozenModel.of(TYPE_EMBEDDED, "x.dp")
    assert write_model(frozen) == write_model(TYPE_EMBEDDED)
    whole = LinearModel.create(models=(frozen,), type_map=("H", "O"), weights=(2.0,))
    assert write_model(whole)["models"] == [write_model(TYPE_EMBEDDED)]
    path = tmp_path / "model.dp"
    format_of(path).write(path, Document(whole))
    assert isinstance(format_of(path).read(path).model.models[0], FrozenModel)


def plain(name="plain", **settings):
    return model(name, **settings)


def zbl(part, **settings):
    return ZBLModel.create(model=part, table=table(sel=22), **SWITCH | settings)


def total(*parts):
    return LinearModel.create(models=parts, type_map=("O", "H"), weights="sum")


@pytest.mark.parametrize(
    ("whole", "message"),
    [
        (total(TYPE_EMBEDDED, plain()), r"model\.models\.1: the descriptor 'se_e2_a' does not mix"),
        (zbl(plain()), r"model\.models\.0: the descriptor 'se_e2_a' does not mix types"),
        (zbl(TYPE_EMBEDDED, srtab_add_bias=False), r"model\.srtab_add_bias"),
        (
            total(TYPE_EMBEDDED.with_(atom_exclude_types=(1,))),
            r"model\.models\.0\.atom_exclude_types: some of",
        ),
        (
            total(TYPE_EMBEDDED, table(pair_exclude_types=((0, 1),))),
            r"model\.models\.1\.pair_exclude_types: some of",
        ),
        (
            FrozenModel.of(THREE, "three.dp", ("O", "H")),
            r"model\.type_map: \['O', 'H'\] are not all",
        ),
    ],
)
def test_what_deepmd_does_not_know_is_for_dpcore_alone(whole, message, tmp_path):
    with pytest.raises(UnwritableError, match=message):
        write_model(whole)
    path = tmp_path / "model.dp"
    format_of(path).write(path, Document(whole))
    assert type(format_of(path).read(path).model) is type(whole)


def changed(data, place, value):
    out = copy.deepcopy(data)
    *path, last = place
    node = out
    for key in path:
        node = node[key]
    node[last] = value
    return out


TABLE = ("models", 1, "tab")


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("models",), [], r"model\.models: a list of models is expected"),
        (("models", 0, "type"), "spin_ener", r"model\.models\.0"),
        (("weights",), "all", r"model\.weights: 'all' is unknown"),
        (("weights",), 3, r"model\.weights: 3 is not of the expected kind"),
        (("preset_out_bias",), {"dos": [1, 2]}, r"model\.preset_out_bias: a table with the key"),
        (("colour",), "red", r"model: the key 'colour' is not supported"),
        (("@version",), 4, r"model: @version 4 is not understood"),
        (
            ("models", 1, "rcut"),
            "far",
            r"model\.models\.1\.rcut: 'far' is not of the expected kind",
        ),
        ((*TABLE, "kind"), 1, r"model\.models\.1\.tab: the key 'kind'"),
        ((*TABLE, "@variables", "tab_info"), np.ones(3), "tab_info: four finite numbers"),
        ((*TABLE, "@variables", "tab_info"), np.array([0, 1, 7.0, 2]), "tab_data: 1904 numbers"),
        ((*TABLE, "@variables", "tab_info"), np.array([0, -1.0, 119, 2]), r"model\.spacing: -1"),
        ((*TABLE, "@variables", "vdata"), np.ones((3, 4)), r"model\.rows: shape \(3, 4\)"),
    ],
)
def test_damage_is_named(place, value, message):
    data = write_model(BY_NAME["linear_ener_mixed"].model)
    with pytest.raises(DPError, match=message) as caught:
        read_model(changed(data, place, value))
    assert "\n" not in str(caught.value)
