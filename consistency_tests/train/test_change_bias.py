"""The output bias of a model, fitted to data anew."""

import json
from pathlib import Path

import numpy as np
import pytest
from example_models import BY_COMPONENT, FIRST
from made_data import Made, frames_of, write_system

from dpcore.cli import main
from dpcore.errors import DPError
from dpcore.formats import Document
from dpcore.frames import Frame
from dpcore.infer import DeepPot
from dpcore.infer.engine import engines_of
from dpcore.infer.whole import WholeEvaluator
from dpcore.registry import backend, format_of
from dpcore.settings import build_model
from dpcore.train.statistics import bias_of, biased_types, set_bias, shift_bias, with_bias
from dpcore.train.statistics.bias import Owner
from dpcore.train.statistics.labels import labels_of

COMPOSITES = [e for e in BY_COMPONENT["composites"] if e not in FIRST]
COMPOSITIONS = ([0, 0, 1, 1, 1], [0, 1, 1, 1, 1], [0, 0, 0, 1, 1], [1, 1, 1, 1, 1])
PAIR = {"type": "se_e2_a", "sel": [4, 4], "rcut": 4.0, "rcut_smth": 1.0, "neuron": [4]}


def model_of(fitting=None, **settings):
    section = {
        "type_map": ["O", "H"],
        "descriptor": PAIR,
        "fitting_net": {"neuron": [4], **(fitting or {})},
    }
    return build_model(section | settings, seed=1)


def predictor(model):
    whole = WholeEvaluator(model, engines_of(model, backend("numpy")))
    return lambda frames: whole.predict(frames, atomic=False)


def frames():
    rng = np.random.default_rng(3)
    grid = np.stack(np.meshgrid(*[[0.0, 1.2]] * 3), axis=-1).reshape(-1, 3)[:5]
    return [
        frame
        for types in COMPOSITIONS
        for frame in frames_of([grid + rng.uniform(-0.1, 0.1, (5, 3))], types)
    ]


def labelled(size=1, name="energy", count=4):
    rng = np.random.default_rng(4)
    return Made("data", frames()[:count], [{name: rng.normal(-30, 5, size)} for _ in range(count)])


def composition(source):
    return np.array(
        [np.bincount(s.frame.types, minlength=2) for s in source.samples(range(source.nframes))]
    )


def residuals(model, source):
    """Return how far labels are above predictions, ``(frame, component)``."""
    label, _ = labels_of(model.output)
    samples = source.samples(range(source.nframes))
    found = predictor(model)([s.frame for s in samples])
    each = zip(samples, found, strict=True)
    return np.array([(s.labels[label] - p[model.output.total].ravel()) for s, p in each])


def test_shift_leaves_nothing_that_types_could_explain():
    model, source = with_bias(model_of(), [-1.0, 2.0]), labelled()
    after = shift_bias(model, [source], predictor(model))
    left = residuals(after, source)
    assert np.abs(left).max() > 0.1
    np.testing.assert_allclose(composition(source).T @ left, 0.0, atol=1e-9)
    np.testing.assert_array_equal(after.out_std, model.out_std)


def test_set_fits_the_labels_alone():
    source = labelled()
    known = np.array([s.labels["energy"] for s in source.samples(range(4))])
    expected = np.linalg.lstsq(composition(source), known, rcond=None)[0]
    for start in ([-1.0, 2.0], [3.0, 0.0]):
        after = set_bias(with_bias(model_of(), start), [source])
        np.testing.assert_allclose(bias_of(after), expected)
    left = known - composition(source) @ expected
    np.testing.assert_allclose(after.out_std[0], np.std(left))


def test_biases_that_settings_fix_stay():
    source = labelled()
    told = model_of({"atom_ener": [-5.0]})
    assert bias_of(set_bias(told, [source]))[0] == -5.0
    model = with_bias(told, [-4.5, 1.0])
    after = shift_bias(model, [source], predictor(model))
    assert bias_of(after)[0] == -4.5
    np.testing.assert_allclose(composition(source)[:, 1] @ residuals(after, source), 0.0, atol=1e-9)


def test_some_frames_alone():
    few, all_of_them = labelled(count=2), labelled()
    model = model_of()
    np.testing.assert_allclose(
        bias_of(set_bias(model, [few])), bias_of(set_bias(model, [few], lambda _: 9))
    )
    # The first and the last of the four.
    ends = [all_of_them.samples([0])[0], all_of_them.samples([3])[0]]
    source = Made("ends", [s.frame for s in ends], [s.labels for s in ends])
    np.testing.assert_allclose(
        bias_of(set_bias(model, [all_of_them], lambda _: 2)), bias_of(set_bias(model, [source]))
    )


@pytest.mark.parametrize(
    ("fitting", "label", "size"),
    [
        ({"type": "dos", "numb_dos": 3}, "dos", 3),
        ({"type": "property", "property_name": "gap", "task_dim": 2}, "gap", 2),
        ({"type": "property", "property_name": "gap", "intensive": True}, "gap", 1),
    ],
    ids=["dos", "sum", "mean"],
)
def test_shift_of_other_outputs(fitting, label, size):
    model, source = model_of(fitting), labelled(size, label)
    after = shift_bias(model, [source], predictor(model))
    counts = composition(source) / (5.0 if fitting.get("intensive") else 1.0)
    np.testing.assert_allclose(counts.T @ residuals(after, source), 0.0, atol=1e-9)


def test_labels_of_atoms():
    model = model_of({"type": "dos", "numb_dos": 2})
    given = frames()[:3]
    shift = np.array([[1.0, -1.0], [2.0, 0.5]])
    labels = [
        {"atom_dos": p["atom_dos"] + shift[f.types]}
        for f, p in zip(given, predictor(model)(given), strict=True)
    ]
    after = shift_bias(model, [Made("atoms", given, labels)], predictor(model))
    np.testing.assert_allclose(bias_of(after) - bias_of(model), shift, atol=1e-12)


@pytest.mark.parametrize("example", [*FIRST, *COMPOSITES], ids=str)
def test_every_model_is_shifted(example):
    """With labels that lie a known bias of the types above predictions, predictions become the labels."""
    model = example.double()
    output = model.output
    periodic = example.boundaries[0]
    given = [example.frame(periodic=periodic, seed=s) for s in range(2)]
    before = predictor(model)(given)
    try:
        owner = Owner.of(model)
    except DPError as error:
        assert "has no output bias" in str(error)  # noqa: PT017
        return
    if output.rank or not getattr(model, "srtab_add_bias", True):
        return  # no bias turns with atoms, and one of a model alone fades where its table takes over
    label, _ = labels_of(output)
    counts = np.array([owner.counts(frame) for frame in given])
    scale = counts.sum(axis=1) if output.intensive else np.ones(len(given))
    above = (counts @ np.linspace(1, 2, counts.shape[1]) / scale)[:, None]
    labels = [{label: p[output.total].ravel() + a} for p, a in zip(before, above, strict=True)]
    after = shift_bias(model, [Made("frames", given, labels)], predictor(model))
    for prediction, known in zip(predictor(after)(given), labels, strict=True):
        np.testing.assert_allclose(prediction[output.total].ravel(), known[label], atol=1e-8)


def test_a_model_of_regions():
    """The bias is that of the model of the QM region, whose atoms alone count."""
    part = {
        "descriptor": {**PAIR, "sel": [4, 4]},
        "fitting_net": {"neuron": [4]},
        "type_map": ["C", "H"],
    }
    outer = {"descriptor": {**PAIR, "sel": [4, 4, 4]}, "fitting_net": {"neuron": [4]}}
    whole = {"type": "pairwise_dprc", "type_map": ["OW", "C", "H"]}
    model = build_model({**whole, "qm_model": part, "qmmm_model": outer}, seed=1)
    residues = np.array([[0.0], [0], [1], [1], [-1]])
    given = [
        Frame(frame.coord, np.array(types), aparam=residues)
        for frame, types in zip(frames(), ([1, 2, 0, 0, 0], [1, 1, 0, 0, 0]), strict=False)
    ]
    source = Made("qm", given, [{"energy": np.array([e])} for e in (7.0, 4.0)])
    after = set_bias(model, [source])
    assert biased_types(after) == ("C", "H")
    np.testing.assert_allclose(bias_of(after), [[2.0], [5.0]])
    np.testing.assert_array_equal(bias_of(with_bias(model, [9.0, 1.0, 3.0])), [[1.0], [3.0]])
    shifted = shift_bias(model, [source], predictor(model))
    np.testing.assert_allclose(residuals(shifted, source), 0.0, atol=1e-9)


def test_a_bias_inside_the_fitting_gives_way():
    model = model_of()
    inside = model.with_(fitting=model.fitting.with_(bias_atom_e=np.array([[7.0], [8.0]])))
    source = labelled()
    for after in (set_bias(inside, [source]), with_bias(inside, [1.0, 2.0])):
        assert (after.fitting.bias_atom_e == 0).all()
    kept = shift_bias(inside, [source], predictor(inside))
    np.testing.assert_array_equal(kept.fitting.bias_atom_e, inside.fitting.bias_atom_e)


def test_refusals():
    model, bare = model_of(), Made("bare", frames())
    with pytest.raises(DPError, match=r"none of the data has energy.npy"):
        set_bias(model, [bare])
    with pytest.raises(DPError, match=r"none of the data has energy.npy"):
        shift_bias(model, [bare], predictor(model))
    with pytest.raises(DPError, match="1 biases for 2 types; give one for each of O H"):
        with_bias(model, [1.0])
    dos = model_of({"type": "dos", "numb_dos": 2})
    with pytest.raises(DPError, match="energies alone; this model predicts the dos"):
        with_bias(dos, [1.0, 2.0])
    with pytest.raises(DPError, match="preset_out_bias: 1 values for 2 types"):
        set_bias(model_of(preset_out_bias=[1.0]), [labelled()])
    (dplr,) = {e.model.type_name: e.model for e in BY_COMPONENT["dplr"]}.values()
    with pytest.raises(DPError, match="choose the mode 'change'"):
        set_bias(dplr, [bare])


def written(folder):
    """Write a model and two systems."""
    path = folder / "model.dp"
    format_of(path).write(
        path, Document(with_bias(model_of(), [-1.0, 2.0]), {"history": [{"from": "x"}]})
    )
    energies = np.random.default_rng(4).normal(-30, 5, (3, 2))
    for number, (types, own) in enumerate(zip(COMPOSITIONS, energies, strict=False)):
        coord = [frames()[0].coord, frames()[1].coord]
        write_system(
            folder / f"data/{number}", frames_of(coord, types), ["O", "H"], {"energy": own}
        )
    return path


def left_on(path, data):
    """Return composition-weighted residuals of a model file on systems."""
    model, total = DeepPot(path), 0.0
    for folder in sorted(data.iterdir()):
        part, types = folder / "set.000", np.loadtxt(folder / "type.raw", dtype=int)
        energy = model.eval(np.load(part / "coord.npy"), None, types)[0]
        total = (
            total + np.bincount(types, minlength=2) * (np.load(part / "energy.npy") - energy).sum()
        )
    return total


def test_command(tmp_path, capsys, monkeypatch):
    path, data = written(tmp_path), tmp_path / "data"
    assert main(["change-bias", str(path), "-s", str(data)]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith("bias of O : -1 -> ")
    assert np.abs(left_on(path, data)).max() > 1
    np.testing.assert_allclose(left_on(tmp_path / "model_updated.dp", data), 0.0, atol=1e-8)
    history = format_of(path).read(tmp_path / "model_updated.dp").provenance["history"]
    assert history[0] == {"from": "x"}
    assert (history[1]["command"], history[1]["mode"], history[1]["systems"]) == (
        "change-bias",
        "change",
        3,
    )
    # The same from a list of systems, by its long name, and to another kind of file.
    (tmp_path / "list").write_text("\n".join(f"data/{n}" for n in range(3)))
    monkeypatch.chdir(tmp_path)
    words = ["-f", "list", "-m", "change-by-statistic", "-o", "other.yaml", "--backend", "numpy"]
    assert main(["change-bias", "model", *words]) == 0
    found = [bias_of(format_of(p).read(Path(p)).model) for p in ("model_updated.dp", "other.yaml")]
    np.testing.assert_allclose(*found, rtol=1e-12)


def test_command_sets(tmp_path, capsys):
    path, target = written(tmp_path), str(tmp_path / "new.dp")
    call = ["change-bias", str(path), "-o", target]
    for words in (["-s", str(tmp_path / "data"), "-m", "set"], ["-b", "-93.5", "-187.25"]):
        assert main([*call, *words]) == 0
    assert "bias of H : 2 -> -187.25" in capsys.readouterr().out
    assert bias_of(format_of(target).read(Path(target)).model).ravel().tolist() == [-93.5, -187.25]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["-b", "1"], "model.dp: 1 biases for 2 types"),
        (["-s", "nowhere"], "nowhere: not found"),
        (["-b", "1", "2", "-o", "model.dp"], "it is the input itself"),
        (["-b", "1", "2", "--head", "a"], "multi-task"),
    ],
)
def test_command_refuses(tmp_path, capsys, monkeypatch, words, complaint):
    written(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert main(["change-bias", "model.dp", *words]) == 1
    assert complaint in capsys.readouterr().err
    assert json.dumps(sorted(p.name for p in tmp_path.iterdir())) == '["data", "model.dp"]'
