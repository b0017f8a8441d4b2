"""Layer normalisation (Ba et al., arXiv:1607.06450)."""

from typing import Any, Self

import numpy as np

from dpcore.nn.precision import numpy_dtype
from dpcore.tree import Module, param, setting
from dpcore.xp import namespace


class LayerNorm(Module, name="layer_norm"):
    """Features less their mean over their standard deviation, scaled and shifted."""

    eps: float = setting(1e-5, doc="added to the variance")
    precision: str = setting("default", doc="precision of the parameters")
    trainable: bool = setting(True, doc="whether the parameters are trained")
    scale: Any = param()
    shift: Any = param()

    @classmethod
    def create(cls, width: int, **settings: Any) -> Self:
        """Return a normalisation that scales by 1 and shifts by 0."""
        dtype = numpy_dtype(settings.get("precision", cls.precision))
        return cls(scale=np.ones(width, dtype), shift=np.zeros(width, dtype), **settings)

    def __call__(self, x: Any) -> Any:
        """Normalise each row of ``x``, shape ``(..., width)``."""
        xp = namespace(x)
        centred = x - xp.mean(x, axis=-1, keepdims=True)
        variance = xp.mean(centred * centred, axis=-1, keepdims=True)
        return centred * (1.0 / xp.sqrt(variance + self.eps)) * self.scale + self.shift
