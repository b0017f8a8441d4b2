"""Weighted sums of energies."""

from typing import Any, Self

import numpy as np

from dpcore.batch import Batch
from dpcore.descriptors.descriptor import Descriptor
from dpcore.errors import DPError
from dpcore.models.biased import neutral_statistics
from dpcore.models.composite import Composite
from dpcore.models.model import Model
from dpcore.tree import inside, setting

WEIGHTS = ("mean", "sum")


class LinearModel(Composite, name="linear_ener"):
    """The weighted sum of the energies of other models."""

    weights: tuple[float, ...] | str = setting(
        doc="weight of each model; 'mean' weighs them alike, 'sum' weighs each by 1"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.weights, str):
            if self.weights not in WEIGHTS:
                raise DPError(
                    f"model.weights: {self.weights!r} is unknown; allowed: {', '.join(WEIGHTS)}, or a "
                    "list of numbers"
                )
        elif len(self.weights) != len(self.models):
            raise DPError(
                f"model.weights: {len(self.weights)} weights for {len(self.models)} models; one for "
                "each is needed"
            )
        if not np.isfinite(self.factors).all():
            raise DPError(f"model.weights: {list(self.weights)} must be finite")

    @classmethod
    def create(
        cls,
        *,
        models: tuple[Model, ...],
        type_map: tuple[str, ...],
        weights: tuple[float, ...] | str,
        **settings: Any,
    ) -> Self:
        """Return the sum of models, without a bias of its own."""
        neutral = neutral_statistics(len(type_map))
        return cls(models=models, type_map=type_map, weights=weights, **neutral, **settings)

    @property
    def factors(self) -> tuple[float, ...]:
        """The weight of each model as a number."""
        n = len(self.models)
        named = {"mean": (1.0 / n,) * n, "sum": (1.0,) * n}
        return named[self.weights] if isinstance(self.weights, str) else self.weights

    def atomic(self, batch: Batch, displacement: Any) -> Any:
        """Return the energy of each centre, ``(centre, 1)``, eV."""
        energies = self.energies(self.shares(batch, displacement))
        total: Any = sum(w * e for w, e in zip(self.factors, energies, strict=True))
        return self.finished(total, batch)

    def features(self, batch: Batch, displacement: Any) -> Any:
        """Return the descriptors of the first model that has some, ``(centre, width)``."""
        for model, share in zip(self.models, self.shares(batch, displacement), strict=True):
            if next(inside(model, Descriptor), None) is not None:
                return model.features(*share)
        return super().features(batch, displacement)
