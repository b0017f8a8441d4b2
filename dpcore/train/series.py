"""Embedding networks in training as series, that kernels sum up (see :mod:`dpcore.fused.series`)."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dpcore.backend.adapter import Adapter, to_backend
from dpcore.batch import Batch, blocks
from dpcore.descriptors.radial import RadialDescriptor
from dpcore.fused.series import INTERVALS
from dpcore.models import FrozenModel, Model
from dpcore.train.parameters import Layout
from dpcore.tree import Module, inside, visit
from dpcore.xp import namespace

log = logging.getLogger(__name__)

# Series begin at this share of the distance of the closest neighbours so far, and are given up below a distance, Å.
_ROOM, _LEAST = 0.85, 0.05


@dataclass(frozen=True)
class Extent:
    """What series are made for.

    Attributes:
        shortest: distance of the closest neighbours, Å.
        intervals: how many each network has, by the path of the descriptor.
    """

    shortest: float
    intervals: Mapping[str, tuple[int, ...]]

    @classmethod
    def of(cls, shortest: float, model: Model) -> "Extent":
        """Return what the series of a model are made for."""
        intervals = {path: d.series.intervals for path, d in _with_series(model) if d.series}
        return cls(shortest, intervals)

    @classmethod
    def read(cls, state: Any) -> "Extent | None":
        """Return what was stored, or None for anything else."""
        if not isinstance(state, dict) or set(state) != {"shortest", "intervals"}:
            return None
        shortest, intervals = state["shortest"], state["intervals"]
        if not isinstance(shortest, float) or not isinstance(intervals, dict):
            return None
        each = [numbers for numbers in intervals.values() if isinstance(numbers, list)]
        known = all(number in INTERVALS for numbers in each for number in numbers)
        if not (shortest > _LEAST and known and len(each) == len(intervals)):
            return None
        return cls(shortest, {path: tuple(numbers) for path, numbers in intervals.items()})

    def state(self) -> dict[str, Any]:
        """Return it as it is written as JSON."""
        return {
            "shortest": self.shortest,
            "intervals": {p: list(n) for p, n in self.intervals.items()},
        }


@dataclass(eq=False)
class SeriesModel:
    """A model whose embedding networks are series, as far as they can be, and are kept accurate.

    Attributes:
        adapter: the backend.
        device: where its arrays are.
        model: the model, with NumPy's arrays.
        layout: where its trained arrays are in the vector.
        name: which of the models of the layout it is.
        extent: what the series are, or are to be, made for; None before there are some.
    """

    adapter: Adapter
    device: Any
    model: Model
    layout: Layout
    name: str = ""
    extent: Extent | None = None
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

    def reaches(self, batch: Batch) -> bool:
        """Return whether no neighbours of a batch are closer than series are made for."""
        return self.extent is not None and self._closest(batch) >= self.extent.shortest

    def refit(self, vector: Any, batch: Batch) -> bool:
        """Make series for the networks as they are now, and return whether there are such.

        Args:
            vector: the parameters.
            batch: the batch that they are to be accurate for.
        """
        now = self.layout.model(self.model, self.adapter.to_numpy(vector), self.name)
        before = self.extent
        stored = before is not None and not self.ready
        if before is not None and stored:
            self.model = with_series(self.model, now, before)
        else:
            closest = _ROOM * self._closest(batch)
            if before is not None:
                closest = min(closest, before.shortest)
            if not closest > _LEAST:
                return False
            before = Extent(closest, {} if before is None else before.intervals)
            self.model = with_series(self.model, now, before, exactly=False)
        self.extent = Extent.of(before.shortest, self.model)
        if not self.extent.intervals:
            self.extent = None
            return stored and self.refit(vector, batch)
        if self.ready:
            log.debug("embedding networks: series from %.3g Å", self.extent.shortest)
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


def with_series(model: Model, now: Model, extent: Extent, *, exactly: bool = True) -> Model:
    """Return a model whose descriptors are for training with kernels where they can be.

    Args:
        model: the model.
        now: the same with its networks as they are now.
        extent: what the series are made for.
        exactly: take as many intervals, not more if networks need that.
    """
    current = dict(inside(now, RadialDescriptor))

    def fit(path: str, module: Module) -> Module | None:
        if isinstance(module, FrozenModel):
            return module
        if not isinstance(module, RadialDescriptor):
            return None
        told = {"known" if exactly else "least": extent.intervals.get(path, ())}
        found = current[path].with_series(extent.shortest, **told)
        return module.with_(series=None if found is None else found.series)

    found: Model = visit(model, fit)
    return found


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


def _with_series(model: Model) -> list[tuple[str, RadialDescriptor]]:
    found = inside(model, RadialDescriptor)
    return [(path, descriptor) for path, descriptor in found if descriptor.series is not None]
