"""Activations of features that rotate: scalars switch the higher degrees."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from dpcore.nn.activation import activation
from dpcore.nn.so3.focus import FocusLinear
from dpcore.nn.so3.rows import Rows
from dpcore.tree import Module, setting
from dpcore.xp import namespace, shape


class Gated(Module, name="so3_gated"):
    """``φ`` of degree 0, and the other degrees times the sigmoid of a linear map of degree 0.

    Given a second set of features, these are activated, and the first ones multiplied by them.
    """

    activation_function: str = setting("silu", doc="activation φ of degree 0")
    gates: FocusLinear | None

    @classmethod
    def create(
        cls,
        rng: np.random.Generator,
        lmax: int,
        foci: int,
        channels: int,
        *,
        activation_function: str,
        precision: str,
        bias: bool,
    ) -> Self:
        """Draw the gates of degrees 1 to ``lmax``."""
        gates = None
        if lmax > 0:
            sizes = (foci, channels, lmax * channels)
            gates = FocusLinear.create(rng, sizes, precision=precision, bias=bias, scale=0.01)
        return cls(activation_function=activation_function, gates=gates)

    def __call__(self, x: Any, rows: Rows, by: Any = None) -> Any:
        """Return the activated features, ``(focus, n, row, channel)``.

        Args:
            x: features.
            rows: their rows.
            by: features whose degree 0 is activated and opens the gates; by default ``x``.
        """
        xp, sizes, act = namespace(x), shape(x), activation(self.activation_function)
        given = (x if by is None else by)[:, :, 0, :]
        scalar = act(given) if by is None else x[:, :, 0, :] * act(given)
        scalar = scalar[:, :, None, :]
        if self.gates is None:
            return scalar
        gates = xp.sigmoid(self.gates(given))
        gates = xp.reshape(gates, (sizes[0], sizes[1], rows.lmax, sizes[3]))
        return xp.concat([scalar, rows.times(x[:, :, 1:, :], gates, lowest=1)], axis=2)

    def of_orders(self, orders: Sequence[Any], channels: int) -> list[Any]:
        """Return the activated features of each order (see :meth:`dpcore.nn.so3.rows.Rows.apart`).

        Args:
            orders: ``(focus, n, row · channel)`` for each order.
            channels: number of channels.
        """
        xp, act = namespace(orders[0]), activation(self.activation_function)
        if self.gates is None:
            return [act(orders[0])]
        sizes = shape(orders[0])
        scalar, rest = xp.split(orders[0], [channels, sizes[2] - channels], axis=2)
        gates = xp.sigmoid(self.gates(scalar))
        found = [xp.concat([act(scalar), rest * gates], axis=2)]
        for m, order in enumerate(orders[1:], start=1):
            wide = sizes[2] - m * channels
            own = gates if m == 1 else gates[:, :, (m - 1) * channels :]
            both = xp.reshape(order, (sizes[0], sizes[1], 2, wide)) * own[:, :, None, :]
            found.append(xp.reshape(both, (sizes[0], sizes[1], 2 * wide)))
        return found
