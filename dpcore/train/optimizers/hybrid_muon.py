"""HybridMuon: orthogonal steps for matrices, shorter ones where gradients disagree with their mean."""

import math
from fnmatch import fnmatchcase
from typing import Any, Literal

from dpcore.errors import DPError
from dpcore.train.optimizers.muon import MuonLike
from dpcore.train.optimizers.orthogonal import POLAR, SETTLED, lengths, orthogonal
from dpcore.train.optimizers.routes import Route, matrices_of
from dpcore.train.parameters import Layout
from dpcore.tree import setting
from dpcore.xp import namespace, shape

# Arrays that are lists of numbers whatever their axes: biases, scales and tables of embeddings.
_NUMBERS = (
    "*.bias", "*.scale", "*.shift", "*.places", "*type_embedding.weight", "*.seed.types.weight",
    "*.charge_spin.charge.*.weight", "*.charge_spin.spin.*.weight",
)  # fmt: skip

# Those among them that decay: the queries and weights of attention.
_DECAYING = (
    "*.attention.rest",
    "*.attention.radial",
    "*.attention.gate",
    "*.query",
    "*.weights.weight",
)

# How agreement becomes the length of a step: width of the logistic curve, memory, least length.
_WIDTH, _KEPT, _LEAST = 2.0, 0.9, 0.1


class HybridMuon(MuonLike, name="HybridMuon"):
    """Muon for matrices, Adam for lists of numbers, AdamW for the rest (Liu et al., arXiv:2502.16982)."""

    eps = 1e-20

    lr_adjust_coeff: float = setting(0.18, doc="factor on the steps of matrices without lr_adjust")
    muon_mode: Literal["slice", "flat", "2d"] = setting(
        "slice",
        doc="arrays of more than two axes are many matrices (slice), one (flat), or none (2d)",
    )
    enable_gram: bool = setting(
        True, doc="matrices that are not square take the five best steps to an orthogonal one"
    )
    flash_muon: bool = setting(
        True,
        doc="the same numbers from a kernel of DeePMD-kit; the framework's products serve here",
    )
    magma_muon: bool = setting(
        True, doc="steps of matrices are shorter where the gradient disagrees with its mean"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.muon_mode not in {"slice", "flat", "2d"}:
            raise DPError(f"optimizer.muon_mode: {self.muon_mode!r}; allowed: slice, flat, 2d")

    @property
    def first_score(self) -> float | None:
        """The score of a matrix before the first step; None where there are no scores."""
        return 0.5 if self.magma_muon else None

    def routes(self, layout: Layout) -> tuple[Route, ...]:
        """Return how each array is updated."""
        return tuple(self._route(slot.path, slot.sizes) for slot in layout.slots)

    def _route(self, path: str, sizes: tuple[int, ...]) -> Route:
        if any(fnmatchcase(f".{path}", name) for name in _NUMBERS):
            return Route()
        if any(fnmatchcase(f".{path}", name) for name in _DECAYING):
            return Route(decays=True)
        found = matrices_of(sizes, self.muon_mode)
        return Route(found, decays=sum(n != 1 for n in sizes) > 1)

    def direction(
        self, matrices: Any, gradient: Any, mean: Any, square: Any, scores: Any
    ) -> tuple[Any, Any, Any]:
        """Return where matrices of the same sizes go, and what is remembered."""
        _, rows, columns = shape(matrices)
        step = orthogonal(matrices, POLAR if self.enable_gram and rows != columns else SETTLED)
        if self.magma_muon:
            scores = _KEPT * scores + (1.0 - _KEPT) * _agreement(gradient, mean)
            step = step * (_LEAST + (1.0 - _LEAST) * scores)[:, None, None]
        return step, square, scores


def _agreement(gradient: Any, mean: Any) -> Any:
    """Return 1 where gradients of matrices point along their mean, 0 where against it, ``(matrix,)``."""
    xp = namespace(gradient)
    product = xp.sum(gradient * mean, axis=(1, 2))
    size = lengths(gradient) * lengths(mean)
    cosine = product / xp.maximum(size, xp.zeros_like(size) + 1e-12)
    low, high = (1.0 / (1.0 + math.exp(sign / _WIDTH)) for sign in (1.0, -1.0))
    score = (xp.sigmoid(cosine / _WIDTH) - low) / (high - low)
    return xp.minimum(xp.maximum(score, xp.zeros_like(score)), xp.ones_like(score))
