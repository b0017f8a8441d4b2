"""Layers without activation."""

from typing import Any

import numpy as np

from dpcore.nn.dense import Dense


def linear(
    rng: np.random.Generator, n_in: int, n_out: int, *, bias: bool = True, **told: Any
) -> Dense:
    """Draw a layer ``y = x W + b``.

    Args:
        rng: source of the random numbers.
        n_in: width of its input.
        n_out: width of its output.
        bias: whether there is b.
        told: ``precision`` and ``trainable``.
    """
    plain: dict[str, Any] = {"activation_function": "none", "resnet": False}
    layer = Dense.create(n_in, n_out, rng, timestep=False, **plain | told)
    return layer if bias else layer.with_(bias=None)
