"""Foci: channels in groups that networks of their own run on."""

from typing import Any, Self

import numpy as np

from dpcore.nn.precision import numpy_dtype
from dpcore.tree import Module, param
from dpcore.xp import namespace, shape


def by_focus(x: Any, foci: int) -> Any:
    """Return features ``(n, …, focus · channel)`` as ``(focus, n, …, channel)``."""
    xp, sizes = namespace(x), shape(x)
    if foci == 1:
        return xp.reshape(x, (1, *sizes))
    split = xp.reshape(x, (*sizes[:-1], foci, sizes[-1] // foci))
    last = len(sizes) - 1
    return xp.permute_dims(split, (last, *range(last), last + 1))


def joined(x: Any) -> Any:
    """Return features ``(focus, n, …, channel)`` as ``(n, …, focus · channel)``."""
    xp, sizes = namespace(x), shape(x)
    if sizes[0] == 1:
        return xp.reshape(x, sizes[1:])
    last = len(sizes) - 1
    moved = xp.permute_dims(x, (*range(1, last), 0, last))
    return xp.reshape(moved, (*sizes[1:-1], sizes[0] * sizes[-1]))


def focus_weight(weight: Any, foci: int) -> Any:
    """Return weights ``(n_in, focus · n_out)`` as ``(focus, n_in, n_out)``."""
    xp, (n_in, wide) = namespace(weight), shape(weight)
    split = xp.reshape(weight, (n_in, foci, wide // foci))
    return xp.permute_dims(split, (1, 0, 2))


class FocusLinear(Module, name="so3_focus_linear"):
    """A linear map of each focus.

    Attributes:
        weight: ``(n_in, focus · n_out)``.
        bias: ``(focus · n_out,)``, or None.
    """

    weight: Any = param()
    bias: Any = param()

    @classmethod
    def create(
        cls,
        rng: np.random.Generator,
        sizes: tuple[int, int, int],
        *,
        precision: str,
        bias: bool = False,
        scale: float | None = None,
    ) -> Self:
        """Draw a map.

        Args:
            rng: source of the random numbers.
            sizes: number of foci, widths of the input and the output.
            precision: precision of the parameters.
            bias: whether there is a bias, zero at first.
            scale: deviation of the weights; None for ones evenly spread up to ``n_in^-1/2``.
        """
        foci, n_in, n_out = sizes
        dtype, bound = numpy_dtype(precision), n_in**-0.5
        full = (n_in, foci * n_out)
        drawn = rng.uniform(-bound, bound, full) if scale is None else rng.normal(0, scale, full)
        zeros = np.zeros(foci * n_out, dtype) if bias else None
        return cls(weight=drawn.astype(dtype), bias=zeros)

    def __call__(self, x: Any) -> Any:
        """Return ``(focus, n, n_out)`` of ``(focus, n, n_in)``."""
        xp, foci = namespace(x), int(shape(x)[0])
        y = xp.matmul(x, focus_weight(self.weight, foci))
        return y if self.bias is None else y + xp.reshape(self.bias, (foci, 1, -1))
