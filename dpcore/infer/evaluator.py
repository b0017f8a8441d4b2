"""Predictions for frames of any sizes."""

import logging
import os
from collections.abc import Callable, Sequence

import numpy as np

from dpcore.batch import Batch
from dpcore.errors import DPError
from dpcore.infer.assemble import Assembled, assemble, scatter
from dpcore.infer.engine import Arrays, Engine
from dpcore.infer.frames import Frame, Prediction, split
from dpcore.models.energy import EnergyModel

log = logging.getLogger(__name__)

PER_FRAME = frozenset({"energy", "virial"})


class Evaluator:
    """Evaluate a model on frames with an engine.

    Args:
        model: the model, for what it asks of its input.
        engine: what computes.
        batch_atoms: about how many atoms are evaluated together; it bounds the memory. The environment
            variable ``DP_INFER_BATCH_SIZE`` overrides the default.
    """

    def __init__(self, model: EnergyModel, engine: Engine, batch_atoms: int | None = None) -> None:
        self.model, self.engine = model, engine
        self._batch_atoms = batch_atoms or _batch_size()
        self._warned = False

    def predict(self, frames: Sequence[Frame]) -> list[Prediction]:
        """Return energy, force, virial, atomic energy and virial and mask of each frame, float64.

        Shapes: ``energy (1,)``, ``force (atom, 3)``, ``virial (9,)``, ``atom_energy (atom, 1)``,
        ``atom_virial (atom, 9)``, ``mask (atom,)``; eV and eV/Å.
        """
        predictions = self._run(self.engine.predict, frames)
        for frame, prediction in zip(frames, predictions, strict=True):
            prediction["mask"] = self._mask(frame)
        return predictions

    def describe(self, frames: Sequence[Frame]) -> list[Prediction]:
        """Return the descriptor of each frame, ``(atom, width)``."""
        return self._run(self.engine.describe, frames)

    def _run(
        self, function: Callable[[Batch], Arrays], frames: Sequence[Frame]
    ) -> list[Prediction]:
        results: list[Prediction] = []
        for batch in split(frames, self._batch_atoms):
            assembled = self._assemble(batch, first=len(results))
            results += _by_frame(assembled, function(assembled.batch), len(batch))
        return results

    def _assemble(self, frames: Sequence[Frame], first: int) -> Assembled:
        engine, selection = self.engine, self.model.selection
        assembled = assemble(frames, selection, engine.sizes, engine.dtype, first=first)
        if assembled.overfull and not self._warned:
            self._warned = True
            log.warning(
                "some atoms have up to %d more neighbours than sel = %s allows within %g Å; "
                "the nearest are used, as in DeePMD-kit",
                assembled.overfull,
                list(selection.sel),
                selection.rcut,
            )
        return assembled

    def _mask(self, frame: Frame) -> np.ndarray:
        excluded = np.isin(frame.types, self.model.atom_exclude_types)
        return ((frame.types >= 0) & ~excluded).astype(np.int64)


def _batch_size() -> int:
    text = os.environ.get("DP_INFER_BATCH_SIZE", "512")
    if not text.isdecimal() or int(text) == 0:
        raise DPError(f"DP_INFER_BATCH_SIZE: {text!r} is no number of atoms; set it to 1 or more")
    return int(text)


def _by_frame(assembled: Assembled, outputs: Arrays, nframes: int) -> list[Prediction]:
    results: list[Prediction] = [{} for _ in range(nframes)]
    for name, value in outputs.items():
        wide = value.reshape(len(value), -1).astype(np.float64)
        rows = wide[:nframes] if name in PER_FRAME else scatter(assembled, wide)
        for result, row in zip(results, rows, strict=True):
            result[name] = row
    return results
