"""Every backend against the numbers that DeePMD-kit itself gives for its own model files."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from harness import COMPILED, FRAMEWORKS

from dpcore.infer import DeepPot, load
from examples.example import GIVEN

DATA = Path(__file__).parent / "data"
CASES = sorted(folder.name for folder in DATA.iterdir())


def expected(case, tag):
    numbers = np.load(DATA / case / "expected.npz")
    found = {k.partition(".")[2]: v for k, v in numbers.items() if k.startswith(f"{tag}.")}
    box = numbers["box"] if tag == "pbc" else None
    parameters = {k: numbers[k] for k in GIVEN if k in numbers}
    return (numbers["coord"], box, numbers["atype"]), parameters, found


def test_all_cases_are_here():
    assert len(CASES) == 25


@pytest.fixture(scope="module")
def potentials():
    return {}


@pytest.fixture
def opened(framework, potentials):
    """Return ``opened(case, **options)``, which opens each model once."""

    def call(case, **options):
        key = (case, framework, *options.items())
        if key not in potentials:
            path = DATA / case / "model.dp"
            potentials[key] = load(path, backend=str(framework), **options)
        return potentials[key]

    return call


# Compilers take their time: without tables they are tested on the examples, and both boundaries of a case
# are evaluated by one worker, which compiles once for them.
RUNS = [
    pytest.param(
        case,
        backend,
        tables,
        tag,
        id=f"{case}-{tag}-{backend}-{'default' if tables is None else 'exact'}",
        marks=pytest.mark.xdist_group(f"golden-{case}-{backend}"),
    )
    for case in CASES
    for backend in FRAMEWORKS
    for tables in (None, False)
    for tag in ("pbc", "nopbc")
    if tables is None or backend not in COMPILED
]


@pytest.mark.parametrize(("case", "framework", "tables", "tag"), RUNS)
def test_float64_is_exact(case, tag, framework, tables, opened):
    framework.required()
    assert_golden(opened(case, tables=tables), case, tag)


def assert_golden(potential, case, tag):
    frames, parameters, found = expected(case, tag)
    out = potential.evaluate(*frames, **parameters)
    if "descriptor" in found:
        out["descriptor"] = potential.eval_descriptor(*frames, **parameters)
    assert out.keys() == found.keys()
    for name, value in found.items():
        assert out[name].shape == value.shape, name
        # Masks are numbers here, too.
        found_here, wanted = out[name].astype(np.float64), value.astype(np.float64)
        assert np.abs(found_here - wanted).max() <= 1e-9 * np.abs(wanted).max(), name


# Compiled backends round as the others do: some cases of different descriptors show it.
SINGLE = [
    (case, backend)
    for case in CASES
    for backend in FRAMEWORKS
    if "energy" in expected(case, "pbc")[2]
    if backend not in COMPILED or case in {"se_e2_a", "se_atten", "se_e3", "dpa3", "spin"}
]


@pytest.mark.parametrize(("case", "framework"), SINGLE, ids=str)
def test_float32_is_near(case, framework, opened):
    framework.required()
    frames, parameters, found = expected(case, "pbc")
    out = opened(case, dtype="float32").evaluate(*frames, **parameters)
    natoms = len(frames[2])
    assert np.abs(out["energy"] - found["energy"]).max() / natoms <= 1e-5
    # Forces of pair tables grow large at short distances; angles multiply the rounding of two rows.
    bound = 1e-5 if case.startswith(("se_e2", "pair")) else 5e-5
    scale = max(1.0, np.abs(found["force"]).max())
    assert np.abs(out["force"] - found["force"]).max() <= bound * scale
    assert np.abs(out["force"] - found["force"]).max() > 1e-14, "not evaluated in float32"


OPTIMISED = """
import sys
from test_golden import assert_golden
from dpcore.infer import load
for case in sys.argv[1:]:
    assert_golden(load(f"data/{case}/model.dp", backend="jax"), case, "pbc")
"""


def test_optimised_programs_give_the_same_numbers():
    """What the tests' quick compilation leaves out changes no number."""
    variables = {k: v for k, v in os.environ.items() if k != "XLA_FLAGS"}
    cases = ["se_e2_a_resnet_dt_exclude", "se_atten", "linear", "dipole"]
    done = subprocess.run(
        [sys.executable, "-c", OPTIMISED, *cases],
        cwd=DATA.parent,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.returncode, done.stderr


def test_calls_return_the_same_numbers_in_deepmd_order(opened):
    potential = opened("se_e2_a", tables=None)
    assert isinstance(potential, DeepPot)
    (coord, box, types), parameters, found = expected("se_e2_a", "pbc")
    out = potential.eval(coord.reshape(2, -1), box, types.tolist(), atomic=True, **parameters)
    for name, value in zip(
        ["energy", "force", "virial", "atom_energy", "atom_virial"], out, strict=True
    ):
        assert np.abs(value - found[name]).max() <= 1e-9 * np.abs(found[name]).max()
