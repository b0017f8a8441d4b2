"""Models of DeePMD-kit's TensorFlow code, read from their variables, against its own numbers."""

from pathlib import Path

import numpy as np
import pytest

from dpcore.cli import main
from dpcore.infer import DeepDipole, DeepDOS, DeepPolar, DeepPot
from dpcore.registry import format_of

DATA = Path(__file__).parent / "data_tf"
CASES = sorted(folder.name for folder in DATA.iterdir() if (folder / "weights.npz").exists())
# What only that code has; of the others one backend is enough.
EVERYWHERE = [
    "dplr_dipole",
    "dplr_energy",
    "loc_frame",
    "se_a_ebd_v2",
    "se_a_mask",
    "se_e2_a_type_embedding",
    "se_e2_a_type_embedding_one_side",
]
KINDS = {"energy": DeepPot, "global_dipole": DeepDipole, "global_polar": DeepPolar, "dos": DeepDOS}


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    """Return the path of a case's model as a ``.dp`` file."""
    folder = tmp_path_factory.mktemp("converted")

    def path(case):
        target = folder / f"{case}.dp"
        if not target.exists():
            words = ["convert-backend", DATA / case / "weights.npz"]
            words += ["--model", DATA / case / "model.json", target]
            assert main([str(word) for word in words]) == 0
        return target

    return path


def compare(path, case, backend, tables):
    total = format_of(path).read(path).model.output.total
    model = KINDS[total](path, backend=backend, tables=tables)
    numbers = dict(np.load(DATA / case / "expected.npz"))
    parameters = {k: numbers[k] for k in ("fparam", "aparam") if k in numbers}
    frames = {"pbc": numbers.get("box"), "nopbc": None}
    compared = 0
    for tag, box in frames.items():
        keys = [k for k in numbers if k.startswith(f"{tag}.") and "short_range" not in k]
        if not keys:
            continue
        out = model.evaluate(numbers["coord"], box, numbers["atype"], **parameters)
        for key in keys:
            found, expected = out[key.split(".")[1].removesuffix("_selected")], numbers[key]
            assert_same(key, found, expected, numbers["atype"], model)
            compared += 1
    assert compared


def assert_same(key, found, expected, atype, model):
    if expected.ndim == 4:
        # There the axis of the dipole comes before that of the atoms.
        expected = np.swapaxes(expected, 1, 2)
    if key.endswith("_selected") and found.size != expected.size:
        found = found[:, np.isin(atype, model.get_sel_type())]
    found = found.reshape(expected.shape)
    assert np.abs(found - expected).max() <= 1e-9 * np.abs(expected).max(), key


@pytest.mark.parametrize("case", EVERYWHERE)
@pytest.mark.parametrize("tables", [None, False], ids=["default", "exact"])
def test_every_backend(case, tables, framework, converted):
    compare(converted(case), case, str(framework), tables)


@pytest.mark.parametrize("case", [case for case in CASES if case not in EVERYWHERE])
@pytest.mark.parametrize("tables", [None, False], ids=["default", "exact"])
def test_other_settings(case, tables, converted):
    compare(converted(case), case, "numpy", tables)


def test_energy_of_short_range(tmp_path):
    """The part that networks predict, without the charges."""
    from dpcore.formats import Document
    from dpcore_serialization.tensorflow1 import read_weights

    case = DATA / "dplr_energy"
    model = read_weights(case / "weights.npz", case / "model.json").model
    target = tmp_path / "short.dp"
    format_of(target).write(target, Document(model.energy))
    numbers = np.load(case / "expected.npz")
    out = DeepPot(target, backend="numpy").evaluate(
        numbers["coord"], numbers["box"], numbers["atype"]
    )
    for key in ("energy", "force", "virial"):
        expected = numbers[f"pbc.{key}_short_range"]
        assert np.abs(out[key] - expected).max() <= 1e-9 * np.abs(expected).max()
