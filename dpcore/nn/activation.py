"""Activation functions by DeePMD-kit's names."""

import math
from collections.abc import Callable
from functools import cache
from typing import Any

from dpcore.errors import DPError, suggest
from dpcore.xp import namespace

Activation = Callable[[Any], Any]


def tanh(x: Any) -> Any:
    """Return the hyperbolic tangent."""
    return namespace(x).tanh(x)


def relu(x: Any) -> Any:
    """Return max(x, 0)."""
    xp = namespace(x)
    return xp.maximum(x, xp.zeros_like(x))


def relu6(x: Any) -> Any:
    """Return x clipped to [0, 6]."""
    xp = namespace(x)
    return xp.minimum(relu(x), 6.0 * xp.ones_like(x))


def softplus(x: Any) -> Any:
    """Return log(1 + exp(x)) without overflow."""
    return namespace(x).softplus(x)


def sigmoid(x: Any) -> Any:
    """Return 1 / (1 + exp(-x))."""
    return namespace(x).sigmoid(x)


def silu(x: Any) -> Any:
    """Return x · sigmoid(x)."""
    return namespace(x).silu(x)


def gelu(x: Any) -> Any:
    """Return the tanh form of the Gaussian error linear unit (Hendrycks and Gimpel, arXiv:1606.08415)."""
    return 0.5 * x * (1.0 + tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * x * x * x)))


def linear(x: Any) -> Any:
    """Return x."""
    return x


def silut(threshold: float) -> Activation:
    """Make the SiLU whose growth beyond ``threshold`` is bent into a tanh of the same value and slope."""
    gate = 1.0 / (1.0 + math.exp(-threshold))
    value, slope = threshold * gate, gate + threshold * gate * (1.0 - gate)

    def bent(x: Any) -> Any:
        return tanh(slope * (x - threshold)) + value

    def bent_silu(x: Any) -> Any:
        # Hardly any number is ever beyond the threshold.
        return namespace(x).below(x, threshold, silu, bent)

    return bent_silu


ACTIVATIONS: dict[str, Activation] = {
    "tanh": tanh,
    "relu": relu,
    "relu6": relu6,
    "softplus": softplus,
    "sigmoid": sigmoid,
    "silu": silu,
    "gelu": gelu,
    "gelu_tf": gelu,
    "linear": linear,
    "none": linear,
}


@cache
def activation(name: str) -> Activation:
    """Return the activation function of that name; ``silut:3.0`` carries its threshold (default 3)."""
    key, _, parameter = name.lower().partition(":")
    if key in {"silut", "custom_silu"}:
        try:
            return silut(float(parameter or 3.0))
        except ValueError:
            raise DPError(f"activation_function {name!r}: {parameter!r} is not a number") from None
    if key not in ACTIVATIONS or parameter:
        raise DPError(
            f"unknown activation_function {name!r}{suggest(key, [*ACTIVATIONS, 'silut'])}"
        )
    return ACTIVATIONS[key]
