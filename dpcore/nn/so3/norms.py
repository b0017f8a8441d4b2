"""Normalisations by the root mean square."""

from typing import Any, Self

import numpy as np

from dpcore.nn.precision import numpy_dtype
from dpcore.nn.so3.rows import Rows
from dpcore.tree import Module, param, setting
from dpcore.xp import namespace, shape


class RMSNorm(Module, name="rms_norm"):
    """Numbers over their root mean square, times a trained scale.

    Attributes:
        scale: ``(n,)``, or for each focus ``(focus, n)``.
    """

    eps: float = setting(1e-7, doc="added to the mean square")
    scale: Any = param()

    @classmethod
    def create(cls, sizes: tuple[int, ...], precision: str, eps: float = 1e-7) -> Self:
        """Return a normalisation with scales of 1."""
        return cls(eps=eps, scale=np.ones(sizes, numpy_dtype(precision)))

    def __call__(self, x: Any) -> Any:
        """Normalise ``x``, ``(..., n)``, with foci ``(focus, …, n)``."""
        xp = namespace(x)
        square = xp.mean(x * x, axis=-1, keepdims=True)
        foci, scale, axes = shape(self.scale)[:-1], self.scale, len(shape(x))
        if foci and axes > 2:
            scale = xp.reshape(scale, (*foci, *(1,) * (axes - 2), shape(scale)[-1]))
        return x * (1.0 / xp.sqrt(square + self.eps)) * scale


class RowsNorm(Module, name="so3_rows_norm"):
    """Features over their root mean square over all degrees, each of which counts the same.

    The mean over the channels is subtracted from degree 0 first.

    Attributes:
        scale: ``(focus, degree, channel)``, or of features as a whole ``(degree, 1, channel)``.
        shift: added to degree 0, ``(focus, channel)``.
    """

    eps: float = setting(1e-5, doc="added to the mean square")
    scale: Any = param()
    shift: Any = param()

    @classmethod
    def create(
        cls, lmax: int, foci: int | None, channels: int, precision: str, eps: float = 1e-5
    ) -> Self:
        """Return a normalisation with scales of 1 and shifts of 0, of each focus or of features as a whole."""
        dtype, n = numpy_dtype(precision), lmax + 1
        sizes = (n, 1, channels) if foci is None else (foci, n, channels)
        shift = np.zeros((foci or 1, channels), dtype)
        return cls(eps=eps, scale=np.ones(sizes, dtype), shift=shift)

    def __call__(self, x: Any, rows: Rows) -> Any:
        """Normalise features, ``(focus, n, row, channel)``."""
        xp, (foci, _, _, channels) = namespace(x), shape(x)
        sizes = [1, rows.number - 1]
        scalar, rest = xp.split(x, sizes, axis=2)
        scalar = scalar - xp.mean(scalar, axis=-1, keepdims=True)
        centred = scalar if rows.number == 1 else xp.concat([scalar, rest], axis=2)
        inverse = 1.0 / xp.sqrt(rows.mean_square(centred) + self.eps)
        scale = xp.reshape(self.scale, (foci, 1, rows.lmax + 1, channels))
        scaled = rows.times(centred * inverse, scale)
        scalar, rest = xp.split(scaled, sizes, axis=2)
        scalar = scalar + self.shift[:, None, None, :]
        return scalar if rows.number == 1 else xp.concat([scalar, rest], axis=2)
