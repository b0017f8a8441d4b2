"""Mistakes that ``dp train`` meets: exit code 1 and one line that says what, where and what to do, no noise."""

import json
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
from tiny_runs import INPUT, parameters, read_lines, stored, write_data, write_input
from train_inputs import changed

from dpcore.cli import main

SET = Path("train/set.000")


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_input(tmp_path, {"training.numb_steps": 2})


def spoil(name, change, folder=SET):
    """Change an array of the data."""
    path = folder / f"{name}.npy"
    np.save(path, change(np.load(path)))


def put(values, place, value):
    """Return values with another one at a place."""
    values[place] = value
    return values


def rewrite(**changes):
    """Write another input."""
    steps = {} if "training.numb_steps" in changes else {"training.numb_steps": 2}
    Path("input.json").write_text(json.dumps(changed(changes | steps, INPUT)))


def train(capsys, *words, code=1):
    """Run the command, and return the lines that it wrote to stderr."""
    with warnings.catch_warnings(record=True) as noise:
        warnings.simplefilter("always")
        assert main(["--numpy", "train", "input.json", *words]) == code
    assert not [w for w in noise if issubclass(w.category, RuntimeWarning)]
    return capsys.readouterr().err.splitlines()


def refused(capsys, *words):
    """Run the command, and return the only line about an error."""
    lines = train(capsys, *words)
    errors = [line for line in lines if line.startswith("dp: error: ")]
    assert len(errors) == 1
    assert all(line.startswith("dp: ") for line in lines)
    assert "unexpected" not in errors[0]
    curve = Path("lcurve.out")
    assert not curve.exists() or len(read_lines(curve)) == 2, "before the first step"
    return errors[0].removeprefix("dp: error: ")


DATA = {
    "a truncated file": (
        lambda: (SET / "force.npy").write_bytes((SET / "force.npy").read_bytes()[:-20]),
        r"train/set.000/force.npy: not a readable npy file",
    ),
    "a length that nothing has": (
        lambda: spoil("coord", lambda x: put(x, (2, 0), 1e160)),
        "train/set.000/coord.npy: frame 2 holds values beyond 1e+12",
    ),
    "a label that nothing has": (
        lambda: spoil("energy", lambda x: put(x, (3, 0), 1e160)),
        "train/set.000/energy.npy: frame 3 holds values beyond 1e+30",
    ),
    "a cell of such a size": (
        lambda: spoil("box", lambda x: x * 1e160),
        "train/set.000/box.npy: frame 0 holds values beyond 1e+12",
    ),
    "a cell in other units": (
        lambda: spoil("box", lambda x: x * 1e-3),
        "train: frame 0: 4 atoms in a cell of 5.04e-07 Å^3",
    ),
    "a flat cell": (
        lambda: spoil("box", lambda x: put(x, (1, slice(3, 6)), x[1, :3])),
        "train/set.000/box.npy: the box of frame 1 has no volume",
    ),
    "no cell": ((SET / "box.npy").unlink, "train/set.000: no box; add box.npy"),
    "atoms at the same place but for rounding": (
        lambda: spoil("coord", lambda x: put(x, (2, slice(3, 6)), x[2, :3] + [7.0, 0, 0])),
        "train: frame 2: atoms 0 and 1 are at the same place",
    ),
    "a type beyond all numbers": (
        lambda: Path("train/type.raw").write_text("0 1 1e30 0"),
        "train/type.raw: atom 2 has type 1e+30",
    ),
    "a negative type": (
        lambda: Path("train/type.raw").write_text("0 1 -1 0"),
        "train/type.raw: atom 2 has type -1",
    ),
    "too few types": (
        lambda: Path("train/type.raw").write_text("0 1 1"),
        "train/set.000/coord.npy: 12 numbers per frame where 3 atoms need 9",
    ),
    "a type without a name": (
        lambda: Path("train/type_map.raw").write_text("A"),
        "train/type.raw: atom 1 has type 1, but type_map.raw names 1 types (A)",
    ),
    "too many copies": (
        lambda: np.save(SET / "numb_copy.npy", np.full(6, 1e18)),
        "train/set.000/numb_copy.npy: frame 0 is to be taken 1e+18 times",
    ),
    "a further set without files": (
        lambda: Path("train/set.001").mkdir(),
        "train/set.001: no coord; it is empty",
    ),
    "no data": (lambda: shutil.rmtree("valid"), "valid: not found"),
    "a folder where a file is to be": (
        lambda: Path("model.ckpt.dp").mkdir(),
        "training.save_ckpt: model.ckpt.dp is a folder",
    ),
}


@pytest.mark.parametrize("kind", DATA)
def test_data(capsys, kind):
    spoiler, line = DATA[kind]
    spoiler()
    assert refused(capsys).startswith(line)


SETTINGS = {
    "model.type_map": (["A", "A"], "input.json: model.type_map: ['A', 'A']; a type map lists"),
    "model.descriptor.seed": (-1, "input.json: model.descriptor.seed: -1; a seed is"),
    "model.descriptor.neuron": ([-3], "input.json: model.descriptor.neuron: [-3]; widths"),
    "model.descriptor.axis_neuron": (99, "descriptor.axis_neuron: 99 must lie between"),
    "model.descriptor.sel": ([10**12, 4], "out of memory ("),
    "model.fitting_net.atom_ener": (
        [float("nan"), None],
        "input.json: model.fitting_net.atom_ener: [nan, None] is not finite",
    ),
    "loss.start_pref_e": (float("inf"), "input.json: loss.start_pref_e: inf is not finite"),
    "training.save_ckpt": ("", "input.json: training.save_ckpt: '' names no file"),
    "training.disp_file": ("a\0", r"input.json: training.disp_file: 'a\x00' holds a null"),
    "training.numb_steps": (-1, "input.json: training.numb_steps: -1 must be 0 or more"),
    "training.stat_file": ("input.json/s", "stat_file input.json/s: cannot be written"),
    "training.training_data.batch_size": (
        "auto:99999999999999999999",
        "input.json: training.training_data.batch_size: 'auto:9",
    ),
    "training.training_data.auto_prob": (
        "prob_sys_size;0:1:1.2.3",
        "input.json: training.training_data.auto_prob: the block '0:1:1.2.3'",
    ),
    "training.training_data.systems": (["no*e"], "no*e: not found; no file or folder matches"),
    "training.validation_data.systems": (["input.json"], "input.json: not a readable HDF5 file"),
    "training.save_dir": ("input.json/x", "training.save_dir: the folder input.json/x cannot be"),
}


@pytest.mark.parametrize("key", SETTINGS)
def test_settings(capsys, key):
    value, line = SETTINGS[key]
    rewrite(**{key: value})
    assert refused(capsys).startswith(line)


def test_all_prefactors_zero(capsys):
    keys = [f"loss.{end}_pref_{kind}" for end in ("start", "limit") for kind in "ef"]
    rewrite(**dict.fromkeys(keys, 0))
    assert "loss.start_pref_e: 0, as are limit_pref_e, " in refused(capsys)


def test_settings_are_looked_at_before_data(capsys):
    """What does not fit itself, or the file that it begins with, needs no data to be found."""
    train(capsys, code=0)
    Path("lcurve.out").unlink()
    shutil.rmtree("train")
    rewrite(**{"model.descriptor.axis_neuron": 3})
    for option in ("--init-model", "--init-frz-model", "--finetune", "--restart"):
        line = refused(capsys, option, "model.ckpt")
        assert line.startswith("model.ckpt.dp: ")
        assert "axis_neuron is 2 there, 3" in line or "nets.0.layers.0.weight is (8, 4)" in line
    rewrite(**{"model.descriptor.rcut": 0.5})
    assert "rcut_smth: 1.0 must lie between 0 and rcut" in refused(capsys)


def test_a_system_without_any_label(capsys, tmp_path):
    write_data(tmp_path / "more/some", drop=("energy",))
    write_data(tmp_path / "more/none", drop=("energy", "force"))
    rewrite(**{"training.training_data.systems": ["train", "more"]})
    line = refused(capsys)
    assert line.startswith("more/none: has none of energy, force, of which the loss needs one")
    shutil.rmtree(tmp_path / "more/none")
    lines = train(capsys, code=0)
    assert any(
        "1 of 2 systems lack energy, which does not count there: more/some" in x for x in lines
    )


def test_no_noise_where_numbers_overflow(capsys):
    """A run ends at its first step that is not finite, with the frames, and without warnings of NumPy."""
    spoil("force", lambda x: put(x, (slice(None), 0), 1e29))
    rewrite(**{"loss.start_pref_f": 1e260, "loss.limit_pref_f": 1e260})
    lines = train(capsys)
    assert "step 1: " in lines[-1]
    assert "is not finite; the frames of its batch are train: frame" in lines[-1]


@pytest.mark.parametrize("name", ["", ".", "none", "train", "input.json", "frozen.dp"])
def test_no_checkpoint(capsys, name):
    train(capsys, code=0)
    Path("lcurve.out").unlink()
    assert main(["freeze", "-o", "frozen.dp"]) == 0
    capsys.readouterr()
    line = refused(capsys, "--restart", name)
    assert "\n" not in line
    assert "no suffix" in line or name in line


def test_a_damaged_checkpoint(capsys):
    """Whatever bit of what is used has changed, a run does not go on from it."""
    train(capsys, code=0)
    Path("lcurve.out").unlink()
    path = Path("model.ckpt-2.dp")
    whole, rng = path.read_bytes(), np.random.default_rng(3)
    bad = [b"", whole[:100], whole[: len(whole) // 2], whole[:-1]]
    for place in rng.integers(0, len(whole), 12):
        flipped = bytearray(whole)
        flipped[place] ^= 1 << int(rng.integers(8))
        bad.append(bytes(flipped))
    noticed = 0
    for data in bad:
        path.write_bytes(data)
        code = main(["--numpy", "train", "input.json", "--restart", str(path)])
        lines = capsys.readouterr().err.splitlines()
        errors = [line for line in lines if line.startswith("dp: error: ")]
        assert len(errors) == code
        assert not any("unexpected" in line for line in errors)
        noticed += code
    assert noticed > len(bad) - 3, "a few bits of a file mean nothing"


def test_going_on_with_other_settings(capsys):
    """Settings of a run that is continued may differ where that means something; it is said."""
    train(capsys, code=0)
    rewrite(**{"training.numb_steps": 4, "loss.start_pref_e": 2, "optimizer.type": "AdamW"})
    lines = train(capsys, "--restart", "model.ckpt", code=0)
    (line,) = [line for line in lines if "goes on with other settings" in line]
    assert "loss.start_pref_e is 1 there, 2 in the input" in line
    assert "optimizer.type is 'Adam' there, 'AdamW' in the input" in line
    assert stored("model.ckpt.dp").training.facts["step"] == 4
    steps = [int(line.split()[0]) for line in read_lines("lcurve.out")[2:]]
    assert steps == sorted(set(steps))
    before = parameters("model.ckpt-4.dp")
    rewrite(**{"training.numb_steps": 3})
    lines = train(capsys, "--restart", "model.ckpt", code=0)
    assert any("is of step 4 and training.numb_steps is 3: no step is left" in x for x in lines)
    after = parameters("model.ckpt-4.dp")
    assert all(np.array_equal(x, after[path]) for path, x in before.items())


def test_the_learning_curve_goes_on(capsys):
    """Lines up to the checkpoint stay as they are, also where nothing more could be written; others go."""
    rewrite(**{"training.disp_freq": 1, "training.save_freq": 1, "training.numb_steps": 4})
    train(capsys, code=0)
    lines = read_lines("lcurve.out")
    with Path("lcurve.out").open("a") as file:
        file.write("      5      2.6")  # half a line of a run that was killed
    train(capsys, "--restart", "model.ckpt-2.dp", code=0)
    assert read_lines("lcurve.out")[:4] == lines[:4]
    assert [line.split()[0] for line in read_lines("lcurve.out")[2:]] == ["1", "2", "3", "4"]


@pytest.mark.parametrize("frames", [3, 9])
def test_data_that_have_grown_or_shrunk(capsys, tmp_path, frames):
    """A run that is continued takes all frames anew, and tells so; other data go on where they were."""
    train(capsys, code=0)
    before = stored("model.ckpt-2.dp").training.facts["data"][""]
    assert before["training_data"]["frames"] == [6]
    shutil.rmtree("train")
    write_data(tmp_path / "train", frames=frames)
    rewrite(**{"training.numb_steps": 3})
    lines = train(capsys, "--restart", "model.ckpt", code=0)
    assert any("training_data has changed since the checkpoint" in line for line in lines)
    assert not any("validation_data has changed" in line for line in lines)
    after = stored("model.ckpt-3.dp").training.facts["data"][""]
    assert after["training_data"]["frames"] == [frames]
    assert after["training_data"]["taken"] == [2]
    assert after["training_data"]["draws"] == before["training_data"]["draws"] + 1
    assert after["validation_data"]["taken"] > before["validation_data"]["taken"]


def test_parameters_that_mean_something_else(capsys):
    """Beginning with the parameters of a model whose settings differ is possible, and said."""
    train(capsys, code=0)
    rewrite(**{"model.descriptor.activation_function": "relu"})
    lines = train(capsys, "--init-model", "model.ckpt", code=0)
    words = "model.descriptor.activation_function is 'tanh' there, 'relu' in the input"
    assert any(words in line for line in lines)


def test_nothing_to_train(capsys):
    rewrite(**{"model.descriptor.trainable": False, "model.fitting_net.trainable": False})
    lines = train(capsys, code=0)
    assert any("model: nothing of it is trained" in line for line in lines)


def test_files_that_are_no_input(capsys):
    for text, line in (
        ('{"model": {},\n "training" {}}', "input.json: line 2, column 13: not JSON"),
        ("[1]", "input.json: the outermost value must be a section; found list"),
        ('{"loss": {"a": 1, "a": 2}}', "input.json: the key 'a' is there twice"),
    ):
        Path("input.json").write_text(text)
        assert refused(capsys).startswith(line)


def test_the_memory_is_too_small(capsys, monkeypatch):
    """What a framework says of it is understood, and the remedy is one of training."""
    from dpcore.train.loop import Loop

    def run(_):
        raise RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")

    monkeypatch.setattr(Loop, "run", run)
    line = refused(capsys)
    assert line.startswith(
        "out of memory (CUDA out of memory. Tried to allocate 2 GiB): the frames"
    )
    assert "lower training_data.batch_size" in line
