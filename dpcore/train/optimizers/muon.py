"""What optimizers share that take orthogonal steps for matrices and Adam's for all else.

Source: Jordan et al., https://kellerjordan.github.io/posts/muon (2024).
"""

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from dpcore.train.optimizers.moments import Moments
from dpcore.train.optimizers.optimizer import Optimizer, check_part, check_positive
from dpcore.train.optimizers.routes import Pieces, Route
from dpcore.train.parameters import Layout
from dpcore.tree import Tree, buffer, setting
from dpcore.xp import as_type_of, namespace


class MuonState(Tree):
    """What is remembered.

    Attributes:
        moments: running means; of arrays made of matrices that of the gradient, and what belongs to
            the optimizer in place of its square.
        scores: a number for each matrix, ``(matrix,)``, or None.
    """

    moments: Moments
    scores: Any = buffer(default=None)


class MuonLike(Optimizer):
    """Base of optimizers that take orthogonal steps for matrices."""

    eps: ClassVar[float]

    momentum: float = setting(
        0.95,
        doc="share of the mean of a matrix's gradient kept in a step",
        aliases=("muon_momentum",),
    )
    adam_beta1: float = setting(0.9, doc="Adam: share of the mean of the gradient kept in a step")
    adam_beta2: float = setting(0.95, doc="Adam: share of the mean of its square kept in a step")
    weight_decay: float = setting(0.001, doc="share of matrices lost in a step, over the rate")
    lr_adjust: float = setting(
        0.0,
        doc="above 0, Adam's rate is divided by it, and tall matrices step further; otherwise matrices step "
        "by lr_adjust_coeff times the root of their larger side",
    )
    lr_adjust_coeff: float = setting(0.2, doc="factor on the steps of matrices without lr_adjust")

    def __post_init__(self) -> None:
        for key in ("momentum", "adam_beta1", "adam_beta2"):
            check_part(key, getattr(self, key))
        check_positive("weight_decay", self.weight_decay)
        check_positive("lr_adjust_coeff", self.lr_adjust_coeff, or_zero=False)

    @property
    def first_score(self) -> float | None:
        """The score of a matrix before the first step; None where there are no scores."""
        return None

    def routes(self, layout: Layout) -> tuple[Route, ...]:
        """Return how each array is updated."""
        raise NotImplementedError

    def direction(
        self, matrices: Any, gradient: Any, mean: Any, square: Any, scores: Any
    ) -> tuple[Any, Any, Any]:
        """Return where matrices of the same sizes go, and what is remembered.

        Args:
            matrices: the gradient ahead of its mean, ``(matrix, row, column)``.
            gradient: the gradient, likewise.
            mean: its mean, likewise.
            square: what is in place of the mean of its square, likewise.
            scores: a number for each, ``(matrix,)``, or None.

        Returns:
            the directions, and new ``square`` and ``scores``.
        """
        raise NotImplementedError

    def start(self, layout: Layout, vector: NDArray[Any]) -> MuonState:
        """Return the state before the first step."""
        pieces = Pieces(layout, self.routes(layout))
        count = sum(pieces.count(numbers) for numbers in pieces.by_shape().values())
        scores = None
        if self.first_score is not None and count:
            scores = np.full(count, self.first_score, vector.dtype)
        return MuonState(moments=Moments.start(vector), scores=scores)

    def __call__(
        self, vector: Any, gradient: Any, state: MuonState, rate: Any, layout: Layout
    ) -> tuple[Any, MuonState]:
        """Return parameters and state after a step."""
        rate, xp = as_type_of(rate, vector), namespace(vector)
        pieces, moments = Pieces(layout, self.routes(layout)), state.moments
        after = moments.after(gradient, self.adam_beta1, self.adam_beta2)
        values, means, squares = (pieces.split(x) for x in (vector, after.mean, after.square))
        self._adam(pieces, values, pieces.split(after.direction(self.eps)), rate)
        before = tuple(pieces.split(x) for x in (gradient, moments.mean, moments.square))
        scores = self._matrices(pieces, (values, means, squares), before, state.scores, rate)
        joined = [xp.concat(parts, axis=0) for parts in (values, means, squares)]
        after = after.with_(mean=joined[1], square=joined[2])
        return joined[0], MuonState(moments=after, scores=scores)

    def _adam(self, pieces: Pieces, values: list[Any], steps: list[Any], rate: Any) -> None:
        """Move the arrays that are no matrices."""
        rate = rate / self.lr_adjust if self.lr_adjust > 0.0 else rate
        for i in pieces.where(lambda route: route.matrices is None):
            if pieces.routes[i].decays:
                values[i] = values[i] * (1.0 - rate * self.weight_decay)
            values[i] = values[i] - rate * steps[i]

    def _matrices(
        self,
        pieces: Pieces,
        after: Sequence[list[Any]],
        before: Sequence[list[Any]],
        scores: Any,
        rate: Any,
    ) -> Any:
        """Move the arrays that are made of matrices, and return their new scores.

        Args:
            pieces: the arrays.
            after: the parameters, the means of the gradient, and what is in place of those of its square,
                by array; they are replaced.
            before: the gradient, and those means before the step.
            scores: the scores before the step.
            rate: the learning rate.
        """
        groups, kept = pieces.by_shape(), list[Any]()
        each: list[Any] = [None] * len(groups)
        if scores is not None:
            sizes = [pieces.count(numbers) for numbers in groups.values()]
            each = namespace(scores).split(scores, sizes)
        for ((rows, columns), numbers), score in zip(groups.items(), each, strict=True):
            gradient, mean, square = (pieces.stacked(x, numbers) for x in before)
            mean = self.momentum * mean + (1.0 - self.momentum) * gradient
            ahead = self.momentum * mean + (1.0 - self.momentum) * gradient
            step, square, score = self.direction(ahead, gradient, mean, square, score)  # noqa: PLW2901
            value = pieces.stacked(after[0], numbers) * (1.0 - rate * self.weight_decay)
            value = value - rate * self._factor(rows, columns) * step
            for parts, found in zip(after, (value, mean, square), strict=True):
                for i, part in zip(numbers, pieces.unstacked(found, numbers), strict=True):
                    parts[i] = part
            kept.append(score)
        return None if scores is None else namespace(scores).concat(kept, axis=0)

    def _factor(self, rows: int, columns: int) -> float:
        """Return how far matrices of these sizes step."""
        if self.lr_adjust > 0.0:
            return math.sqrt(max(1.0, rows / columns))
        return self.lr_adjust_coeff * math.sqrt(max(rows, columns))
