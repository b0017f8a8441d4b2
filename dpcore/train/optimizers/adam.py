"""Adam and AdamW."""

from typing import Any

from numpy.typing import NDArray

from dpcore.train.optimizers.moments import Moments, adam_step
from dpcore.train.optimizers.optimizer import Optimizer, check_part, check_positive
from dpcore.train.parameters import Layout
from dpcore.tree import setting
from dpcore.xp import as_type_of

_EPS = 1e-8


class AdamLike(Optimizer):
    """Base of Adam and what differs from it in the decay of the parameters."""

    adam_beta1: float = setting(0.9, doc="share of the mean of the gradient kept in a step")
    adam_beta2: float = setting(0.999, doc="share of the mean of its square kept in a step")
    weight_decay: float = setting(0.0, doc="factor on the parameters")

    def __post_init__(self) -> None:
        check_part("adam_beta1", self.adam_beta1)
        check_part("adam_beta2", self.adam_beta2)
        check_positive("weight_decay", self.weight_decay)

    def start(self, layout: Layout, vector: NDArray[Any]) -> Moments:  # noqa: ARG002
        """Return the moments before the first step."""
        return Moments.start(vector)

    def moved(self, vector: Any, gradient: Any, state: Moments, rate: Any) -> tuple[Any, Moments]:
        """Return parameters and moments after a step of Adam without decay."""
        betas = (self.adam_beta1, self.adam_beta2)
        return adam_step(vector, gradient, state, rate, betas, _EPS)


class Adam(AdamLike, name="Adam"):
    """Adam: the decay is that of a square of the parameters added to the loss."""

    weight_decay: float = setting(0.0, doc="factor on the parameters, added to the gradient")

    def __call__(
        self,
        vector: Any,
        gradient: Any,
        state: Moments,
        rate: Any,
        layout: Layout,  # noqa: ARG002
    ) -> tuple[Any, Moments]:
        """Return parameters and state after a step."""
        if self.weight_decay:
            gradient = gradient + self.weight_decay * vector
        return self.moved(vector, gradient, state, as_type_of(rate, vector))


class AdamW(AdamLike, name="AdamW"):
    """AdamW: parameters decay beside the step (Loshchilov & Hutter, arXiv:1711.05101)."""

    weight_decay: float = setting(
        0.001, doc="share of the parameters lost in a step, over the rate"
    )

    def __call__(
        self,
        vector: Any,
        gradient: Any,
        state: Moments,
        rate: Any,
        layout: Layout,  # noqa: ARG002
    ) -> tuple[Any, Moments]:
        """Return parameters and state after a step."""
        rate = as_type_of(rate, vector)
        return self.moved(vector * (1.0 - rate * self.weight_decay), gradient, state, rate)
