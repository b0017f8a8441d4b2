"""Ways to add updates to what they update."""

import operator
from collections.abc import Sequence
from functools import reduce
from typing import Any, Self

import numpy as np

from dpcore.errors import DPError
from dpcore.nn.precision import numpy_dtype
from dpcore.tree import Module, param, setting
from dpcore.xp import shape

STYLES = ("res_avg", "res_incr", "res_residual")
STARTS = ("norm", "const")


class Weight(Module, name="residual_weight"):
    """The weights of one update.

    Attributes:
        value: a weight for each feature, or one, ``(width,)``.
    """

    value: Any = param()


class Residual(Module, name="residual"):
    """The sum of a value and its updates.

    Of a value u and n updates ``u_k`` it is ``(u + Σ u_k) / √(n + 1)`` in the style ``res_avg``,
    ``u + Σ u_k / √n`` in ``res_incr``, and ``u + Σ w_k u_k`` with trained weights in ``res_residual``.

    Attributes:
        each: w by update; none in the other styles.
    """

    style: str = setting("res_residual", doc="how updates are added")
    precision: str = setting("default", doc="precision of the weights")
    trainable: bool = setting(True, doc="whether the weights are trained")
    each: tuple[Weight, ...] = ()

    def __post_init__(self) -> None:
        if self.style not in STYLES:
            raise DPError(f"update_style: {self.style!r} is unknown; allowed: {', '.join(STYLES)}")

    @classmethod
    def of(cls, weights: Sequence[Any] | None, **settings: Any) -> Self:
        """Return the sum with some weights, one array for each update; None where there are none."""
        return cls(each=tuple(Weight(value=w) for w in weights or ()), **settings)

    @property
    def weights(self) -> tuple[Any, ...] | None:
        """The weights by update, ``(width,)`` each; None in the styles without."""
        trained = self.style == "res_residual"
        return tuple(weight.value for weight in self.each) if trained else None

    @property
    def shape(self) -> tuple[int, ...] | None:
        """Number of updates and of weights of each; None in the styles without."""
        weights = self.weights
        return None if weights is None else (len(weights), *(shape(weights[0]) if weights else ()))

    @classmethod
    def create(
        cls,
        rng: np.random.Generator,
        width: int,
        updates: int,
        *,
        style: str,
        scale: float,
        start: str,
        precision: str,
        trainable: bool,
    ) -> Self:
        """Draw the sum of a value and some updates.

        Args:
            rng: source of the random numbers.
            width: number of features; 1 for a weight that they share.
            updates: number of updates.
            style: how they are added.
            scale: size of the weights.
            start: ``norm`` for weights of normal distribution, ``const`` for equal ones.
            precision: precision of the weights.
            trainable: whether they are trained.
        """
        if start not in STARTS:
            raise DPError(
                f"update_residual_init: {start!r} is unknown; allowed: {', '.join(STARTS)}"
            )
        weights = None
        if style == "res_residual":
            sizes = (updates, width)
            drawn = rng.normal(0.0, scale, sizes) if start == "norm" else np.full(sizes, scale)
            weights = list(drawn.astype(numpy_dtype(precision)))
        return cls.of(weights, style=style, precision=precision, trainable=trainable)

    def __call__(self, value: Any, updates: Sequence[Any]) -> Any:
        """Return the sum, in the shape of the value, ``(..., width)``."""
        if self.style == "res_residual":
            pairs = zip(self.each, updates, strict=True)
            terms = [weight.value * update for weight, update in pairs]
            return value + reduce(operator.add, terms) if terms else value
        total = reduce(operator.add, updates) if updates else 0.0
        n = len(updates)
        if self.style == "res_avg":
            return (value + total) * (n + 1) ** -0.5
        return value + total * n**-0.5 if n else value
