"""The loss of models of other properties."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal, Self

import numpy as np

from dpcore.batch import Batch
from dpcore.errors import DPError, suggest
from dpcore.fittings.by_type import as_row
from dpcore.models.biased import BiasedModel
from dpcore.models.model import Model
from dpcore.output import Output
from dpcore.train.losses.frames import Deviation, Frames, Measure
from dpcore.train.losses.loss import Loss, LossValue, refuse_output
from dpcore.train.losses.measures import MEASURES, smooth, squared
from dpcore.train.losses.terms import Prefactor, Term, total
from dpcore.train.targets import Targets, Wanted
from dpcore.tree import setting
from dpcore.xp import namespace, shape

_KNOWN = ("smooth_mae", "mae", "mse", "rmse")


class PropertyLoss(Loss, name="property"):
    """Differences of a property of frames, in units of its spread; of its share of an atom if it grows.

    Attributes:
        label: what the property and its label are called.
        intensive: whether the property does not grow with the number of atoms.
        spread: standard deviation of each component, as the model has it.
    """

    loss_func: Literal["smooth_mae", "mae", "mse", "rmse"] = setting(
        "smooth_mae",
        doc="what is made small: the sum over components, of rmse the root of the mean",
    )
    metric: tuple[str, ...] = setting(("mae",), doc="errors that are shown, likewise named")
    beta: float = setting(1.0, doc="difference from which on smooth_mae is a straight line")
    label: str = ""
    intensive: bool = False
    spread: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        for key, names in (("loss_func", (self.loss_func,)), ("metric", self.metric)):
            for name in names:
                if name not in _KNOWN:
                    raise DPError(f"loss.{key}: {name!r} is unknown{suggest(name, _KNOWN)}")
        if not self.beta >= 0.0:
            raise DPError(f"loss.beta: {self.beta}; it is 0 or above")

    def check_output(self, output: Output) -> None:
        """Refuse models of energies, tensors and densities of states, which have losses of their own."""
        if output.differentiable or output.rank or output.atomic == "atom_dos":
            raise refuse_output("property", output, "take another type")

    def for_model(self, model: Model) -> Self:
        """Return the loss for a model: its property, the spread of that, and the types left out."""
        output = model.output
        spread = model.out_std[0, 0] if isinstance(model, BiasedModel) else np.ones(output.size)
        return (
            super()
            .for_model(model)
            .with_(
                label=output.total,
                intensive=output.intensive,
                spread=tuple(float(x) for x in np.asarray(spread)),
            )
        )

    @property
    def error_names(self) -> tuple[str, ...]:
        """Names of the errors that are shown, in the order of the columns of ``lcurve.out``."""
        return tuple(sorted(set(self.metric)))

    def wanted(self, output: Output) -> tuple[Wanted, ...]:
        """Return the property."""
        self.check_output(output)
        return (Wanted(output.total, "frame", output.size, needed=True),)

    def __call__(
        self, predicted: Mapping[str, Any], targets: Targets, batch: Batch, pace: Any
    ) -> LossValue:
        """Return the loss on a batch."""
        target = targets.get(self.label)
        frames = Frames.of(batch, self.excluded, pace if target is None else target.value)
        if target is None:
            return total((), frames, pace)
        deviation = Deviation.of_frames(frames, predicted[self.label], target)
        deviation = deviation if self.intensive else deviation.per_atom()
        errors = {name: deviation.error(self._measure(name)) for name in self.metric}
        units = 1.0 / as_row(self.spread, deviation.value)
        scaled = replace(deviation, value=deviation.value * units[None, :])
        if self.loss_func == "rmse":
            return LossValue(_root(scaled.error(squared)), errors)
        cost = scaled.cost(self._measure(self.loss_func)) * shape(scaled.value)[1]
        return total([Term(Prefactor(1.0, 1.0), cost, errors)], frames, pace)

    def _measure(self, name: str) -> Measure:
        return smooth(self.beta) if name == "smooth_mae" else MEASURES[name.replace("rmse", "mse")]


def _root(pair: Any) -> Any:
    """Return the root of a quotient, with a slope of zero at zero."""
    xp = namespace(pair)
    mean = pair[0] / xp.maximum(pair[1], xp.ones_like(pair[1]))
    positive = mean > 0.0
    root = xp.sqrt(xp.where(positive, mean, xp.ones_like(mean)))
    return xp.where(positive, root, xp.zeros_like(root))
