"""Derivatives that an optimizer wants of something other than the loss."""

from dataclasses import dataclass

from dpcore.train.targets import Target

# The name of the error of a goal that the optimizer is given in place of the learning rate.
STEP = "step"


@dataclass(frozen=True)
class Goal:
    """One of several derivatives that a step is made of, one after another.

    Attributes:
        name: which of the optimizer's :attr:`~dpcore.train.optimizers.Optimizer.goal_losses` it is of.
        pace: what that is given in place of the pace.
        targets: what it is given besides the labels.
    """

    name: str
    pace: float
    targets: tuple[Target, ...] = ()
