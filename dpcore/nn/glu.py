"""Gated linear units (Dauphin et al., arXiv:1612.08083)."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Self

import numpy as np

from dpcore.errors import DPError
from dpcore.nn.dense import Dense
from dpcore.nn.mlp import MLP
from dpcore.xp import namespace, shape


class GatedDense(Dense, name="gated_dense"):
    """A layer ``v φ(g)`` of the halves v and g of ``x W + b``."""

    def __call__(self, x: Any) -> Any:
        """Return ``(..., n_out)`` of ``(..., n_in)``; W has ``2 n_out`` columns."""
        y = namespace(x).matmul(x, self.weight)
        y = y if self.bias is None else y + self.bias
        n = shape(self.weight)[1] // 2
        return y[..., :n] * self.activated(y[..., n:])


class GLUNet(MLP, name="glu_net"):
    """Gated layers, and a linear one."""

    def __post_init__(self) -> None:
        if not self.layers:
            raise DPError("a network needs at least one layer")
        for before, after in pairwise(self.layers):
            wide, needed = shape(before.weight)[1], shape(after.weight)[0]
            if not isinstance(before, GatedDense) or wide != 2 * needed:
                raise DPError(
                    f"a gated layer of {wide} columns is followed by one that takes {needed}; it "
                    "must take half as many"
                )

    @classmethod
    def create(
        cls,
        n_in: int,
        neuron: Sequence[int],
        rng: np.random.Generator,
        *,
        n_out: int | None = None,
        bias: bool = False,
        trainable: Sequence[bool] | bool = True,
        **settings: Any,
    ) -> Self:
        """Draw gated layers and a linear one.

        Args:
            n_in: width of the input.
            neuron: widths of the gated layers.
            rng: source of the random numbers.
            n_out: width of the output, by default 1.
            bias: give the last layer a bias.
            trainable: one flag, or one for each layer, of which all must be set.
            settings: ``activation_function`` and ``precision`` of the layers.
        """
        flag = trainable if isinstance(trainable, bool) else all(trainable)
        told: dict[str, Any] = {"resnet": False, "timestep": False, "trainable": flag, **settings}
        layers: list[Dense] = []
        for n in neuron:
            layers.append(GatedDense.create(n_in, 2 * n, rng, **told))
            n_in = n
        last = Dense.create(n_in, n_out or 1, rng, **{**told, "activation_function": "none"})
        return cls(layers=(*layers, last if bias else last.with_(bias=None)))
