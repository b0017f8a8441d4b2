"""The derivative of a loss by the parameters of a whole model, against DeePMD-kit's PyTorch.

``data/gradient.npz`` holds two random frames of the model in ``../data/se_e2_a`` with random labels, the loss of
DeePMD-kit 3.2.0 in double precision throughout, and its derivative by each trained array.
"""

from pathlib import Path

import numpy as np
from harness import Backend

from dpcore import registry
from dpcore.backend.adapter import to_backend
from dpcore.frames import Frame
from dpcore.infer.assemble import assemble
from dpcore.neighbours.sizes import RecurringSizes
from dpcore.train.losses import EnergyLoss
from dpcore.train.objective import Lesson, Objective
from dpcore.train.parameters import Layout
from dpcore.train.targets import Target

HERE = Path(__file__).parent
SETTINGS = {
    "start_pref_e": 0.2, "limit_pref_e": 1.0, "start_pref_f": 100.0, "limit_pref_f": 1.0,
    "start_pref_v": 0.5, "limit_pref_v": 1.0,
}  # fmt: skip


def test_slopes_of_all_parameters_are_those_of_deepmd_kit(framework: Backend) -> None:
    adapter, frozen = framework.adapter(), dict(np.load(HERE / "data" / "gradient.npz"))
    path = HERE.parent / "data" / "se_e2_a" / "model.dp"
    model = registry.format_of(path).read(path).model
    frames = [Frame(coord=c, types=frozen["types"], cell=frozen["cell"]) for c in frozen["coord"]]
    batch = next(assemble(frames, model.selections, RecurringSizes()).batches(10**9))
    there = (batch.natoms > 0).astype(float)
    targets = []
    for name, length in (
        ("energy", len(there)),
        ("force", len(batch.frame)),
        ("virial", len(there)),
    ):
        known = frozen[name].reshape(-1, frozen[name].shape[-1])
        value = np.zeros((length, known.shape[1]))
        value[: len(known)] = known
        targets.append(Target(name=name, value=value, there=there))
    layout, loss = Layout.of(model), EnergyLoss(**SETTINGS).for_model(model)
    lesson = Lesson(batch=batch, targets=tuple(targets), pace=np.array(0.3))
    with adapter.scope():
        vector = adapter.asarray(layout.vector(model))
        objective = Objective(adapter, to_backend(adapter, model), layout, loss)
        found = objective.teach(vector, to_backend(adapter, lesson))
    np.testing.assert_allclose(adapter.to_numpy(found.loss), frozen["loss"], rtol=1e-13)
    for name, pair in found.errors.items():
        total, number = adapter.to_numpy(pair)
        np.testing.assert_allclose(np.sqrt(total / number), frozen[name], rtol=1e-13)
    slopes = np.split(
        adapter.to_numpy(found.gradient), np.cumsum([slot.length for slot in layout.slots])[:-1]
    )
    for slot, slope in zip(layout.slots, slopes, strict=True):
        expected = frozen[f"slope.{slot.path}"]
        np.testing.assert_allclose(slope, expected, rtol=0.0, atol=1e-12 * np.abs(expected).max())
