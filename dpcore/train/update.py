"""A step of the optimizer on a backend: clipping, the update itself, and the running average."""

from typing import Any

from dpcore import tree
from dpcore.backend.adapter import Adapter
from dpcore.train.optimizers import Optimizer
from dpcore.train.parameters import Layout
from dpcore.tree import Tree, buffer
from dpcore.xp import namespace

# A gradient longer than this is no gradient: it comes of numbers that are not finite.
_ENDLESS = 1e150


class Progress(Tree):
    """What changes from step to step.

    Attributes:
        vector: the parameters, ``(parameter,)``.
        state: what the optimizer remembers.
        average: the running average of the parameters, or None.
    """

    vector: Any = buffer()
    state: Any
    average: Any = buffer(default=None)


class Push(Tree):
    """What a step is made of.

    Attributes:
        gradient: the derivative of the loss by the parameters, ``(parameter,)``.
        rate: the learning rate, a number.
        norm: the length of the derivative, or None where it is not known yet.
    """

    gradient: Any = buffer()
    rate: Any = buffer()
    norm: Any = buffer(default=None)


class Updater:
    """Takes the steps.

    Args:
        adapter: the backend.
        optimizer: what changes the parameters.
        layout: what is where in their vector.
        max_norm: the length beyond which gradients are shortened to it; None to leave them.
        decay: how much of the running average is kept in a step.

    Attributes:
        layout: what is where in the vector.
    """

    def __init__(
        self,
        adapter: Adapter,
        optimizer: Optimizer,
        layout: Layout,
        *,
        max_norm: float | None = None,
        decay: float = 0.999,
    ) -> None:
        self._adapter, self._optimizer, self.layout = adapter, optimizer, layout
        self._max_norm, self._decay = max_norm, decay
        self._length = adapter.compile(_length, requested=None)
        self._compiled = adapter.compile(self._step, requested=None)

    def __call__(self, progress: Progress, gradient: Any, rate: Any) -> tuple[Progress, Any]:
        """Return what there is after a step, and the length of the gradient.

        Where the gradient is not finite nothing changes.
        """
        push = Push(gradient=gradient, rate=rate)
        with self._adapter.scope():
            norm = self._length(push, push)["norm"]
            if not float(self._adapter.to_numpy(norm)) < _ENDLESS:
                return progress, norm
            found = self._compiled(progress, push.with_(norm=norm))
        return tree.replace(progress, found), norm

    def _step(self, progress: Progress, push: Push) -> dict[str, Any]:
        """Return what there is after a step, by path."""
        xp, gradient = namespace(push.gradient), push.gradient
        if self._max_norm is not None:
            one = xp.ones_like(push.norm)
            gradient = gradient * xp.minimum(self._max_norm / (push.norm + 1e-6), one)
        vector, state = self._optimizer(
            progress.vector, gradient, progress.state, push.rate, self.layout
        )
        average = progress.average
        if average is not None:
            average = average * self._decay + vector * (1.0 - self._decay)
        return tree.arrays(Progress(vector=vector, state=state, average=average))


def _length(push: Push, _: Push) -> dict[str, Any]:
    """Return the length of the gradient."""
    xp, gradient = namespace(push.gradient), push.gradient
    # A product of a row and a column makes no array of squares.
    square = xp.matmul(xp.reshape(gradient, (1, -1)), xp.reshape(gradient, (-1, 1)))
    return {"norm": xp.sqrt(square[0, 0])}
