"""The competition of foci."""

from typing import Any, Self

import numpy as np

from dpcore.nn.precision import numpy_dtype
from dpcore.nn.so3.norms import RMSNorm
from dpcore.tree import Module, param, setting
from dpcore.xp import namespace

# What each focus is sure of, as a share of the whole.
SURE = 0.02


class FocusWeights(Module, name="dpa4_focus_weights"):
    """Weights of the foci of a message, from its scalars.

    Attributes:
        norm: normalises the scalars, or None.
        weight: ``(channel, focus)``.
        bias: ``(focus,)``, or None.
    """

    foci: int = setting(doc="number of foci")
    norm: RMSNorm | None
    weight: Any = param()
    bias: Any = param()

    @classmethod
    def create(
        cls,
        rng: np.random.Generator,
        sizes: tuple[int, int],
        *,
        norm: bool,
        eps: float,
        precision: str,
        bias: bool,
    ) -> Self:
        """Draw the weights of ``sizes`` foci and channels."""
        dtype, (foci, channels) = numpy_dtype(precision), sizes
        scale = RMSNorm.create(sizes, precision, eps) if norm else None
        return cls(
            foci=foci,
            norm=scale,
            weight=rng.normal(0.0, 0.01, (channels, foci)).astype(dtype),
            bias=np.zeros(foci, dtype) if bias else None,
        )

    def __call__(self, scalars: Any) -> Any:
        """Return the weights, ``(focus, edge, 1)``, of scalars ``(focus, edge, channel)``."""
        xp = namespace(scalars)
        given = scalars if self.norm is None else self.norm(scalars)
        weight = xp.permute_dims(self.weight, (1, 0))
        logits = xp.sum(given * weight[:, None, :], axis=-1, keepdims=True)
        if self.bias is not None:
            logits = logits + self.bias[:, None, None]
        weights = xp.exp(logits - xp.max(logits, axis=0, keepdims=True))
        weights = weights * (1.0 / xp.sum(weights, axis=0, keepdims=True))
        return weights * (1.0 - SURE) + SURE / self.foci
