"""Running means of a gradient and of its square (Kingma & Ba, arXiv:1412.6980)."""

from functools import singledispatch
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from dpcore.tree import Tree, buffer
from dpcore.xp import namespace


class Moments(Tree):
    """What Adam remembers.

    Attributes:
        mean: running mean of the gradient, ``(parameter,)``.
        square: running mean of its square, ``(parameter,)``.
        kept_mean: share of its first value, zero, that is in the mean, a number.
        kept_square: likewise.
    """

    mean: Any = buffer()
    square: Any = buffer()
    kept_mean: Any = buffer()
    kept_square: Any = buffer()

    @classmethod
    def start(cls, vector: NDArray[Any]) -> Self:
        """Return the moments before the first step."""
        one = np.ones((), vector.dtype)
        return cls(
            mean=np.zeros_like(vector),
            square=np.zeros_like(vector),
            kept_mean=one,
            kept_square=one,
        )

    def grown(self, mean: Any, square: Any, betas: tuple[float, float]) -> Self:
        """Return the moments after a step from the means after it."""
        kept_mean, kept_square = betas[0] * self.kept_mean, betas[1] * self.kept_square
        return self.with_(mean=mean, square=square, kept_mean=kept_mean, kept_square=kept_square)

    def after(self, gradient: Any, beta1: float, beta2: float) -> Self:
        """Return the moments after a step."""
        mean = beta1 * self.mean + (1.0 - beta1) * gradient
        square = beta2 * self.square + (1.0 - beta2) * (gradient * gradient)
        return self.grown(mean, square, (beta1, beta2))

    def direction(self, eps: float) -> Any:
        """Return the mean over the root of the mean square, both freed of their first values."""
        xp = namespace(self.mean)
        root = xp.sqrt(self.square / (1.0 - self.kept_square))
        return self.mean / (1.0 - self.kept_mean) / (root + eps)


@singledispatch
def adam_step(
    vector: Any, gradient: Any, state: Moments, rate: Any, betas: tuple[float, float], eps: float
) -> tuple[Any, Moments]:
    """Return parameters and moments after a step; backends that have a kernel for it register themselves.

    Args:
        vector: the parameters, ``(parameter,)``.
        gradient: the derivative of the loss by them.
        state: the moments before.
        rate: the learning rate, a number.
        betas: shares of the means that are kept in a step.
        eps: what is added to the root of the mean square.
    """
    state = state.after(gradient, *betas)
    return vector - rate * state.direction(eps), state
