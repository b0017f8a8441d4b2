"""A network of one number, with other inputs that depend on a kind alone."""

from typing import Any

from dpcore.nn.mlp import MLP
from dpcore.tree import Module, buffer
from dpcore.xp import namespace, shape


class NetByKind(Module, name="net_by_kind"):
    """A network ``G(x, c_kind)``: of one number for each of some kinds, such as pairs of types.

    Attributes:
        net: the network.
        constants: what it is given beside x, ``(kind, n)``.
    """

    net: MLP
    constants: Any = buffer()

    @property
    def widths(self) -> tuple[int, int]:
        """Widths of the input x and the output."""
        return 1, self.net.widths[1]

    @property
    def kinds(self) -> int:
        """Number of kinds."""
        return int(shape(self.constants)[0])

    def __call__(self, x: Any, kind: Any) -> Any:
        """Return the features, ``(..., feature)``.

        Args:
            x: ``(..., 1)``.
            kind: number of the kind, ``(...)``.
        """
        xp, (first, *rest) = namespace(x), self.net.layers
        n_in = self.net.widths[0]
        by_x, by_constants = xp.split(first.weight, [1, n_in - 1], axis=0)
        shift = xp.matmul(self.constants, by_constants)
        if first.bias is not None:
            shift = shift + first.bias
        # The first layer sees few different constants: their share is computed once for each.
        y = first.activated(xp.matmul(x, by_x) + rows_of(shift, kind))
        if first.adds_input:
            y = y + first.copies(xp.concat([x, rows_of(self.constants, kind)], axis=-1))
        for layer in rest:
            y = layer(y)
        return y


def rows_of(rows: Any, kind: Any) -> Any:
    """Return the row of each kind, ``(..., n)``."""
    xp = namespace(rows)
    flat = xp.take(rows, xp.reshape(kind, (-1,)), axis=0)
    return xp.reshape(flat, (*shape(kind), shape(rows)[1]))
