"""What all losses share."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from dpcore.batch import Batch
from dpcore.errors import DPError
from dpcore.models.model import Model
from dpcore.output import Output
from dpcore.train.targets import Targets, Wanted
from dpcore.tree import Module

# The losses that an input file may name.
LOSSES: dict[str, type["Loss"]] = {}


@dataclass(frozen=True)
class LossValue:
    """What a loss is on a batch.

    Attributes:
        total: the mean over all frames of the batch of what each frame costs, a number.
        errors: for each error that is shown, by its name in ``lcurve.out``, the sum over all that has
            the label and how much that is, as ``dp test`` counts it: frames, or atoms by their number
            or weight, ``(2,)``. The error is their quotient, of those whose name begins with ``rmse``
            the root of it.
    """

    total: Any
    errors: Mapping[str, Any]


class Loss(Module):
    """Base of what training makes small.

    A frame costs the same in whichever batch it is: sums over atoms are divided by the atoms of their
    frame, and the sum over frames by the number of frames. A label that a frame does not have costs
    nothing.

    Attributes:
        excluded: types that do not count among the atoms, and whose own labels cost nothing.
    """

    aliases: ClassVar[tuple[str, ...]] = ()

    excluded: tuple[int, ...] = ()

    def __init_subclass__(
        cls, name: str = "", aliases: tuple[str, ...] = (), **kwargs: Any
    ) -> None:
        super().__init_subclass__(name=f"{name}_loss" if name else "", **kwargs)
        if name:
            cls.aliases = aliases
            LOSSES[name] = cls

    def for_model(self, model: Model) -> Self:
        """Return the loss for a model: what it predicts and which types it leaves out.

        Raises:
            DPError: the loss does not fit what the model predicts.
        """
        self.check_output(model.output)
        return self.with_(excluded=tuple(model.atom_exclude_types))

    def check_output(self, output: Output) -> None:
        """Refuse models that predict what the loss has no labels for.

        Raises:
            DPError: the loss does not fit what the model predicts.
        """
        raise NotImplementedError

    @property
    def error_names(self) -> tuple[str, ...]:
        """Names of the errors that are shown, in the order of the columns of ``lcurve.out``."""
        raise NotImplementedError

    def wanted(self, output: Output) -> tuple[Wanted, ...]:
        """Return the labels that count, for a model that predicts ``output``.

        Raises:
            DPError: the loss does not fit what the model predicts.
        """
        raise NotImplementedError

    def __call__(
        self, predicted: Mapping[str, Any], targets: Targets, batch: Batch, pace: Any
    ) -> LossValue:
        """Return the loss on a batch.

        Args:
            predicted: what :func:`dpcore.models.prediction.predict` returns.
            targets: the labels.
            batch: the batch.
            pace: the learning rate over that at the start, a number: prefactors go from their start to
                their limit as it goes from 1 to 0.
        """
        raise NotImplementedError


def refuse_output(kind: str, output: Output, remedy: str) -> DPError:
    """Return the error for a loss that does not fit what a model predicts."""
    return DPError(f"loss.type: {kind!r} does not fit a model of {output.total!r}; {remedy}")
