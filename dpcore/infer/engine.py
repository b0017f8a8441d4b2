"""What evaluates batches: a model tree on a backend, or a compiled file."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from dpcore.backend.adapter import Adapter, as_inputs, to_backend
from dpcore.batch import Batch, blocks
from dpcore.infer.batch_size import batch_atoms
from dpcore.models import Model
from dpcore.models.atomic_virials import atomic_virials
from dpcore.models.prediction import describe, predict
from dpcore.neighbours.selection import Selection
from dpcore.neighbours.sizes import ExactSizes, RecurringSizes, Sizes
from dpcore.tree import Leaf, map_arrays, rebuild
from dpcore.xp import check_dtype

log = logging.getLogger(__name__)

_CACHE_LINE = 64

Arrays = Mapping[str, NDArray[Any]]


class Engine(Protocol):
    """Something that predicts for NumPy batches.

    Attributes:
        backend: name of the backend.
        version: version of its framework.
        device: where it runs, in words.
        dtype: dtype of the displacements it takes.
        selections: the neighbours that its batches hold.
        sizes: how batches for it are padded.
        batch_atoms: how many atoms are best evaluated together.
    """

    backend: str
    version: str
    device: str
    dtype: str
    selections: Sequence[Selection]
    sizes: Sizes
    batch_atoms: int

    def predict(self, batch: Batch) -> Arrays:
        """Return what the model predicts (see :func:`dpcore.models.prediction.predict`)."""
        ...

    def describe(self, batch: Batch) -> Arrays:
        """Return descriptors."""
        ...

    def atomic_virials(self, batch: Batch) -> Arrays:
        """Return the virials of atoms that pass messages."""
        ...


class TreeEngine:
    """A model tree, evaluated by a backend from its arrays.

    Args:
        model: the model, with NumPy arrays.
        adapter: the backend.
        device: name of a device; by default the backend's own choice.
        dtype: ``float64`` or ``float32``; by default float64.
        compiled: compile the evaluation, where the backend offers it and does not do so anyway.
        tables: evaluate embedding networks by tables that agree with them to rounding; by default
            where the backend has kernels for them.
        kernels: use the backend's fused kernels, where it has some.

    Attributes:
        beyond_tables: number of neighbours so far that were too close for the tables.
    """

    def __init__(
        self,
        model: Model,
        adapter: Adapter,
        *,
        device: str | None = None,
        dtype: str | None = None,
        compiled: bool | None = None,
        tables: bool | None = None,
        kernels: bool = True,
    ) -> None:
        self.backend, self.version = adapter.name, adapter.version()
        self.device = device or adapter.capabilities.devices[0]
        self.dtype = check_dtype(dtype or "float64")
        self.sizes = _sizes(adapter, compiled=bool(compiled))
        self._model, self._adapter, self._compiled = model, adapter, compiled
        self._device = adapter.device(device)
        self._kernels = adapter.kernels(self._device) if kernels else ()
        self._default = self._ready(tables=tables)
        self.selections: Sequence[Selection] = self._default.model.selections
        self.batch_atoms = batch_atoms(self._default.model, adapter.capabilities, self.device)
        self._networks: _Ready | None = None
        self.beyond_tables, self._told = 0, False

    def predict(self, batch: Batch) -> Arrays:
        """Return what the model predicts for a NumPy batch."""
        ready = self._ready_for(batch)
        return self._run(ready, ready.predict, batch)

    def describe(self, batch: Batch) -> Arrays:
        """Return the descriptors of a NumPy batch."""
        ready = self._ready_for(batch)
        return self._run(ready, ready.describe, batch)

    def atomic_virials(self, batch: Batch) -> Arrays:
        """Return the virials of the atoms of a NumPy batch, for a model that passes messages."""
        ready = self._ready_for(batch)
        return self._run(ready, ready.atomic_virials, batch)

    def _ready(self, *, tables: bool | None) -> "_Ready":
        """Make the model ready, on the device."""
        adapter = self._adapter
        narrow = cast_model(self._model, self.dtype)
        tree = narrow.prepared(tables=tables, kernels=self._kernels)
        tree = map_arrays(cache_aligned, tree)
        return _Ready(
            model=to_backend(adapter, tree, self._device),
            reach=tree.reach,
            predict=adapter.compile(
                lambda model, batch: predict(adapter, model, batch), requested=self._compiled
            ),
            describe=adapter.compile(describe, requested=self._compiled),
            atomic_virials=adapter.compile(
                lambda model, batch: atomic_virials(adapter, model, batch), requested=self._compiled
            ),
        )

    def _ready_for(self, batch: Batch) -> "_Ready":
        """Return the model for a batch: with its networks where neighbours are beyond the tables."""
        reach = self._default.reach
        beyond = closer_than(batch, reach)
        if not beyond:
            return self._default
        self.beyond_tables += beyond
        if self._networks is None:
            self._networks = self._ready(tables=False)
        self._tell(reach, self._networks.reach)
        return self._networks

    def _tell(self, reach: float, without: float) -> None:
        if self._told:
            return
        self._told = True
        if without:
            warn_of_extrapolation(self.beyond_tables, reach)
        else:
            log.info(
                "%d neighbours are closer than %.2f Å, beyond the tables: their batch is evaluated by "
                "the networks",
                self.beyond_tables,
                reach,
            )

    def _run(self, ready: "_Ready", function: Any, batch: Batch) -> Arrays:
        adapter = self._adapter
        with adapter.scope():
            outputs = function(ready.model, as_inputs(adapter, batch, self._device))
            return {name: adapter.to_numpy(value) for name, value in outputs.items()}


def engines_of(model: Model, adapter: Adapter, **options: Any) -> dict[str, TreeEngine]:
    """Return an engine for each part of a model; ``options`` are those of :class:`TreeEngine`."""
    return {name: TreeEngine(part, adapter, **options) for name, part in model.parts.items()}


@dataclass(frozen=True)
class _Ready:
    """Hold a model on its device, with the functions that evaluate it.

    ``reach`` is the distance, Å, below which a neighbour is beyond the model's tables.
    """

    model: Model
    reach: float
    predict: Any
    describe: Any
    atomic_virials: Any


def warn_of_extrapolation(neighbours: int, reach: float) -> None:
    """Say that neighbours were too close for the tables of a compressed model."""
    log.warning(
        "%d neighbours are closer than %.2f Å, where the tables of this compressed model end; "
        "they are extrapolated in a straight line",
        neighbours,
        reach,
    )


def closer_than(batch: Batch, distance: float) -> int:
    """Return how many neighbours of a NumPy batch are closer than a distance in Å."""
    near = 0
    for block in blocks(batch) if distance > 0 else ():
        if block.is_list:
            lengths = np.linalg.norm(block.displacement, axis=-1)
            near += int(np.count_nonzero((lengths < distance) & block.mask()))
            continue
        # Neighbours are sorted: where the first is not that close, none is.
        rows = np.flatnonzero(block.count > 0)
        nearest = np.linalg.norm(block.displacement[rows, :1], axis=-1)
        first = (nearest < distance).any(axis=1)
        if first.any():
            rows = rows[first]
            lengths = np.linalg.norm(block.displacement[rows], axis=-1)
            near += int(np.count_nonzero((lengths < distance) & block.mask()[rows]))
    return near


def cache_aligned(x: NDArray[Any]) -> NDArray[Any]:
    """Return a copy of an array that begins with a cache line: kernels read its rows at full speed."""
    room = np.empty(x.nbytes + _CACHE_LINE, np.uint8)
    first = -room.ctypes.data % _CACHE_LINE
    copy = room[first : first + x.nbytes].view(x.dtype).reshape(x.shape)
    copy[...] = x
    return copy


def _sizes(adapter: Adapter, *, compiled: bool) -> Sizes:
    if adapter.capabilities.jit:
        return RecurringSizes()
    return RecurringSizes(exported=True) if compiled else ExactSizes()


def cast_model(model: Model, dtype: str) -> Model:
    """Return the model for evaluation in ``dtype``; float64 leaves every array as it is stored."""

    def cast_leaf(_: str, leaf: Leaf) -> Any:
        narrower = leaf.value.dtype == np.float64 and not leaf.exact
        return leaf.value.astype(dtype) if narrower else leaf.value

    return cast("Model", rebuild(model, cast_leaf))
