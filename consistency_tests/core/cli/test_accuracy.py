"""``dp test`` on systems whose labels lie a known way off DeePMD-kit's own numbers."""

import json
from math import sqrt
from pathlib import Path

import numpy as np
import pytest

from dpcore.cli import main

GOLDEN = Path(__file__).resolve().parents[4] / "shared" / "golden"
MODEL = GOLDEN / "se_e2_a" / "model.dp"
PARAMETERS = GOLDEN / "se_e2_a_fparam_aparam" / "model.dp"


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch):
    if not GOLDEN.is_dir():
        pytest.fail(f"the golden models must lie in {GOLDEN}, beside the repository")
    monkeypatch.delenv("DP_BACKEND", raising=False)


def write_system(folder, model=MODEL, offset=0.5, *, pbc=True, labels=("energy", "force")):
    """Write 2 frames whose labels are DeePMD-kit's numbers less ``offset``, in each component."""
    known = np.load(model.parent / "expected.npz")
    here = folder / "set.000"
    here.mkdir(parents=True)
    kind = "pbc" if pbc else "nopbc"
    arrays = {"coord": known["coord"], "box": known["box"]}
    arrays |= {name: known[f"{kind}.{name}"] - offset for name in labels}
    arrays |= {name: known[name] for name in ("fparam", "aparam") if name in known}
    for name, values in arrays.items():
        np.save(here / f"{name}.npy", values.reshape(2, -1))
    (folder / "type.raw").write_text("\n".join(map(str, known["atype"])))
    (folder / "type_map.raw").write_text("O\nH\n")
    if not pbc:
        (folder / "nopbc").touch()
    return folder


def values(lines):
    """Return the numbers of a report by what stands before them."""
    pairs = [line.split(":") for line in lines if line.endswith(("eV", "eV/Å", "eV/Å^3"))]
    return {name.strip(): float(value.split()[0]) for name, value in pairs}


def errors_of(capsys, *words, code=0):
    assert main(["test", *map(str, words)]) == code
    return capsys.readouterr()


def test_errors_of_known_labels(capsys, tmp_path):
    write_system(tmp_path / "a", offset=0.5, labels=("energy", "force", "virial"))
    write_system(tmp_path / "b", offset=1.5, pbc=False)
    said = errors_of(capsys, "-m", MODEL, "-s", tmp_path)
    blocks = said.out.split("# -----------------------------------------------")
    first, second, average = (values(block.splitlines()) for block in blocks[:3])
    assert f"# testing system : {tmp_path / 'a'}\n# number of test data : 2 \n" in blocks[0]
    assert first["Energy MAE"] == pytest.approx(0.5, rel=1e-6)
    assert first["Energy RMSE"] == pytest.approx(0.5, rel=1e-6)
    assert first["Energy MAE/Natoms"] == pytest.approx(0.5 / 24, rel=1e-6)
    assert first["Force  MAE"] == pytest.approx(0.5, rel=1e-6)
    assert first["Virial RMSE/Natoms"] == pytest.approx(0.5 / 24, rel=1e-6)
    assert second["Force  RMSE"] == pytest.approx(1.5, rel=1e-6)
    assert "Virial MAE" not in second
    assert "# number of systems : 2" in blocks[2]
    assert average["Energy MAE"] == pytest.approx(1.0, rel=1e-6)
    assert average["Energy RMSE"] == pytest.approx(sqrt((0.25 + 2.25) / 2), rel=1e-6)
    assert average["Virial MAE"] == pytest.approx(0.5, rel=1e-6)
    assert said.err.startswith(f"dp: {MODEL} on numpy ")


def test_a_model_that_takes_parameters(capsys, tmp_path):
    write_system(tmp_path / "a", PARAMETERS)
    out = errors_of(capsys, "-m", PARAMETERS, "-s", tmp_path).out
    assert values(out.splitlines())["Energy MAE"] == pytest.approx(0.5, rel=1e-6)
    (tmp_path / "a" / "set.000" / "aparam.npy").unlink()
    said = errors_of(capsys, "-m", PARAMETERS, "-s", tmp_path, code=1)
    assert f"dp: error: {tmp_path / 'a'}: no aparam, of which the model needs 3" in said.err


def test_types_are_renumbered_to_the_model(capsys, tmp_path):
    system = write_system(tmp_path / "a")
    types = np.loadtxt(system / "type.raw", dtype=int)
    np.savetxt(system / "type.raw", 1 - types, fmt="%d")
    (system / "type_map.raw").write_text("H\nO\n")
    out = errors_of(capsys, "-m", MODEL, "-s", system).out
    assert values(out.splitlines())["Energy MAE"] == pytest.approx(0.5, rel=1e-6)


def test_a_mixed_type_system(capsys, tmp_path):
    """One atom more in each frame, of type -1, changes nothing."""
    system, known = write_system(tmp_path / "a"), np.load(MODEL.parent / "expected.npz")
    here = system / "set.000"
    types = np.tile(np.append(known["atype"], -1), (2, 1))
    np.save(here / "real_atom_types.npy", types)
    np.savetxt(system / "type.raw", np.zeros(25, int), fmt="%d")
    for name in ("coord", "force"):
        padded = np.zeros((2, 25, 3))
        padded[:, :24] = np.load(here / f"{name}.npy").reshape(2, 24, 3)
        np.save(here / f"{name}.npy", padded.reshape(2, -1))
    found = values(errors_of(capsys, "-m", MODEL, "-s", system).out.splitlines())
    assert found["Energy MAE/Natoms"] == pytest.approx(0.5 / 24, rel=1e-6)
    assert found["Force  MAE"] == pytest.approx(0.5, rel=1e-6)


def test_systems_are_named_in_many_ways(capsys, tmp_path, monkeypatch):
    write_system(tmp_path / "a")
    write_system(tmp_path / "b", offset=2.0)
    (tmp_path / "list").write_text(f"{tmp_path / 'b'}\n")
    training = {"training_data": {"systems": "a"}, "validation_data": {"systems": ["b"]}}
    (tmp_path / "input.json").write_text(json.dumps({"training": training}))
    monkeypatch.chdir(tmp_path)
    for words, error in (
        (["-s", "a"], 0.5),
        (["--system", "b"], 2.0),
        (["-f", "list"], 2.0),
        (["--train-data", "input.json"], 0.5),
        (["--valid-data", "input.json"], 2.0),
        ([], 1.25),
    ):
        out = errors_of(capsys, "-m", MODEL, *words).out
        assert values(out.splitlines())["Energy MAE"] == pytest.approx(error, rel=1e-6), words


def test_numb_test_takes_the_first_frames(capsys, tmp_path):
    system = write_system(tmp_path / "a")
    energy = np.load(system / "set.000" / "energy.npy")
    energy[1] += 100
    np.save(system / "set.000" / "energy.npy", energy)
    out = errors_of(capsys, "-m", MODEL, "-s", system, "-n", 1).out
    assert "# number of test data : 1 " in out
    assert values(out.splitlines())["Energy MAE"] == pytest.approx(0.5, rel=1e-6)
    shuffled = {
        errors_of(capsys, "-m", MODEL, "-s", system, "-n", 1, "--shuffle-test", "-r", seed).out
        for seed in range(8)
    }
    assert len(shuffled) == 2


def test_detail_files(capsys, tmp_path):
    system = write_system(tmp_path / "a")
    known = np.load(MODEL.parent / "expected.npz")
    errors_of(capsys, "-m", MODEL, "-s", system, "-d", tmp_path / "detail")
    force = np.loadtxt(tmp_path / "detail.f.out")
    np.testing.assert_allclose(force[:, 3:], known["pbc.force"].reshape(-1, 3), atol=1e-10)
    np.testing.assert_allclose(force[:, :3], force[:, 3:] - 0.5, atol=1e-10)
    assert not (tmp_path / "detail.v.out").exists()
    said = errors_of(capsys, "-m", MODEL, "-s", system, "-d", tmp_path / "no" / "detail", code=1)
    assert "is no folder; create it first" in said.err


def test_atomic_energies(capsys, tmp_path):
    known = np.load(MODEL.parent / "expected.npz")
    system = write_system(tmp_path / "a")
    assert "# no atom_ener label" in errors_of(capsys, "-m", MODEL, "-s", system, "-a").out
    labels = known["pbc.atom_energy"].reshape(2, -1) - 0.25
    np.save(system / "set.000" / "atom_ener.npy", labels)
    out = errors_of(capsys, "-m", MODEL, "-s", system, "--atomic").out
    assert values(out.splitlines())["Atomic ener RMSE"] == pytest.approx(0.25, rel=1e-6)


def test_float32_is_near(capsys, tmp_path):
    system = write_system(tmp_path / "a", offset=0.0)
    out = errors_of(capsys, "-m", MODEL, "-s", system, "--dtype", "float32").out
    error = values(out.splitlines())["Force  MAE"]
    assert 1e-10 < error < 1e-4


def test_the_suffix_of_a_model_may_be_left_out(capsys, tmp_path, monkeypatch):
    write_system(tmp_path / "a")
    (tmp_path / "frozen_model.dp").symlink_to(MODEL)
    monkeypatch.chdir(tmp_path)
    assert "dp: frozen_model.dp on numpy" in errors_of(capsys).err
    (tmp_path / "frozen_model.yaml").touch()
    assert "frozen_model.dp is taken, there is frozen_model.yaml too" in errors_of(capsys).err
    assert "nothing: no model file of that name, nor with .dp," in (
        errors_of(capsys, "-m", "nothing", code=1).err
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-m", "nothing.dp"], "nothing.dp does not exist"),
        (["-s", "nothing"], "nothing: not found"),
        (["-f", "nothing"], "nothing: cannot be read"),
        (["--device", "toaster"], "device 'toaster': the numpy backend runs on 'cpu' only"),
        (["--head", "water"], "is no multi-task model; leave --head out"),
        (["--model-branch", "water"], "is no multi-task model; leave --head out"),
    ],
)
def test_mistakes_are_one_line(capsys, tmp_path, words, message):
    write_system(tmp_path / "a")
    defaults = [] if words[0] in {"-s", "-f"} else ["-s", tmp_path]
    said = errors_of(capsys, "-m", MODEL, *defaults, *words, code=1)
    assert message in said.err
    assert said.err.splitlines()[-1].startswith("dp: error: ")
    assert said.out == ""


def test_systems_without_labels_are_skipped(capsys, tmp_path):
    write_system(tmp_path / "a")
    write_system(tmp_path / "b", labels=())
    said = errors_of(capsys, "-m", MODEL, "-s", tmp_path)
    assert f"dp: warning: {tmp_path / 'b'}: skipped, for it has no label" in said.err
    assert "# number of systems : 1" in said.out
    said = errors_of(capsys, "-m", MODEL, "-s", tmp_path / "b", code=1)
    assert "dp: error: none of the systems has a label" in said.err


def test_a_deprecated_option_is_accepted(capsys, tmp_path):
    write_system(tmp_path / "a")
    said = errors_of(capsys, "-m", MODEL, "-s", tmp_path, "-S", "set")
    assert "dp: warning: --set-prefix is deprecated" in said.err


# Model, what its labels are called, and the numbers of DeePMD-kit that they are a known way off.
OTHERS = {
    "dipole": {"dipole": "global_dipole", "atomic_dipole": "dipole"},
    "polar": {"polarizability": "global_polar", "atom_polarizability": "polar"},
    "dos": {"dos": "dos", "atom_dos": "atom_dos"},
    "property": {"foo": "foo", "atom_foo": "atom_foo"},
}


def write_labels(folder, name, offset=0.5):
    model = GOLDEN / name / "model.dp"
    write_system(folder, model, labels=())
    known = np.load(model.parent / "expected.npz")
    for label, prediction in OTHERS.get(name, {"force": "force", "force_mag": "force_mag"}).items():
        values = known[f"pbc.{prediction}"] - offset
        np.save(folder / "set.000" / f"{label}.npy", values.reshape(2, -1))
    if "spin" in known:
        np.save(folder / "set.000" / "spin.npy", known["spin"].reshape(2, -1))
    return model


@pytest.mark.parametrize(
    ("name", "line", "atomic"),
    [
        ("dipole", "Dipole  RMSE", "Dipole  RMSE"),
        ("polar", "Polarizability  RMSE", "Polarizability  RMSE"),
        ("dos", "DOS RMSE", "Atomic DOS RMSE"),
        ("property", "PROPERTY RMSE", "Atomic PROPERTY RMSE"),
    ],
)
def test_models_of_other_properties(capsys, tmp_path, name, line, atomic):
    model = write_labels(tmp_path / "a", name)
    for option, found in (([], line), (["--atomic"], atomic)):
        out = errors_of(capsys, "-m", model, "-s", tmp_path, *option).out
        told = [text.split(":") for text in out.splitlines() if ": " in text]
        values = {name.strip(): value.split()[0] for name, value in told}
        assert float(values[found]) == pytest.approx(0.5, rel=1e-6)


def test_tensors_are_told_per_atom_too(capsys, tmp_path):
    model = write_labels(tmp_path / "a", "dipole", offset=24.0)
    out = errors_of(capsys, "-m", model, "-s", tmp_path).out
    assert "Dipole  RMSE/N     : 1.000000e+00" in out
    assert "The unit of error is the same as the unit of provided label." in out


def test_models_with_spins(capsys, tmp_path):
    model = write_labels(tmp_path / "a", "spin", offset=0.25)
    out = errors_of(capsys, "-m", model, "-s", tmp_path, "-d", tmp_path / "detail").out
    found = {text.partition(":")[0].strip(): text for text in out.splitlines()}
    assert found["Force atom MAE"].endswith(": 2.500000e-01 eV/Å")
    assert found["Force spin RMSE"].endswith(": 2.500000e-01 eV/uB")
    assert "# no energy label" in out
    # Magnetic forces are those of the oxygens, the only atoms with spins.
    types = np.load(model.parent / "expected.npz")["atype"]
    assert np.loadtxt(tmp_path / "detail.fm.out").shape == (2 * np.count_nonzero(types == 0), 6)
    (tmp_path / "a" / "set.000" / "spin.npy").unlink()
    said = errors_of(capsys, "-m", model, "-s", tmp_path, code=1)
    assert "no spin, of which the model needs 3; add spin.npy" in said.err
