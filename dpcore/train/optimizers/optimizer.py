"""What all optimizers share."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from dpcore.batch import Batch
from dpcore.errors import DPError
from dpcore.train.losses import Loss
from dpcore.train.optimizers.goals import Goal
from dpcore.train.parameters import Layout
from dpcore.tree import Module, Tree

# The optimizers that an input file may name.
OPTIMIZERS: dict[str, type["Optimizer"]] = {}


class Optimizer(Module):
    """Base of what changes parameters: plain array code, so that every backend takes the same steps."""

    aliases: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(
        cls, name: str = "", aliases: tuple[str, ...] = (), **kwargs: Any
    ) -> None:
        super().__init_subclass__(name=f"{name}_optimizer" if name else "", **kwargs)
        if name:
            cls.aliases = aliases
            OPTIMIZERS[name] = cls

    def start(self, layout: Layout, vector: NDArray[Any]) -> Tree:
        """Return the NumPy state before the first step.

        Args:
            layout: what is where in the vector of parameters.
            vector: the parameters, ``(parameter,)``.
        """
        raise NotImplementedError

    def __call__(
        self, vector: Any, gradient: Any, state: Any, rate: Any, layout: Layout
    ) -> tuple[Any, Any]:
        """Return parameters and state after a step.

        Args:
            vector: the parameters, ``(parameter,)``.
            gradient: the derivative of the loss by them, or of the current goal.
            state: the state before.
            rate: the learning rate, a number; of a goal the quotient of its error
                :data:`~dpcore.train.optimizers.goals.STEP`.
            layout: what is where in the vector.
        """
        raise NotImplementedError

    @property
    def goal_losses(self) -> Mapping[str, Loss]:
        """What it wants derivatives of in place of the loss, by name; nothing for most optimizers."""
        return {}

    def goals(self, batch: Batch, done: float, rng: np.random.Generator) -> Iterator[Goal]:
        """Yield what it wants derivatives of in a step; after each it is called with it.

        Args:
            batch: the NumPy batch of the step.
            done: number of the step over that of all steps.
            rng: the source of random numbers.
        """
        del batch, done, rng
        yield from ()


def check_part(key: str, value: float) -> None:
    """Refuse what is no share of what is kept from step to step."""
    if not 0.0 <= value < 1.0:
        raise DPError(f"optimizer.{key}: {value}; it is from 0 to below 1")


def check_positive(key: str, value: float, *, or_zero: bool = True) -> None:
    """Refuse numbers below zero, or zero too."""
    if not (value >= 0.0 if or_zero else value > 0.0):
        raise DPError(f"optimizer.{key}: {value}; it is {'0 or above' if or_zero else 'above 0'}")
