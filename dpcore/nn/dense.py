"""One fully connected layer."""

from typing import Any, Self

import numpy as np

from dpcore.nn.activation import activation
from dpcore.nn.precision import numpy_dtype
from dpcore.tree import Module, param, setting
from dpcore.xp import namespace, shape


class Dense(Module, name="dense"):
    """A dense layer ``y = φ(x W + b)``, scaled by a timestep and added to its input where widths allow.

    With ``resnet``, a layer as wide as its input adds the input and one twice as wide adds the input
    twice over; other widths add nothing.
    """

    activation_function: str = setting("tanh", doc="activation function φ")
    resnet: bool = setting(True, doc="add the input where the widths allow it")
    precision: str = setting("default", doc="precision of the parameters")
    trainable: bool = setting(True, doc="whether the parameters are trained")
    weight: Any = param()
    bias: Any = param()
    timestep: Any = param()

    def __post_init__(self) -> None:
        activation(self.activation_function)

    @classmethod
    def create(
        cls, n_in: int, n_out: int, rng: np.random.Generator, *, timestep: bool, **settings: Any
    ) -> Self:
        """Draw a layer with DeePMD-kit's initial distributions: Glorot weights, N(0, 1) biases."""
        dtype = numpy_dtype(settings["precision"])
        scaled = timestep and n_out in {n_in, 2 * n_in}
        return cls(
            weight=rng.normal(0.0, (n_in + n_out) ** -0.5, (n_in, n_out)).astype(dtype),
            bias=rng.normal(0.0, 1.0, n_out).astype(dtype),
            timestep=rng.normal(0.1, 0.001, n_out).astype(dtype) if scaled else None,
            **settings,
        )

    def __call__(self, x: Any) -> Any:
        """Apply the layer.

        Args:
            x: input, ``(..., n_in)``.

        Returns:
            output, ``(..., n_out)``.
        """
        y = namespace(x).matmul(x, self.weight)
        y = self.activated(y if self.bias is None else y + self.bias)
        return self.plus_input(y, x) if self.adds_input else y

    def activated(self, z: Any) -> Any:
        """Return ``φ(z)``, scaled by the timestep."""
        y = activation(self.activation_function)(z)
        return y if self.timestep is None else y * self.timestep

    @property
    def adds_input(self) -> bool:
        """Whether the layer adds its input."""
        n_in, n_out = shape(self.weight)
        return self.resnet and n_out in {n_in, 2 * n_in}

    def plus_input(self, y: Any, x: Any) -> Any:
        """Return ``y`` with the input added as often as the layer adds it."""
        n_in, n_out = shape(self.weight)
        if n_out == n_in:
            return y + x
        # Derivatives of copies side by side would be copied again, part by part.
        xp, sizes = namespace(x), shape(y)
        both = xp.reshape(y, (*sizes[:-1], 2, n_in)) + xp.expand_dims(x, axis=-2)
        return xp.reshape(both, sizes)

    def copies(self, x: Any) -> Any:
        """Return the input as often as it is added."""
        n_in, n_out = shape(self.weight)
        return x if n_out == n_in else namespace(x).concat([x, x], axis=-1)
