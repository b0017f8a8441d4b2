"""Embedding networks in training as series, that kernels sum up (see :mod:`dpcore.fused.series`)."""

import logging
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dpcore.backend.adapter import Adapter, to_backend
from dpcore.batch import Batch, blocks
from dpcore.descriptors.radial import RadialDescriptor
from dpcore.models import FrozenModel, Model
from dpcore.train.parameters import Layout
from dpcore.tree import Module, inside, visit
from dpcore.xp import namespace

log = logging.getLogger(__name__)

# Series begin at this share of the distance of the closest neighbours so far, and are given up below a distance, Å.
_ROOM, _LEAST = 0.85, 0.05


@dataclass(eq=False)
class SeriesModel:
    """A model whose embedding networks are series, as far as they can be, and are kept accurate.

    Attributes:
        adapter: the backend.
        device: where its arrays are.
        model: the model, with NumPy's arrays.
        layout: where its trained arrays are in the vector.
        name: which of the models of the layout it is.
    """

    adapter: Adapter
    device: Any
    model: Model
    layout: Layout
    name: str = ""
    _shortest: float = np.inf
    _there: Model | None = field(default=None)

    @property
    def ready(self) -> bool:
        """Whether there are series already."""
        return self._there is not None

    @property
    def there(self) -> Model:
        """The model with series, with the backend's arrays."""
        assert self._there is not None
        return self._there

    def refit(self, vector: Any, batch: Batch) -> bool:
        """Make series for the networks as they are now, and return whether there are such.

        Args:
            vector: the parameters.
            batch: the batch that they are to be accurate for.
        """
        again = self.ready
        self._shortest = min(
            self._shortest * (_ROOM if again else 1.0), _ROOM * self._closest(batch)
        )
        if not self._shortest > _LEAST:
            return False
        now = self.layout.model(self.model, self.adapter.to_numpy(vector), self.name)
        self.model = with_series(self.model, now, self._shortest)
        if not has_series(self.model):
            return False
        if again:
            log.debug("embedding networks: series for distances from %.3g Å", self._shortest)
        self._there = to_backend(self.adapter, self.model, self.device)
        return True

    def _closest(self, batch: Batch) -> float:
        """Return the distance of the closest neighbours, Å; 1 where there are none."""
        squares = [
            float(np.min(np.sum(d * d, axis=-1), initial=np.inf, where=np.isfinite(d[..., 0])))
            for d in (self.adapter.to_numpy(block.displacement) for block in blocks(batch))
        ]
        closest = float(np.sqrt(min(squares, default=np.inf)))
        return closest if np.isfinite(closest) else 1.0


def with_series(model: Model, now: Model, shortest: float) -> Model:
    """Return a model whose descriptors are for training with kernels where they can be.

    Args:
        model: the model.
        now: the same with its networks as they are now.
        shortest: distance of the closest neighbours, Å.
    """
    current = dict(inside(now, RadialDescriptor))

    def fit(path: str, module: Module) -> Module | None:
        if isinstance(module, FrozenModel):
            return module
        if not isinstance(module, RadialDescriptor):
            return None
        found = current[path].with_series(shortest)
        return module.with_(series=None if found is None else found.series)

    found: Model = visit(model, fit)
    return found


def has_series(model: Model) -> bool:
    """Return whether kernels sum up the series of a descriptor of a model."""
    return any(module.series is not None for _, module in inside(model, RadialDescriptor))


def with_sums(model: Model) -> tuple[Model, Any | None]:
    """Return a model with the series of its networks, and how accurate they are.

    Returns:
        the model, and the largest error over what is allowed, a number; None where there are no series.
    """
    doubts: list[Any] = []

    def sums(_: str, module: Module) -> Module | None:
        if not isinstance(module, RadialDescriptor) or module.series is None:
            return None
        ready, doubt = module.with_sums()
        doubts.append(doubt)
        return ready

    found: Model = visit(model, sums)
    if not doubts:
        return model, None
    xp = namespace(doubts[0])
    return found, xp.max(xp.stack([xp.astype(doubt, "float64") for doubt in doubts]))
