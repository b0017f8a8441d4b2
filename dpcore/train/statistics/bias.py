"""The output bias of a model: where it is, which of it settings fix, and putting another in its place."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from dpcore.errors import DPError
from dpcore.frames import Frame
from dpcore.models import Model
from dpcore.models.biased import BiasedModel
from dpcore.models.survey import fitting_of
from dpcore.train.statistics.frames import joined
from dpcore.train.statistics.least_squares import ByType
from dpcore.train.statistics.sums import Floats
from dpcore.tree import inside, visit


@dataclass(frozen=True)
class Owner:
    """The model, inside a whole one or itself, that has its output bias.

    Attributes:
        whole: the whole model.
        path: where the owner is in it.
        model: the owner.
    """

    whole: Model
    path: str
    model: BiasedModel

    @classmethod
    def of(cls, whole: Model) -> Self:
        """Return the owner of a model's bias.

        Raises:
            DPError: no part of the model has an output bias.
        """
        path, model = _find(whole)
        return cls(whole, path, model)

    @property
    def sizes(self) -> tuple[int, int]:
        """Number of types, and of components of the output."""
        return len(self.model.type_map), self.model.output.size

    def counts(self, frame: Frame) -> Floats:
        """Return how many atoms of each type of the owner have a part in a frame's total, ``(type,)``."""
        seen, model, path = frame, self.whole, self.path
        while path:
            part, given = next(iter(model.frames_inside([seen]).items()))
            (seen,) = given
            model, path = _part(model, part), path.removeprefix(part).removeprefix(".")
        found = np.bincount(seen.types[seen.types >= 0], minlength=self.sizes[0])
        found[list(self.model.atom_exclude_types)] = 0
        return found.astype(float)

    def fixed(self) -> Floats:
        """Return the biases that settings fix, ``(type, component)``, NaN for others.

        Raises:
            DPError: they are not one for each type, or not of the size of the output.
        """
        found = np.full(self.sizes, np.nan)
        for t, energy in enumerate(getattr(fitting_of(self.model), "atom_ener", ())):
            if energy is not None:
                found[t] = energy
        preset = self.model.preset_out_bias or ()
        if preset and len(preset) != len(found):
            raise DPError(
                f"model.preset_out_bias: {len(preset)} values for {len(found)} types; give one for each, null "
                "for those to be fitted"
            )
        for t, value in enumerate(preset):
            if value is None:
                continue
            if np.size(value) not in {1, found.shape[1]}:
                raise DPError(
                    f"model.preset_out_bias: {np.size(value)} numbers for type {t}; the output has "
                    f"{found.shape[1]} components"
                )
            found[t] = value
        return found

    def with_statistics(self, found: ByType) -> Model:
        """Return the whole model with other output statistics, in place of all biases that it had."""
        fitting, std = fitting_of(self.model), found.std
        if fitting is None:
            return self._replaced(out_bias=found.bias[None], out_std=std[None])
        if fitting.in_standard_units:
            # Deviations that are predicted in units of nothing would stay nothing.
            std = np.where(std > 0, std, 1.0)
        return self._replaced(
            out_bias=found.bias[None], out_std=std[None], fitting=fitting.without_bias()
        )

    def with_bias(self, bias: Floats) -> Model:
        """Return the whole model with another output bias, ``(type, component)``, in place of all it had."""
        return self.with_statistics(ByType(bias, self.model.out_std[0]))

    def with_shift(self, shift: Floats) -> Model:
        """Return the whole model with something added to its output bias, ``(type, component)``."""
        return self._replaced(out_bias=self.model.out_bias + shift[None])

    def _replaced(self, **changes: Any) -> Model:
        changed = self.model.with_(**changes)
        found: Model = visit(self.whole, lambda here, _: changed if here == self.path else None)
        return found


def _find(model: Model) -> tuple[str, BiasedModel]:
    if isinstance(model, BiasedModel):
        return "", model
    for part in model.frames_inside([]):
        path, owner = _find(_part(model, part))
        return joined(part, path), owner
    raise DPError(f"a model of type {model.type_name!r} has no output bias")


def _part(model: Model, path: str) -> Model:
    return dict(inside(model, Model))[path]
