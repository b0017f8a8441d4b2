"""Maps among the degrees of a neighbour's features that depend on its distance."""

from typing import Any, Literal, Self

import numpy as np

from dpcore.nn.precision import numpy_dtype
from dpcore.nn.so3.linear import truncated
from dpcore.nn.so3.rows import Rows
from dpcore.tree import Module, param, setting
from dpcore.xp import namespace, shape

Mode = Literal["degree", "degree_channel"]


class DegreeMixer(Module, name="so3_degree_mixer"):
    """For each edge and order a matrix among degrees, from a linear map of the radial features.

    With mode ``degree`` there is one matrix for all channels; with ``degree_channel`` one for each channel,
    or of a rank r > 0 ``Σ_r K_r`` times a trained vector of the channels.

    Attributes:
        weight: ``(degree · channel, kernel)``; kernels are order by order, each from degree to degree, the
            rank or channel running fastest.
        basis: vectors of the channels, ``(rank, channel)``, or None.
    """

    mode: str = setting("degree_channel", doc="degree or degree_channel")
    rank: int = setting(1, doc="rank of the kernels of channels, 0 for full ones")
    weight: Any = param()
    basis: Any = param()

    @classmethod
    def create(
        cls,
        rng: np.random.Generator,
        rows: Rows,
        channels: int,
        *,
        mode: Mode,
        rank: int,
        precision: str,
    ) -> Self:
        """Draw a map."""
        dtype, n_in = numpy_dtype(precision), (rows.lmax + 1) * channels
        each = 1 if mode == "degree" else rank or channels
        n_out = each * sum((rows.lmax + 1 - m) ** 2 for m in range(rows.mmax + 1))
        weight = truncated(rng, (n_in, n_out), n_in, n_out).astype(dtype)
        basis = None
        if mode == "degree_channel" and rank > 0:
            basis = truncated(rng, (rank, channels), rank, channels).astype(dtype)
        return cls(mode=mode, rank=rank, weight=weight, basis=basis)

    def __call__(self, x: Any, radial: Any, rows: Rows) -> Any:
        """Return the mixed features, ``(edge, row, channel)``.

        Args:
            x: features by order.
            radial: ``(edge, degree, channel)``.
            rows: the rows of the features.
        """
        xp, sizes = namespace(x), shape(x)
        flat = xp.reshape(radial, (sizes[0], (rows.lmax + 1) * sizes[2]))
        kernels = xp.matmul(flat, self.weight)
        each = 1 if self.mode == "degree" else self.rank or sizes[2]
        found, start = [], 0
        for first, n, m, _ in rows.pieces:
            kernel = xp.reshape(kernels[:, start : start + n * n * each], (sizes[0], n, n, each))
            found.append(self._mixed(kernel, x[:, first : first + n, :]))
            # The orders -m and m share kernels.
            if m == 0 or first != _first(rows, m):
                start += n * n * each
        return found[0] if len(found) == 1 else xp.concat(found, axis=1)

    def _mixed(self, kernel: Any, x: Any) -> Any:
        """Return ``Σ_a K_ab x_a``, ``(edge, b, channel)``, of a kernel ``(edge, a, b, each)``."""
        xp, (edges, n, channels) = namespace(x), shape(x)
        if self.basis is None and self.mode == "degree_channel":
            return xp.sum(kernel * x[:, :, None, :], axis=1)
        each = shape(kernel)[3]
        turned = xp.reshape(xp.permute_dims(kernel, (0, 3, 2, 1)), (edges, each * n, n))
        y = xp.matmul(turned, x)
        if self.basis is None:
            return y
        y = xp.reshape(y, (edges, each, n, channels))
        return xp.sum(y * self.basis[None, :, None, :], axis=1)


def _first(rows: Rows, m: int) -> int:
    """Return the first row of order -m."""
    return next(piece.first for piece in rows.pieces if piece.degree == m)
