"""Predictions for frames of any sizes."""

import logging
import math
import os
from collections.abc import Iterator, Sequence

import numpy as np

from dpcore.errors import DPError
from dpcore.frames import Frame, Prediction, split
from dpcore.infer.assemble import Assembly, assemble
from dpcore.infer.engine import Arrays, Engine
from dpcore.models import Model, Output

log = logging.getLogger(__name__)

# A frame is evaluated in at most this many batches of so many atoms, or in more that are smaller.
MOST_BATCHES, _FULL = 64, 512


class Evaluator:
    """Evaluate a model on frames with an engine.

    Args:
        model: the model, for what it asks of its input.
        engine: what computes.
        batch_atoms: about how many atoms are evaluated together; it bounds the memory. The environment
            variable ``DP_INFER_BATCH_SIZE`` overrides the default.
    """

    def __init__(self, model: Model, engine: Engine, batch_atoms: int | None = None) -> None:
        self.model, self.engine = model, engine
        self._batch_atoms = batch_atoms or _batch_size(engine.batch_atoms)
        self._warned = False

    def predict(self, frames: Sequence[Frame], *, atomic: bool = True) -> list[Prediction]:
        """Return the predictions and ``mask (atom,)`` of each frame, float64.

        Without ``atomic`` the atomic virials of models that pass messages, which take long, are left out. Names and shapes are those of the model's output; those of atoms have their axis first.
        """
        predictions: list[Prediction] = []
        for assembly in self._assemblies(frames):
            totals: dict[str, np.ndarray] = {}
            for batch in assembly.batches(self._centres(assembly)):
                found = dict(self.engine.predict(batch))
                if atomic and self.model.virials_by_path and self.model.output.differentiable:
                    found |= self.engine.atomic_virials(batch)
                for name, value in found.items():
                    totals[name] = totals[name] + value if name in totals else value
            predictions += _by_frame(assembly, totals, self.model.output)
        for frame, prediction in zip(frames, predictions, strict=True):
            prediction["mask"] = self._mask(frame)
        return predictions

    def describe(self, frames: Sequence[Frame]) -> list[Prediction]:
        """Return the descriptor of each frame, ``(atom, width)``."""
        results: list[Prediction] = []
        for assembly in self._assemblies(frames):
            rows: np.ndarray | None = None
            for batch in assembly.batches(self._centres(assembly)):
                place = np.concatenate([group.place for group in batch.groups])
                there, found = (
                    place < len(assembly.types),
                    self.engine.describe(batch)["descriptor"],
                )
                if rows is None:
                    rows = np.zeros((len(assembly.types), found.shape[1]))
                rows[place[there]] = found[there]
            assert rows is not None
            results += [{"descriptor": frame} for frame in assembly.split(rows)]
        return results

    def _centres(self, assembly: Assembly) -> int:
        atoms = len(assembly.types)
        if any(selection.messages for selection in assembly.selections):
            # Atoms that tell each other of their features are evaluated together.
            return max(1, atoms)
        # Each batch of a frame also pays for the frame's whole atom axis, so there are not too many.
        allowed = MOST_BATCHES * max(1, _FULL // self._batch_atoms)
        most = max(self._batch_atoms, atoms // allowed)
        batches = max(1, math.ceil(atoms / most))
        return max(1, math.ceil(atoms / batches))

    def _assemblies(self, frames: Sequence[Frame]) -> Iterator[Assembly]:
        engine, first = self.engine, 0
        for batch in split(frames, self._batch_atoms):
            assembly = assemble(batch, engine.selections, engine.sizes, engine.dtype, first=first)
            first += len(batch)
            self._warn(assembly)
            yield assembly

    def _warn(self, assembly: Assembly) -> None:
        for selection, edges in zip(assembly.selections, assembly.edges, strict=True):
            if edges.overfull and not self._warned:
                self._warned = True
                log.warning(
                    "some atoms have up to %d more neighbours than sel = %s allows within %g Å; "
                    "the nearest are used, as in DeePMD-kit",
                    edges.overfull,
                    selection.most if selection.mixed else list(selection.sel),
                    selection.rcut,
                )

    def _mask(self, frame: Frame) -> np.ndarray:
        excluded = np.isin(frame.types, self.model.atom_exclude_types)
        return ((frame.types >= 0) & ~excluded).astype(np.int64)


def _batch_size(usual: int) -> int:
    text = os.environ.get("DP_INFER_BATCH_SIZE", str(usual))
    if not text.isdecimal() or int(text) == 0:
        raise DPError(f"DP_INFER_BATCH_SIZE: {text!r} is no number of atoms; set it to 1 or more")
    return int(text)


def _by_frame(assembly: Assembly, outputs: Arrays, output: Output) -> list[Prediction]:
    nframes = len(assembly.frames)
    results: list[Prediction] = [{} for _ in range(nframes)]
    for name, value in outputs.items():
        wide = value.reshape(len(value), *output.shapes()[name]).astype(np.float64)
        rows = wide[:nframes] if name in output.per_frame else assembly.split(wide)
        for result, row in zip(results, rows, strict=True):
            result[name] = row
    return results
