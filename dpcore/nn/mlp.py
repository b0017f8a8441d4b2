"""Dense layers one after another."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Self

import numpy as np

from dpcore.errors import DPError
from dpcore.nn.dense import Dense
from dpcore.tree import Module
from dpcore.xp import shape


class MLP(Module, name="mlp"):
    """A multilayer perceptron."""

    layers: tuple[Dense, ...]

    def __post_init__(self) -> None:
        if not self.layers:
            raise DPError("a network needs at least one layer")
        for before, after in pairwise(self.layers):
            if shape(before.weight)[1] != shape(after.weight)[0]:
                raise DPError(
                    f"a layer of width {shape(before.weight)[1]} is followed by one that takes "
                    f"{shape(after.weight)[0]}"
                )

    @property
    def widths(self) -> tuple[int, int]:
        """Widths of the input and the output."""
        return shape(self.layers[0].weight)[0], shape(self.layers[-1].weight)[1]

    @classmethod
    def create(
        cls,
        n_in: int,
        neuron: Sequence[int],
        rng: np.random.Generator,
        *,
        resnet_dt: bool,
        n_out: int | None = None,
        trainable: Sequence[bool] | bool = True,
        **settings: Any,
    ) -> Self:
        """Draw a network of hidden layers ``neuron``, with a linear layer to ``n_out`` if that is given.

        Args:
            n_in: width of the input.
            neuron: widths of the hidden layers.
            rng: source of the random numbers.
            resnet_dt: scale the residual layers by a trained timestep.
            n_out: width of the linear output layer.
            trainable: one flag, or one for each layer, output layer last.
            settings: ``activation_function`` and ``precision`` of the layers.
        """
        depth = len(neuron) + (n_out is not None)
        flags = [trainable] * depth if isinstance(trainable, bool) else list(trainable)
        layers, width = [], n_in
        for n, flag in zip(neuron, flags, strict=False):
            layers.append(
                Dense.create(width, n, rng, timestep=resnet_dt, trainable=flag, **settings)
            )
            width = n
        if n_out is not None:
            head = settings | {
                "activation_function": "none",
                "resnet": False,
                "trainable": flags[-1],
            }
            layers.append(Dense.create(width, n_out, rng, timestep=False, **head))
        return cls(layers=tuple(layers))

    def __call__(self, x: Any) -> Any:
        """Apply the layers to ``x``, shape ``(..., n_in)``."""
        return self.layers[-1](self.hidden(x))

    def hidden(self, x: Any) -> Any:
        """Apply all layers but the last one."""
        for layer in self.layers[:-1]:
            x = layer(x)
        return x
