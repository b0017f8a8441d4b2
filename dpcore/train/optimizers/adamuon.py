"""AdaMuon: orthogonal steps whose numbers are divided by their own running size."""

import math
from typing import Any

from dpcore.train.optimizers.muon import MuonLike
from dpcore.train.optimizers.orthogonal import FIVE_STEPS, lengths, orthogonal
from dpcore.train.optimizers.routes import Route, whole_matrix
from dpcore.train.parameters import Layout
from dpcore.tree import setting
from dpcore.xp import as_type_of, namespace, shape

# Root mean square of a step of a matrix before any other factor.
_SIZE = 0.2


class AdaMuon(MuonLike, name="AdaMuon"):
    """AdaMuon for arrays of two axes or more, Adam for others (Si et al., arXiv:2507.11005)."""

    eps = 1e-8

    lr_adjust: float = setting(
        10.0,
        doc="above 0, Adam's rate is divided by it, and tall matrices step further; otherwise matrices step "
        "by lr_adjust_coeff times the root of their larger side",
    )

    def routes(self, layout: Layout) -> tuple[Route, ...]:
        """Return how each array is updated."""
        return tuple(Route(whole_matrix(slot.sizes)) for slot in layout.slots)

    def direction(
        self,
        matrices: Any,
        gradient: Any,  # noqa: ARG002
        mean: Any,  # noqa: ARG002
        square: Any,
        scores: Any,
    ) -> tuple[Any, Any, Any]:
        """Return where matrices of the same sizes go, and what is remembered."""
        xp, (_, rows, columns) = namespace(matrices), shape(matrices)
        signs = as_type_of(matrices > 0.0, matrices) - as_type_of(matrices < 0.0, matrices)
        step = orthogonal(signs, FIVE_STEPS)
        square = self.momentum * square + (1.0 - self.momentum) * step * step
        step = step / (xp.sqrt(square) + self.eps)
        size = _SIZE * math.sqrt(rows * columns) / (lengths(step) + self.eps)
        return step * size[:, None, None], square, scores
