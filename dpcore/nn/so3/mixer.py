"""Maps among the degrees of a neighbour's features that depend on its distance."""

from collections.abc import Sequence
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

    @property
    def separable(self) -> bool:
        """Whether channels differ by factors only, so that matrices can be multiplied without them."""
        return self.mode == "degree" or self.rank > 0

    def __call__(self, x: Any, radial: Any, rows: Rows) -> Any:
        """Return features mixed by full kernels, ``(edge, row, channel)``.

        Args:
            x: features by order.
            radial: ``(edge, degree, channel)``.
            rows: the rows of the features.
        """
        xp, (edges, _, channels) = namespace(x), shape(x)
        parts, found = xp.split(x, [piece.rows for piece in rows.pieces], axis=1), []
        for m, weight in enumerate(self._weights(rows, channels)):
            n = rows.lmax + 1 - m
            kernel = xp.reshape(xp.matmul(_flat(radial), weight), (edges, n, n, channels))
            same = parts[2 * m - 1 : 2 * m + 1] if m else parts[:1]
            found += [xp.sum(kernel * part[:, :, None, :], axis=1) for part in same]
        return found[0] if len(found) == 1 else xp.concat(found, axis=1)

    def spread(self, x: Any) -> Any:
        """Return features ``(n, row, channel)`` times the factors of their channels, ``(n, rank · row, channel)``."""
        if self.basis is None:
            return x
        xp, (n, rows, channels) = namespace(x), shape(x)
        y = x[:, None, :, :] * self.basis[None, :, None, :]
        return xp.reshape(y, (n, self.rank * rows, channels))

    def turned(self, radial: Any, turns: Sequence[Any], rows: Rows) -> Any:
        """Return the matrices that turn features into the frames of edges and mix them there.

        They are smaller than the features by the number of channels.

        Args:
            radial: ``(edge, degree, channel)``.
            turns: rotations (see :func:`dpcore.nn.so3.rotations.orders_of`).
            rows: the rows of the result.

        Returns:
            matrices of the features that :meth:`spread` makes, ``(edge, row, rank · row)``.
        """
        xp, flat, found = namespace(radial), _flat(radial), []
        dim, each = (rows.lmax + 1) ** 2, 1 if self.basis is None else self.rank
        for m, weight in enumerate(self._weights(rows, each)):
            n = rows.lmax + 1 - m
            kernel = xp.matmul(flat, _repeated(weight, n, m, each))
            same = turns[2 * m - 1 : 2 * m + 1] if m else turns[:1]
            # Products of what is laid out alike are faster than those that are broadcast.
            found += [kernel * xp.concat([turn] * (n * each), axis=1) for turn in same]
        product = found[0] if len(found) == 1 else xp.concat(found, axis=1)
        return xp.reshape(product, (shape(product)[0], rows.number, each * dim))

    def _weights(self, rows: Rows, each: int) -> list[Any]:
        """Return the weights of the kernels of each order."""
        sizes = [(rows.lmax + 1 - m) ** 2 * each for m in range(rows.mmax + 1)]
        return list(namespace(self.weight).split(self.weight, sizes, axis=1))


def _flat(radial: Any) -> Any:
    edges, degrees, channels = shape(radial)
    return namespace(radial).reshape(radial, (edges, degrees * channels))


def _repeated(weight: Any, n: int, m: int, each: int) -> Any:
    """Return weights ``(n_in, a · b · rank)`` as ``(n_in, b · rank · row)``, for all rows of the degrees a."""
    xp, n_in = namespace(weight), shape(weight)[0]
    turned = xp.permute_dims(xp.reshape(weight, (n_in, n, n, each)), (0, 2, 3, 1))
    parts = [xp.zeros((n_in, n, each, m * m), like=weight)] if m else []
    for i in range(n):
        wide = (n_in, n, each, 2 * (m + i) + 1)
        parts.append(xp.broadcast_to(turned[..., i : i + 1], wide))
    return xp.reshape(xp.concat(parts, axis=3), (n_in, -1))
