"""Averages and deviations of data: hand-worked numbers, and those of DeePMD-kit."""

import json
from pathlib import Path

import numpy as np
import pytest
from example_models import EXAMPLES
from made_data import Made, frames_of

from dpcore import registry
from dpcore.errors import DPError
from dpcore.frames import Frame
from dpcore.infer.engine import TreeEngine
from dpcore.infer.evaluator import Evaluator
from dpcore.models import FrozenModel, LinearModel
from dpcore.settings import build_model
from dpcore.train.statistics import StatFile, statistics_of, with_statistics
from dpcore.train.statistics.environment import normalised_in
from dpcore.train.statistics.frames import chosen, chunks, every
from dpcore.train.statistics.labels import Labels
from dpcore.train.statistics.sums import Sums
from dpcore.tree import Module, inside, leaves

HERE = Path(__file__).parent / "data"
PAIR = {"type": "se_e2_a", "sel": [2, 3], "rcut": 4.0, "rcut_smth": 3.0, "neuron": [2]}
PAIR |= {"axis_neuron": 1}


def model_of(descriptor=None, fitting=None, types=("O", "H"), **settings):
    section = {"type_map": list(types), "descriptor": descriptor or PAIR}
    section["fitting_net"] = {"neuron": [2], **(fitting or {})}
    return build_model(section | settings, seed=1)


def trained(model, *sources, limit=every, **options):
    return with_statistics(model, statistics_of(model, sources, limit), **options)


@pytest.fixture(scope="module")
def frozen():
    with np.load(HERE / "statistics.npz") as file:
        return dict(file)


def stored(frozen):
    return [
        Made(
            which,
            frames_of(frozen[f"coord_{which}"], frozen[f"types_{which}"], frozen[f"cell_{which}"]),
        )
        for which in "ab"
    ]


CASES = json.loads(str(np.load(HERE / "statistics.npz")["cases"]))
# DeePMD-kit lists the parts of dpa2 in this order.
ORDER = {"dpa2": ("pairs", "messages", "triples"), "hybrid": ("children.0", "children.1")}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.filterwarnings("ignore:.*embed")
def test_environment_is_deepmd_kits(frozen, name):
    model = trained(model_of(CASES[name]), *stored(frozen))
    modules = dict(inside(model, Module))
    for i, part in enumerate(ORDER.get(name, ("",))):
        module = modules[f"descriptor.{part}".rstrip(".")]
        for key in ("davg", "dstd"):
            found, expected = getattr(module, key), frozen[f"{name}/{i}/{key}"]
            expected = expected if found.ndim == 2 else expected[:, None, :]
            np.testing.assert_allclose(
                found, np.broadcast_to(expected, found.shape), rtol=1e-10, atol=1e-13
            )


def test_environment_by_hand():
    # Two atoms at 2 Å, closer than where the switch function begins to fall, in 5 places each.
    source = Made("pair", frames_of([[[0, 0, 0], [2, 0, 0]]], [0, 1]))
    descriptor = trained(model_of(), source).descriptor
    mean = 0.5 / 5
    np.testing.assert_allclose(descriptor.davg[0], np.tile([mean, 0, 0, 0], (5, 1)), atol=1e-15)
    radial = np.sqrt(0.25 / 5 - mean**2)
    # The three directions have 15 numbers together, one of which is 1/2 or -1/2.
    angular = np.sqrt(0.25 / 15 - (0.5 / 15) ** 2)
    np.testing.assert_allclose(descriptor.dstd, np.tile([radial, *[angular] * 3], (2, 5, 1)))


def test_nearest_neighbours_count_alone():
    line = [[0, 0, 0], [1, 0, 0], [-2, 0, 0], [0, 2.5, 0]]
    source = Made("line", frames_of([line], [0, 0, 0, 0]))
    told = {**PAIR, "sel": [2, 0], "exclude_types": [[0, 1]]}
    descriptor = trained(model_of(told), source).descriptor
    # Of each atom the two nearest: 1, 2; 1, √7.25; 2, 3 (where s is 1/3); 2.5, √7.25.
    radial = [1, 1 / 2, 1, 7.25**-0.5, 1 / 2, 1 / 3, 1 / 2.5, 7.25**-0.5]
    np.testing.assert_allclose(descriptor.davg[0, 0, 0], np.mean(radial))
    np.testing.assert_allclose(descriptor.dstd[0, 0, 0], np.std(radial))
    # What was never seen.
    assert (descriptor.davg[1] == 0).all()
    assert (descriptor.dstd[1] == 0.1).all()


def test_excluded_pairs_are_empty_places():
    pair = frames_of([[[0, 0, 0], [2, 0, 0]]], [0, 1])
    for told in (
        {"descriptor": {**PAIR, "exclude_types": [[0, 1]]}},
        {"pair_exclude_types": [[0, 1]]},
    ):
        descriptor = trained(model_of(**told), Made("pair", pair)).descriptor
        assert (descriptor.davg == 0).all()
        assert (descriptor.dstd == 0.01).all()


def test_settings_that_leave_statistics_alone():
    source = Made("pair", frames_of([[[0, 0, 0], [2, 0, 0]]], [0, 1]))
    zero = trained(model_of({**PAIR, "set_davg_zero": True}), source).descriptor
    assert (zero.davg == 0).all()
    assert (zero.dstd[..., 0] == np.sqrt(0.25 / 5 - 0.01)).all()
    flow = {
        "e_rcut": 4.0,
        "e_rcut_smth": 3.0,
        "e_sel": 3,
        "a_rcut": 3.0,
        "a_rcut_smth": 2.0,
        "a_sel": 2,
    }
    flow |= {"nlayers": 1, "n_dim": 4, "e_dim": 4, "a_dim": 2}
    fixed = trained(model_of({"type": "dpa3", "repflow": flow}), source).descriptor
    np.testing.assert_array_equal(fixed.dstd, 0.3)


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_every_model_takes_statistics(example):
    """Whatever a descriptor normalises is set, and nothing else but biases and parameters changes."""
    frames = [example.frame(periodic=example.boundaries[0], seed=s) for s in (0, 1)]
    labels = [{"energy": np.array([3.0])}, {"energy": np.array([5.0])}]
    source = Made("frames", frames, labels)
    try:
        model = trained(example.model, source)
    except DPError as error:
        assert example.model.type_name in {"frozen", "pairtab"}, error  # noqa: PT017
        return
    before, after = leaves(example.model), leaves(model)
    changed = {p for p in before if not np.array_equal(before[p].value, after[p].value)}
    for path, rows in normalised_in(example.model).items():
        deviation = after[f"{path}.dstd"].value
        assert (deviation.astype(float) > 0).all()
        assert f"{path}.dstd" in changed
        assert rows.with_mean or f"{path}.davg" not in changed
    ends = (
        "davg",
        "dstd",
        "out_bias",
        "out_std",
        "bias_atom_e",
        "constant_matrix",
        "_avg",
        "_inv_std",
    )
    assert all(path.endswith(ends) for path in changed)
    assert {p: x.value.dtype for p, x in before.items()} == {
        p: x.value.dtype for p, x in after.items()
    }


def test_parts_are_told_of_their_own_types():
    part = {**PAIR, "type": "se_e2_a"}
    section = {
        "type": "linear_ener",
        "type_map": ["O", "H"],
        "weights": "sum",
        "models": [
            {"type_map": ["O", "H"], "descriptor": part, "fitting_net": {"neuron": [2]}},
            {
                "type_map": ["H", "C", "O"],
                "descriptor": {**part, "sel": [3, 1, 2]},
                "fitting_net": {"neuron": [2]},
            },
        ],
    }
    frames = frames_of([[[0, 0, 0], [1, 0, 0], [0, 2, 0]]], [0, 1, 1])
    model = trained(build_model(section, seed=1), Made("a", frames))
    first, second = (part.descriptor for part in model.models)
    np.testing.assert_allclose(first.davg[[1, 0], 0], second.davg[[0, 2], 0] * 6 / 5)
    assert (second.dstd[1] == 0.1).all()


@pytest.mark.parametrize("weights", ["mean", [2.0, 0.5]])
def test_no_bias_is_fitted_to_what_frozen_parts_predict(weights):
    """A sum of models that are used as they are stays as it is; what is trained beside them gets the rest."""
    rng = np.random.default_rng(7)
    frames = [
        frame
        for types in ([0, 1, 1], [0, 0, 1], [1, 1, 0])
        for frame in frames_of(rng.uniform(0, 2, (1, 3, 3)), types)
    ]
    first, second = (
        FrozenModel.of(model_of().with_(out_bias=np.array([[[3.0], [bias]]])), "part.dp")
        for bias in (-5.0, 11.0)
    )
    names = first.type_map
    both = LinearModel.create(models=(first, second), type_map=names, weights=weights)
    half = LinearModel.create(models=(model_of(), first), type_map=names, weights=weights)
    alone = LinearModel.create(models=(first,), type_map=names, weights=(half.factors[1],))
    engine = Evaluator(alone, TreeEngine(alone, registry.backend("numpy")))
    known = [float(np.squeeze(found["energy"])) for found in engine.predict(frames)]
    rest = [np.array([4.0, -9.0])[frame.types].sum() for frame in frames]
    labels = [{"energy": np.array([a + b])} for a, b in zip(known, rest, strict=True)]
    data = Made("a", frames, labels)
    np.testing.assert_allclose(trained(half, data).out_bias[0, :, 0], [4.0, -9.0], rtol=1e-9)
    assert leaves(trained(both, data)).keys() == leaves(both).keys()
    for path, leaf in leaves(both).items():
        np.testing.assert_array_equal(leaves(trained(both, data))[path].value, leaf.value)


OUTPUTS = {
    "energy": ({}, {}, "energy"),
    "rcond": ({"rcond": 0.4}, {}, "energy"),
    "preset": ({}, {"preset_out_bias": [None, 2.5, None]}, "energy"),
    "exclude": ({}, {"atom_exclude_types": [2]}, "energy"),
    "prop": ({"type": "property", "task_dim": 2}, {}, "band"),
    "prop_int": ({"type": "property", "task_dim": 2, "intensive": True}, {}, "band"),
    "prop_alike": ({"type": "property", "task_dim": 2, "distinguish_types": False}, {}, "band"),
    "prop_alike_int": (
        {"type": "property", "task_dim": 2, "intensive": True, "distinguish_types": False},
        {},
        "band",
    ),
    "dos": ({"type": "dos", "numb_dos": 5}, {}, "dos"),
    "dos_mixed": ({"type": "dos", "numb_dos": 5}, {}, ("dos", "atom_dos", "dos")),
    "polar": ({"type": "polar"}, {}, "polarizability"),
}
COMPOSITIONS = ([0, 1, 1, 2], [0, 0, 1], [1, 2, 2, 2, 0])


def three_types(fitting, **settings):
    if fitting.get("type") == "property":
        fitting = {**fitting, "property_name": "band"}
    return model_of({**PAIR, "sel": [2, 2, 2]}, fitting, ("A", "B", "C"), **settings)


@pytest.mark.parametrize("name", OUTPUTS)
def test_output_is_deepmd_kits(name):
    fitting, settings, label = OUTPUTS[name]
    names = (label,) * 3 if isinstance(label, str) else label
    labels = Labels(three_types(fitting, **settings))
    with np.load(HERE / "output_statistics.npz") as frozen:
        for i, types in enumerate(COMPOSITIONS):
            for values in frozen[f"in/{names[i]}/{i}"]:
                frame = Frame(np.zeros((len(types), 3)), np.array(types))
                labels.add(Made("x", [frame], [{names[i]: values}]).samples([0])[0], "x")
        found = labels.fitted()
        for key in ("bias", "std"):
            expected = frozen[f"{name}/{key}"].reshape(3, -1)
            np.testing.assert_allclose(getattr(found, key), expected, rtol=1e-10, atol=1e-12)


def of_energies(energies, compositions=COMPOSITIONS):
    rng = np.random.default_rng(5)
    frames = [Frame(rng.uniform(0, 9, (len(t), 3)), np.array(t)) for t in compositions]
    labels = [{} if e is None else {"energy": np.array([e])} for e in energies]
    return Made("systems", frames, labels)


def test_energies_of_atoms_are_taken_as_they_are():
    # E = 1 a + 2 b + 1 c and so on, with a = 10, b = -3, c = 2.
    exact = of_energies([10 - 6 + 2, 20 - 3, -3 + 6 + 10])
    np.testing.assert_allclose(trained(three_types({}), exact).out_bias[0, :, 0], [10, -3, 2])
    told = trained(three_types({"atom_ener": [7.0, None, 2.0]}), exact).out_bias[0, :, 0]
    assert told[[0, 2]].tolist() == [7.0, 2.0]
    # What is left for b: 9 - ... = 2 b - 3·… by least squares.
    rest = np.array([6.0 - 7 - 2, 17.0 - 14, 13.0 - 6 - 7])
    np.testing.assert_allclose(told[1], rest @ [2, 1, 1] / 6)


def test_frames_without_labels_do_not_count():
    source = of_energies([6.0, None, None])
    model = trained(three_types({}), source)
    # One equation a + 2 b + c = 6: the least values that fulfil it.
    np.testing.assert_allclose(model.out_bias[0, :, 0], [1.0, 2.0, 1.0])


def test_no_labels_at_all(caplog):
    model = trained(three_types({}), of_energies([None] * 3))
    assert (model.out_bias == 0).all()
    assert "the data has no energy" in caplog.text


def test_a_bias_of_its_own_gives_way():
    model = three_types({})
    biased = model.with_(fitting=model.fitting.with_(bias_atom_e=np.ones((3, 1))))
    after = trained(biased, of_energies([6.0, 17.0, 13.0]))
    assert (after.fitting.bias_atom_e == 0).all()


def test_a_single_label_leaves_units_alone():
    model = three_types({"type": "property", "task_dim": 1})
    frame = Frame(np.zeros((1, 3)), np.array([0]))
    after = trained(model, Made("one", [frame], [{"band": np.array([4.0])}]))
    assert after.out_bias[0, 0, 0] == 4.0
    assert (after.out_std == 1).all()


def test_labels_of_another_size():
    frame = Frame(np.zeros((1, 3)), np.array([0]))
    with pytest.raises(DPError, match=r"^one: frame 0: energy: 2 numbers; the model predicts 1$"):
        trained(three_types({}), Made("one", [frame], [{"energy": np.zeros(2)}]))


def test_tensors_of_some_types():
    model = three_types({"type": "dipole", "sel_type": [1]})
    frame = Frame(np.eye(4, 3) * 9, np.array([0, 1, 1, 2]))
    known = np.array([[1.0, 2, 3], [3, 2, 1]])
    listed = np.zeros((4, 3))
    listed[1:3] = known
    for values in (known.ravel(), listed):
        after = trained(model, Made("one", [frame], [{"atomic_dipole": values}]))
        np.testing.assert_allclose(after.out_bias[0], [[0, 0, 0], [2, 2, 2], [0, 0, 0]])
        np.testing.assert_allclose(after.out_std[0, 1], [1, 0, 1])


def with_parameters(values):
    frames = []
    for number, value in enumerate(values):
        own = None if value is None else np.array(value, float)
        per_atom = np.arange(2.0)[:, None] + 10 * number
        frames.append(Frame(np.eye(2, 3) * 9, np.array([0, 1]), fparam=own, aparam=per_atom))
    return Made("frames", frames)


def test_parameters_by_hand():
    model = model_of(fitting={"numb_fparam": 2, "numb_aparam": 1})
    fitting = trained(model, with_parameters([[1, 5], [3, 5], [8, 5]])).fitting
    np.testing.assert_allclose(fitting.fparam_avg, [4, 5])
    np.testing.assert_allclose(1 / fitting.fparam_inv_std, [np.std([1, 3, 8]), 0.01])
    numbers = [0, 1, 10, 11, 20, 21]
    np.testing.assert_allclose(fitting.aparam_avg, np.mean(numbers))
    np.testing.assert_allclose(1 / fitting.aparam_inv_std, np.std(numbers))
    coarse = trained(model, with_parameters([[1, 5], [3, 5], [8, 5]]), least=0.5).fitting
    assert coarse.fparam_inv_std[1] == 2.0


def test_parameters_that_frames_lack():
    told = {"numb_fparam": 2, "numb_aparam": 1}
    source = with_parameters([[1, 5], None, [8, 5]])
    with pytest.raises(DPError, match="fparam"):
        trained(model_of(fitting=told), source)
    fitting = trained(model_of(fitting={**told, "default_fparam": [3.0, 5.0]}), source).fitting
    np.testing.assert_allclose(fitting.fparam_avg, [4, 5])


def test_sums_add_up():
    rows = np.random.default_rng(0).normal(size=(20, 3))
    whole, parts = Sums.of_columns(rows), Sums.of_columns(rows[:7]) + Sums.of_columns(rows[7:])
    np.testing.assert_allclose(parts.deviation(), whole.deviation())
    np.testing.assert_allclose(whole.deviation(), rows.std(axis=0))
    heavier = Sums.of_columns(rows[:7]) + Sums.of_columns(rows[7:]).weighted(2.0)
    np.testing.assert_allclose(heavier.mean(), np.concatenate([rows, rows[7:]]).mean(axis=0))


def test_types_that_occur():
    source = Made("x", frames_of([np.eye(3)] * 2, [2, 0, 2]))
    found = statistics_of(three_types({}), [source], every)
    assert found.observed.tolist() == [2, 0, 4]
    assert found.observed_types("ABC") == ["A", "C"]


def test_frames_at_equal_distances():
    source = Made("many", frames_of(np.zeros((100, 5, 3)), [0] * 5))
    assert chosen(source, lambda _: 5) == [0, 25, 50, 74, 99]
    assert chosen(source, lambda _: 200) == list(range(100))
    assert chosen(source, every) == list(range(100))
    # Frames are read a few at a time.
    assert [len(part) for part in chunks(source, range(7), atoms=10)] == [2, 2, 2, 1]


def test_atoms_at_one_place():
    frames = frames_of([[[0, 0, 0], [2, 0, 0]], [[0, 0, 0], [0, 0, 0]]], [0, 1])
    with pytest.raises(DPError, match=r"^two: frame 1: atoms 0 and 1 are at the same place"):
        trained(model_of(), Made("two", frames))


def energies(shift=0.0, nframes=3):
    coord = np.linspace(0.9, 3.0, nframes)[:, None, None] * np.eye(2, 3)
    frames = frames_of(coord, [0, 1])
    return Made("data", frames, [{"energy": np.array([shift + i])} for i in range(nframes)])


@pytest.mark.parametrize("name", ["stat.hdf5", "stat.h5", "folder"])
def test_stat_file(tmp_path, name):
    model, first, again = model_of(), energies(), energies()
    file = StatFile(str(tmp_path / name))
    one = statistics_of(model, [first], every, file)
    two = statistics_of(model, [again], every, StatFile(str(tmp_path / name), "read"))
    assert len(first.read) == 4
    assert again.read == [0]  # the first frame alone, which tells data apart
    for a, b in ((one.arrays(), two.arrays()),):
        assert a.keys() == b.keys()
        assert all(np.array_equal(a[key], b[key]) for key in a)
    assert sorted(p.name for p in (tmp_path if "." in name else tmp_path / name).iterdir()) == [
        name if "." in name else "statistics.hdf5"
    ]


def test_stat_file_of_something_else(tmp_path):
    path, model = str(tmp_path / "stat.hdf5"), model_of()
    statistics_of(model, [energies()], every, StatFile(path))
    others = {
        "data": (model, energies(1.0)),
        "descriptor": (model_of({**PAIR, "rcut": 5.0}), energies()),
        "output": (model_of(atom_exclude_types=[1]), energies()),
        "type_map": (model_of(types=("O", "D")), energies()),
    }
    for what, (other, source) in others.items():
        with pytest.raises(DPError, match=f"its statistics are of another {what};.*use 'update'"):
            statistics_of(other, [source], every, StatFile(path, "read"))
        # What is there stays.
        statistics_of(other, [source], every, StatFile(path))
        statistics_of(other, [source], every, StatFile(path, "read"))
        statistics_of(model, [energies()], every, StatFile(path, "read"))


def test_stat_file_that_is_missing_or_damaged(tmp_path):
    path = tmp_path / "stat.hdf5"
    with pytest.raises(DPError, match="holds no statistics"):
        statistics_of(model_of(), [energies()], every, StatFile(str(path), "read"))
    path.write_bytes(b"no HDF5")
    with pytest.raises(DPError, match="no HDF5 file that can be read"):
        statistics_of(model_of(), [energies()], every, StatFile(str(path)))
    assert path.read_bytes() == b"no HDF5"
