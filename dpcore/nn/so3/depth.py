"""Attention over what a network made of the same features so far."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from dpcore.nn.dense import Dense
from dpcore.nn.linear import linear
from dpcore.nn.precision import numpy_dtype
from dpcore.nn.so3.norms import RMSNorm
from dpcore.tree import Module, param
from dpcore.xp import namespace


class DepthMix(Module, name="so3_depth_mix"):
    """A weighted mean of several features, weighted by their scalars.

    Attributes:
        norm: normalises the scalars.
        query: what the scalars are compared to, ``(channel,)``, or None where it is made of the latest
            features.
        network: the query of the latest features, or None.
    """

    norm: RMSNorm
    network: Dense | None = None
    query: Any = param()

    @classmethod
    def create(
        cls,
        rng: np.random.Generator,
        channels: int,
        mode: str,
        *,
        eps: float,
        precision: str,
        bias: bool,
    ) -> Self:
        """Return a plain mean: the query is zero.

        Args:
            rng: source of the random numbers.
            channels: number of channels.
            mode: ``independent``, or ``dependent`` on the latest features.
            eps: added to mean squares.
            precision: precision of the parameters.
            bias: give the network a bias.
        """
        dtype, norm = numpy_dtype(precision), RMSNorm.create((1, channels), precision, eps)
        if mode == "independent":
            return cls(norm=norm, query=np.zeros(channels, dtype))
        net = linear(rng, channels, channels, bias=bias, precision=precision, trainable=True)
        zeros = np.zeros(channels, dtype) if bias else None
        return cls(
            norm=norm, network=net.with_(weight=np.zeros_like(net.weight), bias=zeros), query=None
        )

    def __call__(self, sources: Sequence[Any], scalars: Sequence[Any], latest: Any) -> Any:
        """Return the mean of sources, ``(n, …)``.

        Args:
            sources: features, ``(n, row, channel)``.
            scalars: those of degree 0, ``(n, channel)``.
            latest: the scalars of the latest features, ``(n, channel)``.
        """
        if len(sources) == 1:
            return sources[0]
        xp = namespace(latest)
        query = self.query if self.network is None else self.network(latest)
        keys = [self.norm(scalar) * query for scalar in scalars]
        logits = xp.concat([xp.sum(key, axis=-1, keepdims=True) for key in keys], axis=-1)
        weights = xp.exp(logits - xp.max(logits, axis=-1, keepdims=True))
        weights = weights * (1.0 / xp.sum(weights, axis=-1, keepdims=True))
        parts = (weights[:, i, None, None] * source for i, source in enumerate(sources))
        return sum(parts, start=0.0)
