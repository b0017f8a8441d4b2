"""Every backend against the numbers that DeePMD-kit itself gives for its own model files."""

from pathlib import Path

import numpy as np
import pytest

from dpcore.infer import DeepPot

DATA = Path(__file__).parent / "data"
CASES = sorted(folder.name for folder in DATA.iterdir())
KEYS = {"energy", "atom_energy", "force", "virial", "atom_virial", "mask", "descriptor"}


def expected(case, tag):
    numbers = np.load(DATA / case / "expected.npz")
    found = {k.partition(".")[2]: v for k, v in numbers.items() if k.startswith(f"{tag}.")}
    assert found.keys() == KEYS
    box = numbers["box"] if tag == "pbc" else None
    parameters = {k: numbers[k] for k in ("fparam", "aparam") if k in numbers}
    return (numbers["coord"], box, numbers["atype"]), parameters, found


def test_all_cases_are_here():
    assert len(CASES) == 5


@pytest.fixture(scope="module")
def potentials():
    return {}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("tag", ["pbc", "nopbc"])
@pytest.mark.parametrize("tables", [None, False], ids=["default", "exact"])
def test_float64_is_exact(case, tag, tables, framework, potentials):
    key = (case, framework, tables)
    if key not in potentials:
        path = DATA / case / "model.dp"
        potentials[key] = DeepPot(path, backend=str(framework), tables=tables)
    frames, parameters, found = expected(case, tag)
    out = potentials[key].evaluate(*frames, **parameters)
    out["descriptor"] = potentials[key].eval_descriptor(*frames, **parameters)
    assert out.keys() == found.keys()
    for name, value in found.items():
        assert out[name].shape == value.shape, name
        scale = np.abs(value).max()
        assert np.abs(out[name] - value).max() <= 1e-9 * scale, name


@pytest.mark.parametrize("case", CASES)
def test_float32_is_near(case, framework):
    frames, parameters, found = expected(case, "pbc")
    potential = DeepPot(DATA / case / "model.dp", backend=str(framework), dtype="float32")
    out = potential.evaluate(*frames, **parameters)
    natoms = len(frames[2])
    assert np.abs(out["energy"] - found["energy"]).max() / natoms <= 1e-5
    assert np.abs(out["force"] - found["force"]).max() <= 1e-5
    assert np.abs(out["force"] - found["force"]).max() > 1e-14, "not evaluated in float32"


def test_calls_return_the_same_numbers_in_deepmd_order(framework, potentials):
    case = CASES[0]
    key = (case, framework, None)
    if key not in potentials:
        potentials[key] = DeepPot(DATA / case / "model.dp", backend=str(framework))
    (coord, box, types), parameters, found = expected(case, "pbc")
    out = potentials[key].eval(coord.reshape(2, -1), box, types.tolist(), atomic=True, **parameters)
    for name, value in zip(
        ["energy", "force", "virial", "atom_energy", "atom_virial"], out, strict=True
    ):
        assert np.abs(value - found[name]).max() <= 1e-9 * np.abs(found[name]).max()
