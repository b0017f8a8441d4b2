"""``dp compress``."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from example_models import BY_NAME, example

from dpcore.cli import main
from dpcore.formats import Document
from dpcore.infer import DeepPot
from dpcore.registry import format_of
from examples import composites, dipole, dplr, spin

DATA = Path(__file__).parents[2] / "data"
MODEL = DATA / "se_e2_a" / "model.dp"
PARAMETERS = DATA / "se_e2_a_fparam_aparam" / "model.dp"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """The working folder of a test, with a model under the name that commands look for."""
    monkeypatch.delenv("DP_BACKEND", raising=False)
    monkeypatch.chdir(tmp_path)
    shutil.copy(MODEL, "frozen_model.dp")
    return tmp_path


def write_system(folder, model=MODEL):
    """Write two frames without labels."""
    known = np.load(model.parent / "expected.npz")
    here = Path(folder, "set.000")
    here.mkdir(parents=True)
    for name in {"coord", "box", "fparam", "aparam"} & set(known):
        np.save(here / f"{name}.npy", known[name].reshape(2, -1))
    Path(folder, "type.raw").write_text("\n".join(map(str, known["atype"])))
    Path(folder, "type_map.raw").write_text("O\nH\n")


def run(capsys, *words, code=0):
    assert main(["compress", *map(str, words)]) == code
    return capsys.readouterr()


def refused(capsys, *words):
    said = run(capsys, *words, code=1)
    (line,) = [x for x in said.err.splitlines() if x.startswith("dp: error: ")]
    assert said.out == ""
    return line


def history(path):
    return format_of(path).read(Path(path)).provenance["history"]


def test_defaults(capsys, here):
    said = run(capsys)
    assert said.err == "dp: wrote frozen_model_compressed.dp from frozen_model.dp\n"
    first, second, *rest = said.out.splitlines()
    assert first == "before       : frozen_model.dp, 70.8 kB"
    assert second.startswith("after        : frozen_model_compressed.dp, ")
    assert "first tables : down to 0.5 Å, stride " in rest[0]
    assert "second tables: down to 0.1 Å, stride " in rest[2]
    known = np.load(MODEL.parent / "expected.npz")
    out = DeepPot("frozen_model_compressed.dp").evaluate(
        known["coord"], known["box"], known["atype"]
    )
    np.testing.assert_allclose(out["energy"], known["pbc.energy"], rtol=0, atol=1e-10)
    np.testing.assert_allclose(out["force"], known["pbc.force"], rtol=0, atol=1e-10)
    assert len(list(here.iterdir())) == 2


def test_the_history_tells_how_it_was_made(capsys):
    run(capsys, "-o", "a")
    run(capsys, "-o", "b", "--step", "0.1", "-e", "3")
    (lossless,), (coarse,) = history("a.dp"), history("b.dp")
    assert lossless["from"] == "frozen_model.dp"
    assert lossless["command"] == "compress"
    assert lossless["sha256"] == hashlib.sha256(MODEL.read_bytes()).hexdigest()
    assert (lossless["step"], lossless["tolerance"]) == (None, 1e-14)
    assert (coarse["step"], coarse["tolerance"], coarse["extrapolate"]) == (0.1, None, 3)
    assert lossless["first"]["value_error"] < 1.5e-14 < coarse["first"]["value_error"] < 1e-6
    assert coarse["first"]["slope_error"] < 1e-4
    assert coarse["second"]["strides"] == [1.0, 1.0]
    main(["show", "b", "provenance"])
    assert "value_error" in capsys.readouterr().out


def test_it_is_shown_as_compressed(capsys):
    run(capsys, "-o", "a")
    for name, answer in (("a", True), ("frozen_model", False)):
        main(["show", name, "--json"])
        assert json.loads(capsys.readouterr().out)["model"]["compressed"] is answer
    main(["show", "a"])
    assert "segments.1: table" in capsys.readouterr().out


@pytest.mark.parametrize("backend", [[], ["--torch"]], ids=["default", "torch"])
def test_errors_on_data(capsys, backend):
    if backend:
        pytest.importorskip("torch")
    write_system("data/a")
    write_system("data/b")
    said = run(capsys, "--step", "0.2", "-d", "data", "-n", "1", *backend)
    *_, name, energy, force, virial = said.out.splitlines()
    assert name == f"compressed against original, on {'torch' if backend else 'numpy'}:"
    assert energy.startswith("  energy per atom : largest ")
    assert virial.endswith(" eV/atom")
    known = np.load(MODEL.parent / "expected.npz")
    frame = known["coord"][:1], known["box"][:1], known["atype"]
    forces = [
        DeepPot(path, tables=False).evaluate(*frame)["force"]
        for path in ("frozen_model.dp", "frozen_model_compressed.dp")
    ]
    largest = np.abs(forces[0] - forces[1]).max()
    assert 1e-13 < largest < 1e-3
    assert float(force.split()[3]) == pytest.approx(largest, rel=0.06)


def test_a_model_that_takes_parameters(capsys):
    write_system("data", PARAMETERS)
    out = run(capsys, "-i", PARAMETERS, "-d", "data").out
    assert float(out.split("force           : largest ")[1].split()[0]) < 1e-10


def shortest_in_data():
    from test_distances import by_hand

    known = np.load(MODEL.parent / "expected.npz")
    frames = zip(known["coord"].reshape(2, -1, 3), known["box"].reshape(2, 3, 3), strict=True)
    return min(by_hand(coord, box) for coord, box in frames)


def test_the_shortest_distance_of_data(capsys, monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "data"))
    write_system("train")
    script = {"training": {"training_data": {"systems": ["train"]}}}
    Path("input.json").write_text(json.dumps(script))
    found = []
    for words in (["-t", "input.json"], ["-d", "train", "-n", "1"]):
        run(capsys, "-o", "a", *words)
        found.append(history("a.dp")[0]["shortest"])
    assert found == pytest.approx([shortest_in_data()] * 2, rel=1e-12)


def test_options_of_deepmd_kit_that_have_no_effect(capsys):
    said = run(capsys, "-f", "-1", "-c", "model-compression").err.splitlines()
    assert said[0].startswith("dp: --frequency has no effect: ")
    assert said[1].startswith("dp: --checkpoint-folder has no effect: ")
    run(capsys, "-o", "other")
    first, second = (
        DeepPot(name).model.descriptor.nets[0].segments[0].knots
        for name in ("frozen_model_compressed.dp", "other.dp")
    )
    np.testing.assert_array_equal(first, second)


def test_other_kinds_of_files(capsys):
    """A compressed model has no place in DeePMD-kit's kinds of file."""
    main(["convert-backend", "frozen_model.dp", "text.yaml"])
    capsys.readouterr()
    run(capsys, "-i", "text.yaml", "-o", "a.dp")
    assert main(["convert-backend", "a.dp", "back.yaml"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("dp: error: cannot write back.yaml: the model is compressed")
    assert said.count("\n") == 1
    assert not Path("back.yaml").exists()
    assert "the model is compressed" in refused(capsys, "-o", "b.yaml")
    assert main(["convert-backend", "a.dp", "b.dp"]) == 0
    assert [entry["command"] for entry in history("b.dp")] == ["compress", "convert-backend"]


def test_other_commands_take_it(capsys):
    run(capsys)
    assert main(["parity", "frozen_model_compressed", "--backends", "numpy"]) == 0
    write_system("data")
    np.save("data/set.000/energy.npy", np.zeros((2, 1)))
    assert main(["test", "-m", "frozen_model_compressed", "-s", "data"]) == 0
    assert "Energy MAE" in capsys.readouterr().out


def test_a_compressed_model_is_not_compressed_again(capsys):
    run(capsys, "-o", "a")
    before = Path("a.dp").read_bytes()
    assert "a.dp: is compressed already; compress the model" in refused(
        capsys, "-i", "a", "-o", "b"
    )
    assert Path("a.dp").read_bytes() == before
    assert not Path("b.dp").exists()


def test_kinks(capsys):
    relu = Path("relu.dp")
    format_of(relu).write(relu, Document(BY_NAME["relu-relu6"].model))
    line = refused(capsys, "-i", "relu")
    assert line.startswith("dp: error: relu.dp: descriptor.nets.0: no table ")
    assert "--step" in line
    assert "largest error" in run(capsys, "-i", "relu", "--step", "0.01").out


def test_types_without_a_place_and_excluded_pairs(capsys):
    case = example("unused", sel=(8, 0), descriptor={"exclude_types": ((0, 0),)})
    path = Path("unused.dp")
    format_of(path).write(path, Document(case.model))
    assert "second tables" in run(capsys, "-i", "unused").out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-i", "nothing"], "nothing: no model file of that name"),
        (["-o", "frozen_model"], "frozen_model.dp: it is the input itself"),
        (["-o", "nowhere/model"], "the folder nowhere does not exist"),
        (["-o", "model.pb"], "model.pb: unknown suffix '.pb'"),
        (["-d", "nothing"], "nothing: not found"),
        (["-t", "nothing.json"], "nothing.json: cannot be read"),
        (["--head", "water"], "is no multi-task model; leave --head out"),
        (["-e", "0.5"], "extrapolate: 0.5 must be a finite number, 1 or more"),
        (["-s", "1e-9"], "choose a larger step"),
    ],
)
def test_mistakes_are_one_line(capsys, here, words, message):
    assert message in refused(capsys, *words)
    assert [path.name for path in here.iterdir()] == ["frozen_model.dp"]


@pytest.mark.parametrize(
    "words",
    [
        ["--step", "0"],
        ["--step", "fine"],
        ["--tolerance", "nan"],
        ["--step", "1", "--tolerance", "1"],
    ],
)
def test_words_that_are_not_understood(capsys, words):
    with pytest.raises(SystemExit) as ended:
        main(["compress", *words])
    assert ended.value.code == 2
    assert "argument" in capsys.readouterr().err


OTHERS = {
    example.name: example for example in (dipole.EXAMPLES[0], spin.EXAMPLES[1], dplr.EXAMPLES[0])
} | {e.name: e for e in composites.EXAMPLES if e.name in {"zbl", "linear_ener", "frozen"}}


@pytest.mark.parametrize("name", OTHERS)
def test_models_of_other_kinds(capsys, name):
    """Whatever a model is made of and predicts, the file with tables predicts the same."""
    model = OTHERS[name].model
    format_of("x.dp").write(Path("model.dp"), Document(model))
    frame = OTHERS[name].frame()
    part = Path("data", "set.000")
    part.mkdir(parents=True)
    given = {"coord": frame.coord, "box": frame.cell, "spin": frame.spin}
    given |= {"fparam": frame.fparam, "aparam": frame.aparam}
    for key, values in given.items():
        if values is not None:
            np.save(part / f"{key}.npy", values.reshape(1, -1))
    Path("data", "type.raw").write_text(" ".join(map(str, frame.types)))
    said = run(capsys, "-i", "model.dp", "-o", "small.dp", "-d", "data")
    lines = said.out.partition("compressed against original")[2].splitlines()[1:]
    assert len(lines) == (4 if model.conditions.spin else 3)
    assert all(float(line.split("largest ")[1].split()[0]) < 1e-8 for line in lines)
    assert main(["show", "small.dp", "model"]) == 0
    assert " ".join(capsys.readouterr().out.split()).count("compressed true") == 1
