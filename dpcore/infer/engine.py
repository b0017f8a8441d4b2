"""What evaluates batches: a model tree on a backend, or a compiled file."""

from collections.abc import Mapping
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from dpcore.backend.adapter import Adapter, to_backend
from dpcore.batch import Batch
from dpcore.models.energy import EnergyModel
from dpcore.models.prediction import describe, predict
from dpcore.models.prepare import prepare
from dpcore.neighbours.sizes import ExactSizes, RecurringSizes, Sizes
from dpcore.tree import Leaf, rebuild
from dpcore.xp import check_dtype

Arrays = Mapping[str, NDArray[Any]]


class Engine(Protocol):
    """Something that predicts for NumPy batches.

    Attributes:
        backend: name of the backend.
        version: version of its framework.
        device: where it runs, in words.
        dtype: dtype of the displacements it takes.
        sizes: how batches for it are padded.
    """

    backend: str
    version: str
    device: str
    dtype: str
    sizes: Sizes

    def predict(self, batch: Batch) -> Arrays:
        """Return energies, forces and virials (see :func:`dpcore.models.prediction.predict`)."""
        ...

    def describe(self, batch: Batch) -> Arrays:
        """Return descriptors."""
        ...


class TreeEngine:
    """A model tree, evaluated by a backend from its arrays."""

    def __init__(
        self,
        model: EnergyModel,
        adapter: Adapter,
        *,
        device: str | None = None,
        dtype: str | None = None,
        compiled: bool | None = None,
    ) -> None:
        self.backend, self.version = adapter.name, adapter.version()
        self.device = device or adapter.capabilities.devices[0]
        self.dtype = check_dtype(dtype or "float64")
        self.sizes = _sizes(adapter, compiled=bool(compiled))
        self._adapter, self._device = adapter, adapter.device(device)
        self._model = to_backend(adapter, cast_model(prepare(model), self.dtype), self._device)
        self._predict = adapter.compile(
            lambda model, batch: predict(adapter, model, batch), requested=compiled
        )
        self._describe = adapter.compile(describe, requested=compiled)

    def predict(self, batch: Batch) -> Arrays:
        """Return energies, forces and virials of a NumPy batch."""
        return self._run(self._predict, batch)

    def describe(self, batch: Batch) -> Arrays:
        """Return the descriptors of a NumPy batch."""
        return self._run(self._describe, batch)

    def _run(self, function: Any, batch: Batch) -> Arrays:
        adapter = self._adapter
        with adapter.scope():
            outputs = function(self._model, to_backend(adapter, batch, self._device))
            return {name: adapter.to_numpy(value) for name, value in outputs.items()}


def _sizes(adapter: Adapter, *, compiled: bool) -> Sizes:
    if adapter.capabilities.jit:
        return RecurringSizes()
    return RecurringSizes(exported=True) if compiled else ExactSizes()


def cast_model(model: EnergyModel, dtype: str) -> EnergyModel:
    """Return the model for evaluation in ``dtype``; float64 leaves every array as it is stored."""

    def cast_leaf(_: str, leaf: Leaf) -> Any:
        narrower = leaf.value.dtype == np.float64 and not leaf.exact
        return leaf.value.astype(dtype) if narrower else leaf.value

    return cast("EnergyModel", rebuild(model, cast_leaf))
