"""Sums of what the neighbours tell."""

import math
from dataclasses import dataclass, replace
from typing import Any, Self

from dpcore.nn.neighbourhood import Neighbourhood
from dpcore.nn.so3.focus import by_focus, joined
from dpcore.nn.so3.linear import DegreeLinear
from dpcore.nn.so3.rows import Rows
from dpcore.xp import namespace, shape


@dataclass(frozen=True)
class Messages:
    """Messages along edges, which may be in the edges' frames still.

    What can be done to them there is: there are fewer rows.

    Attributes:
        features: ``(edge, row, channel)``.
        rows: their rows.
        frames: the matrices into the edges' frames, ``(edge, row, (lmax + 1)²)``, or None where the messages
            are not in these.
    """

    features: Any
    rows: Rows
    frames: Any | None = None

    def mapped(self, linear: DegreeLinear, foci: int) -> Self:
        """Return the messages after a linear map of each focus."""
        found = linear(by_focus(self.features, foci), self.rows)
        return replace(self, features=joined(found))

    def sum(self, weights: Any, pairs: Neighbourhood) -> Any:
        """Return the weighted sums, ``(atom, (lmax + 1)², channel)``.

        Degrees that lack orders are multiplied, so that those there are stand for all.

        Args:
            weights: ``(edge, head)``, each for as many channels.
            pairs: centres and neighbours.
        """
        xp, (edges, n, channels) = namespace(weights), shape(self.features)
        heads = int(shape(weights)[1])
        if heads == 1 and self.frames is not None:
            sizes = shape(self.frames)
            flat = xp.reshape(self.frames, (edges, sizes[1] * sizes[2])) * weights
            frames = xp.permute_dims(xp.reshape(flat, sizes), (0, 2, 1))
            return self._completed(pairs.sum(xp.matmul(frames, self.features)))
        split = xp.reshape(self.features, (edges, n, heads, channels // heads))
        found = xp.reshape(split * weights[:, None, :, None], (edges, n, channels))
        if self.frames is None:
            return pairs.sum(found)
        frames = xp.permute_dims(self.frames, (0, 2, 1))
        return self._completed(pairs.sum(xp.matmul(frames, found)))

    def _completed(self, sums: Any) -> Any:
        """Return rows by degree, multiplied where orders are lacking."""
        lmax, mmax = self.rows.lmax, self.rows.mmax
        if mmax >= lmax:
            return sums
        xp, degrees = namespace(sums), range(lmax + 1)
        parts = xp.split(sums, [2 * n + 1 for n in degrees], axis=1)
        factors = [math.sqrt((2 * n + 1) / (2 * min(n, mmax) + 1)) for n in degrees]
        return xp.concat([part * k for part, k in zip(parts, factors, strict=True)], axis=1)
