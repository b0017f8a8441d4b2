"""Running a compiled model file."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from dpcore.backend.adapter import Adapter
from dpcore.batch import Batch
from dpcore.infer.batch_size import batch_atoms
from dpcore.infer.engine import Arrays, TreeEngine, closer_than, warn_of_extrapolation
from dpcore.infer.signature import signature
from dpcore.models import Model
from dpcore.neighbours.selection import Selection
from dpcore.neighbours.sizes import ExportSizes, Sizes

Program = Callable[[Mapping[str, np.ndarray]], Arrays]


class ArtefactEngine:
    """A compiled program that predicts, with the tree it came from for everything else.

    Args:
        adapter: the backend that the program belongs to.
        model: the model that the program was made from.
        program: maps the arrays of a batch, by path, to the predictions.
        device: where the program runs, in words.
    """

    dtype = "float64"

    def __init__(self, adapter: Adapter, model: Model, program: Program, device: str) -> None:
        self.backend, self.version, self.device = adapter.name, adapter.version(), device
        self.sizes: Sizes = ExportSizes()
        self._adapter, self._model, self._program = adapter, model, program
        ready = model.prepared()
        self.selections: Sequence[Selection] = ready.selections
        self._inputs = signature(ready)
        self.batch_atoms = batch_atoms(ready, adapter.capabilities, device)
        self._tree: TreeEngine | None = None
        self._reach, self._told = model.reach, False

    def predict(self, batch: Batch) -> Arrays:
        """Return what the model predicts for a NumPy batch."""
        if not self._told and (beyond := closer_than(batch, self._reach)):
            self._told = True
            warn_of_extrapolation(beyond, self._reach)
        return self._program(self._inputs.values(batch))

    def describe(self, batch: Batch) -> Arrays:
        """Return the descriptors of a NumPy batch."""
        return self._whole_tree.describe(batch)

    def atomic_virials(self, batch: Batch) -> Arrays:
        """Return the virials of the atoms of a NumPy batch, for a model that passes messages."""
        return self._whole_tree.atomic_virials(batch)

    @property
    def _whole_tree(self) -> TreeEngine:
        """What computes that the program does not."""
        if self._tree is None:
            # Fused kernels might ask for other neighbours than the program.
            self._tree = TreeEngine(self._model, self._adapter, kernels=False)
        return self._tree
