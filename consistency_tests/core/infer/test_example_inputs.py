"""DeePMD-kit's example inputs of models that pass messages: they build at their full sizes and evaluate water."""

import json
from pathlib import Path

import numpy as np
import pytest
from harness import Backend, assert_close, engines_of

from dpcore.data import load_system
from dpcore.frames import Frame
from dpcore.infer.whole import WholeEvaluator
from dpcore.settings import build_model
from dpcore.tree import leaves, rebuild

WATER = Path(__file__).resolve().parents[4] / "shared" / "deepmd_examples" / "water"

# How many numbers DeePMD-kit 3.2.0 (PyTorch) trains.
SIZES = {
    "dpa2/input_torch_small": 622_219,
    "dpa2/input_torch_medium": 1_017_163,
    "dpa2/input_torch_large": 1_741_003,
    "dpa2/input_torch_compressible": 628_698,
    "dpa3/input_torch": 1_309_761,
    "dpa3/input_torch_dynamic": 1_309_761,
    "dpa4/input": 650_348,
    "dpa4/input-zbl": 650_348,
}
# The smallest of each, on the backends that do not take long to compile them.
EVERYWHERE = [Backend.TORCH, Backend.JAX, Backend.TENSORFLOW]
EVALUATED = [
    ("dpa2/input_torch_small", EVERYWHERE, 1e-10),
    ("dpa3/input_torch", [Backend.TORCH], 2e-4),
    ("dpa4/input", [Backend.TORCH], 2e-4),
]


def built(name):
    path = WATER / f"{name}.json"
    if not path.is_file():
        pytest.fail(f"the example inputs must lie in {WATER}, beside the repository")
    return build_model(json.loads(path.read_text(encoding="utf-8"))["model"], seed=1)


def stirred(model):
    """Return a model whose parameters that are drawn as zeros are none, without which some have no forces."""
    rng = np.random.default_rng(2)

    def leaf(_, own):
        if own.role != "param" or own.value.any():
            return own.value
        return rng.normal(0.0, 0.1, own.value.shape).astype(own.value.dtype)

    return rebuild(model, leaf)


@pytest.mark.parametrize("name", SIZES)
def test_as_many_numbers_are_trained_as_in_deepmd_kit(name):
    found = leaves(built(name)).values()
    assert sum(leaf.value.size for leaf in found if leaf.role == "param") == SIZES[name]


@pytest.mark.parametrize(("name", "backends", "tolerance"), EVALUATED, ids=lambda x: str(x)[:4])
def test_192_atoms_of_water(name, backends, tolerance):
    system = load_system(str(WATER / "data" / "data_0"), ["O", "H"])
    frame = Frame(system.coord[0], system.atom_types, system.cell[0])
    model = stirred(built(name))

    def predicted(backend):
        engines = engines_of(model, backend.required())
        (found,) = WholeEvaluator(model, engines, batch_atoms=512).predict([frame], atomic=False)
        return found

    expected = predicted(Backend.NUMPY)
    assert expected["force"].shape == (192, 3)
    assert np.abs(expected["force"]).max() > 1e-4
    for backend in backends:
        found = predicted(backend)
        assert_close(found["energy"], expected["energy"], tolerance, str(backend))
        assert_close(found["force"], expected["force"], tolerance, str(backend))
