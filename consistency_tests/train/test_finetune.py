"""Training that begins with a trained model: for other data, other types, or other branches."""

import json

import numpy as np
import pytest
from train_runs import DESCRIPTOR, FITTING, begun, done, model_of, several, single, write_atoms

from dpcore import tree
from dpcore.cli import main
from dpcore.errors import DPError
from dpcore.formats import Document
from dpcore.infer import DeepPot
from dpcore.registry import format_of
from dpcore.train.statistics import set_bias

TYPES = ("H", "C", "O")
# A layer of as many numbers as there are types, or twice as many, adds them to what it gives.
WIDTHS = [8, 6, 4, 3, 2]


@pytest.fixture
def wet(tmp_path, monkeypatch):
    """Return a system of O and H, in a folder that runs write to."""
    monkeypatch.chdir(tmp_path)
    return write_atoms(tmp_path / "wet", 0)


@pytest.fixture
def dry(tmp_path):
    """Return a system of H and C."""
    return write_atoms(tmp_path / "dry", 1, ("C", "H"))


def trained(folder, tmp_path, **model):
    path = done(single(folder, **model)).newest
    return path.rename(tmp_path / "pre.dp")


def subject_of(given, **start):
    (subject,) = begun(given, **start).subjects
    return subject


def predicted(path, names):
    """Return what a model predicts for atoms that are called by their elements."""
    coords = np.random.default_rng(0).uniform(0.0, 3.0, (1, 5, 3))
    with DeepPot(path) as model:
        types = [model.get_type_map().index(name) for name in names]
        return model.eval(coords, None, types)


def written(model, tmp_path):
    path = tmp_path / "now.dp"
    format_of(path).write(path, Document(model))
    return path


@pytest.mark.parametrize("width", WIDTHS)
def test_types_are_taken_by_their_names(wet, tmp_path, width):
    descriptor = DESCRIPTOR | {"tebd_dim": width}
    path = trained(wet, tmp_path, descriptor=descriptor)
    subject = subject_of(single(wet, TYPES, descriptor=descriptor), finetune=path)
    names = ["O", "H", "H", "O", "H"]
    _, forces, _ = predicted(path, names)
    _, now, _ = predicted(written(subject.model, tmp_path), names)
    np.testing.assert_allclose(now, forces, rtol=1e-9, atol=1e-12)


def test_types_that_were_not_there_begin_anew(wet, dry, tmp_path):
    path = trained(wet, tmp_path)
    given = single(dry, TYPES)
    fresh, tuned = subject_of(given).model, subject_of(given, finetune=path).model
    old = format_of(path).read(path).model
    new, pre, own = (tree.arrays(m) for m in (tuned, old, fresh))
    stored = next(p for p, x in own.items() if p.endswith(("std", "dstd")) and "desc" in p)
    kinds = [TYPES.index(name) for name in ("O", "H", "C")]
    np.testing.assert_array_equal(new[stored][kinds[:2]], pre[stored])
    np.testing.assert_array_equal(new[stored][kinds[2]], own[stored][kinds[2]])
    assert not np.array_equal(new[stored], own[stored])


def test_the_bias_fits_the_new_data(wet, tmp_path):
    path = trained(wet, tmp_path)
    other = write_atoms(tmp_path / "other", 2)
    subject = subject_of(single(other), finetune=path)
    with DeepPot(written(subject.model, tmp_path)) as model:
        coords = np.load(f"{other}/set.000/coord.npy")
        found, _, _ = model.eval(coords, None, [0, 1, 1, 1, 1])
    labels = np.load(f"{other}/set.000/energy.npy")
    assert np.mean(found - labels) == pytest.approx(0.0, abs=1e-9)
    old = format_of(path).read(path).model
    assert np.array_equal(
        subject.model.fitting.nets[0].layers[0].weight, old.fitting.nets[0].layers[0].weight
    )


def test_a_new_fitting(wet, tmp_path):
    path = trained(wet, tmp_path)
    given = single(wet, fitting_net=FITTING | {"neuron": [7]})
    new = subject_of(given, finetune=path, head="RANDOM")
    arrays, old = tree.arrays(new.model), tree.arrays(format_of(path).read(path).model)
    own = tree.arrays(subject_of(given).model)
    for place, x in arrays.items():
        source = old if place.startswith("descriptor.") else own
        np.testing.assert_array_equal(x, source[place], err_msg=place)
    refitted = set_bias(new.model, new.training.sources)
    np.testing.assert_allclose(refitted.out_bias, new.model.out_bias)


def test_settings_of_the_trained_model(wet, tmp_path):
    path = trained(wet, tmp_path)
    given = single(
        wet,
        descriptor={"type": "se_e2_r", "sel": [3, 3], "rcut": 2.0, "trainable": False},
        fitting_net={"neuron": [9, 9]},
    )
    run = begun(given, finetune=path, script=True)
    descriptor = run.subjects[0].model.descriptor
    assert (descriptor.type_name, descriptor.rcut) == ("se_atten", 4.0)
    assert all(slot.path.startswith("fitting") for slot in run.loop.layout.slots)


def test_branches_begin_with_branches(wet, dry, tmp_path):
    plain = {"f": FITTING, "types": ["O", "H", "C"]}
    path = done(several({"a": wet, "b": dry}, shared=plain)).newest.rename(tmp_path / "pre.dp")
    pre = {n: tree.arrays(m) for n, m in format_of(path).read(path).model.branches.items()}
    own = {"new": {"fitting_net": FITTING | {"seed": 7}}, "c": {"finetune_head": "b"}}
    own["c"]["fitting_net"] = FITTING
    own["a"] = {"fitting_net": FITTING}
    given = several({"a": wet, "c": dry, "new": dry}, own, shared=plain)
    found = {n: tree.arrays(m) for n, m in model_of(begun(given, finetune=path)).branches.items()}
    weight = "fitting.nets.0.layers.0.weight"
    np.testing.assert_array_equal(found["a"][weight], pre["a"][weight])
    np.testing.assert_array_equal(found["c"][weight], pre["b"][weight])
    assert not np.array_equal(found["new"][weight], pre["a"][weight])
    # The branch of the same name goes on; that of another begins with a bias that fits its data.
    np.testing.assert_array_equal(found["a"]["out_bias"], pre["a"]["out_bias"])
    assert not np.array_equal(found["c"]["out_bias"], pre["b"]["out_bias"])
    alone = single(wet, ("O", "H", "C"))
    tuned = tree.arrays(subject_of(alone, finetune=path, head="B").model)
    np.testing.assert_array_equal(tuned[weight], pre["b"][weight])
    with pytest.raises(DPError, match="set finetune_head"):
        begun(given, finetune=path, head="b")
    with pytest.raises(DPError, match="no branch 'z'"):
        begun(alone, finetune=path, head="z")


def test_numbers_of_the_same_model(wet, tmp_path):
    path = trained(wet, tmp_path)
    old = tree.arrays(format_of(path).read(path).model)
    new = tree.arrays(subject_of(single(wet), model=path).model)
    assert all(np.array_equal(x, old[place]) for place, x in new.items())


def test_numbers_of_a_model_with_types_in_another_order(wet, tmp_path):
    path = trained(wet, tmp_path)
    names = format_of(path).read(path).model.type_map
    with pytest.raises(DPError, match=r"is for the types .*; both must agree in their order"):
        begun(single(wet, names[::-1]), model=path)


def test_models_that_are_built_otherwise(wet, tmp_path):
    path = trained(wet, tmp_path)
    wide = single(wet, fitting_net=FITTING | {"neuron": [7]})
    for start in ("model", "finetune"):
        with pytest.raises(DPError, match=r"fitting\.nets\.0\.layers\.0\.weight is \(.*; fitting"):
            begun(wide, **{start: path})
    with pytest.raises(DPError, match=r"model\.fitting_net\.neuron is \[5\] there, \[7\]"):
        begun(wide, restart=path)
    with pytest.raises(DPError, match="no branch 'x'"):
        begun(single(wet), finetune=path, head="x")


def test_networks_of_types_keep_their_types(wet, tmp_path):
    by_type = {"type": "se_e2_a", "sel": [4, 4], "rcut": 4.0, "neuron": [3], "axis_neuron": 2}
    path = trained(wet, tmp_path, descriptor=by_type)
    other = single(wet, ("H", "O"), descriptor=by_type)
    with pytest.raises(DPError, match="is for the types O H, the input for H O"):
        begun(other, finetune=path)


def test_the_command(wet, tmp_path, capsys):
    path = trained(wet, tmp_path)
    (tmp_path / "in.json").write_text(json.dumps(single(wet, TYPES)))
    words = ["--numpy", "train", "in.json", "--skip-neighbor-stat"]
    assert main([*words, "-t", str(path), "--use-pretrain-script"]) == 0
    assert main([*words, "--model-branch", "x"]) == 1
    assert "--model-branch: is for --finetune" in capsys.readouterr().err
