"""Products of features as functions, taken point by point."""

from typing import Any, Literal, Self

import numpy as np

from dpcore.nn.activation import silu
from dpcore.nn.precision import numpy_dtype
from dpcore.nn.so3.focus import FocusLinear
from dpcore.nn.so3.grids import Grid
from dpcore.nn.so3.linear import DegreeLinear
from dpcore.nn.so3.rows import Rows
from dpcore.tree import Module, param
from dpcore.xp import namespace, shape

Operation = Literal["glu", "mlp", "branch"]


class GridProduct(Module, name="so3_grid_product"):
    """The product of two functions, of linear maps of their channels where there are such.

    Attributes:
        left: map of the first one's channels, ``(n_in, n)``, or None.
        right: map of the second one's.
        out: map of the product's channels.
        router: weights of several products from the scalars, ``(2 channel, branch)``, or None.
    """

    left: FocusLinear | None = None
    right: FocusLinear | None = None
    out: FocusLinear | None = None
    router: FocusLinear | None = None

    @classmethod
    def create(
        cls,
        rng: np.random.Generator,
        operation: Operation,
        channels: int,
        branches: int,
        *,
        fused: bool,
        precision: str,
    ) -> Self:
        """Draw a product.

        Args:
            rng: source of the random numbers.
            operation: ``glu`` for the plain product, ``mlp`` with maps, ``branch`` for several of them.
            channels: number of channels of the functions.
            branches: number of products of ``branch``.
            fused: in ``mlp``, both maps are of the channels of both functions.
            precision: precision of the parameters.
        """
        if operation == "glu":
            return cls()

        def draw(n_in: int, n_out: int) -> FocusLinear:
            return FocusLinear.create(rng, (1, n_in, n_out), precision=precision)

        n_in = 2 * channels if fused and operation == "mlp" else channels
        wide = 2 * channels if operation == "mlp" else branches * channels
        left, right = draw(n_in, wide), draw(n_in, wide)
        if operation == "mlp":
            return cls(left=left, right=right, out=draw(wide, channels))
        router = draw(2 * channels, branches)
        return cls(left=left, right=right, out=draw(channels, channels), router=router)

    def __call__(
        self, left: Any, right: Any, scalars: Any, grid: Grid, *, scalar: bool = False
    ) -> Any:
        """Return the features of the product, ``(focus, n, row · frame, channel)``.

        Args:
            left: features of the first function.
            right: features of the second one.
            scalars: degree 0 of both, ``(focus, n, 2 channel)``.
            grid: the grid.
            scalar: return the features of the first row alone.
        """
        xp, channels = namespace(left), shape(left)[-1]
        if self.left is None or self.right is None or self.out is None:
            return grid.product(left, right, scalar=scalar)
        if shape(self.left.weight)[0] == 2 * channels:
            left = right = xp.concat([left, right], axis=-1)
        product = grid.product(_mapped(self.left, left), _mapped(self.right, right), scalar=scalar)
        # One product has the weight 1.
        if self.router is not None and int(shape(self.router.weight)[1]) > 1:
            logits = xp.matmul(scalars, self.router.weight)
            weights = xp.exp(logits - xp.max(logits, axis=-1, keepdims=True))
            weights = weights * (1.0 / xp.sum(weights, axis=-1, keepdims=True))
            split = xp.reshape(product, (*shape(product)[:3], -1, channels))
            product = xp.sum(split * weights[:, :, None, :, None], axis=3)
        return _mapped(self.out, product)


def _mapped(linear: FocusLinear, x: Any) -> Any:
    return namespace(x).matmul(x, linear.weight)


class GridNet(Module, name="so3_grid_net"):
    """Two sets of features multiplied as functions, their scalars besides as in a gated linear unit.

    Attributes:
        grid: the grid.
        product: the product.
        gate: a factor for each channel from the scalars, ``(2 channel, focus · channel)``.
        expand: makes the functions of a row, of several rows each, or None.
        contract: the reverse.
        scale: of the result, ``(focus, channel)``, or None.
    """

    grid: Grid
    product: GridProduct
    gate: FocusLinear
    expand: DegreeLinear | None = None
    contract: DegreeLinear | None = None
    scale: Any = param()

    @classmethod
    def create(
        cls,
        rng: np.random.Generator,
        grid: Grid,
        rows: Rows,
        sizes: tuple[int, int],
        *,
        operation: Operation,
        branches: int,
        precision: str,
        bias: bool,
        cross: bool = False,
    ) -> Self:
        """Draw a network.

        Args:
            rng: source of the random numbers.
            grid: the grid.
            rows: the rows of the features.
            sizes: number of foci and channels.
            operation: see :class:`GridProduct`.
            branches: number of products of ``branch``.
            precision: precision of the parameters.
            bias: give the gate a bias.
            cross: multiply features with other ones, not two halves of the same.
        """
        foci, channels = sizes
        told: dict[str, Any] = {"precision": precision}
        gate = FocusLinear.create(
            rng, (foci, 2 * channels, channels), bias=bias, scale=0.01, **told
        )
        product = GridProduct.create(
            rng, operation, channels, branches, fused=not cross, precision=precision
        )
        expand = contract = scale = None
        if cross:
            scale = np.full(sizes, 1e-3, numpy_dtype(precision))
            if grid.turned:
                wide = grid.frames * channels
                expand = DegreeLinear.create(rng, rows.lmax, (1, channels, wide), **told)
                contract = DegreeLinear.create(rng, rows.lmax, (1, wide, channels), **told)
        return cls(
            grid=grid, product=product, gate=gate, expand=expand, contract=contract, scale=scale
        )

    def halves(self, x: Any, rows: Rows, *, scalar: bool = False) -> Any:
        """Return the product of the two halves of the channels, ``(focus, n, row, frame · channel)``.

        Args:
            x: features.
            rows: their rows.
            scalar: return the first row alone.
        """
        xp, n = namespace(x), shape(x)[-1] // 2
        left, right = (self._by_frame(half) for half in xp.split(x, [n, n], axis=3))
        y = self._multiplied(left, right, left[:, :, 0, :], right[:, :, 0, :], scalar=scalar)
        return self._by_row(y, 1 if scalar else rows.number)

    def __call__(self, x: Any, other: Any, rows: Rows) -> Any:
        """Return the product of features with other ones, ``(focus, n, row, channel)``."""
        left, right = x, other
        if self.expand is not None:
            left, right = _alike(self.expand, x, rows), _alike(self.expand, other, rows)
        left, right = self._by_frame(left), self._by_frame(right)
        y = self._multiplied(left, right, x[:, :, 0, :], other[:, :, 0, :])
        y = self._by_row(y, rows.number)
        if self.contract is not None:
            y = _alike(self.contract, y, rows)
        return y if self.scale is None else y * self.scale[:, None, None, :]

    def _by_frame(self, x: Any) -> Any:
        """Return features as ``(focus, n, row · frame, channel)``."""
        (foci, n, rows, wide), frames = shape(x), self.grid.frames
        return namespace(x).reshape(x, (foci, n, rows * frames, wide // frames))

    def _by_row(self, x: Any, rows: int) -> Any:
        """Return features as ``(focus, n, row, frame · channel)``."""
        foci, n, _, channels = shape(x)
        return namespace(x).reshape(x, (foci, n, rows, self.grid.frames * channels))

    def _multiplied(
        self, left: Any, right: Any, first: Any, second: Any, *, scalar: bool = False
    ) -> Any:
        xp = namespace(left)
        scalars = xp.concat([first, second], axis=-1)
        y = self.product(left, right, scalars, self.grid, scalar=scalar)
        y = y * xp.sigmoid(self.gate(scalars))[:, :, None, :]
        row, rest = xp.split(y, [1, shape(y)[2] - 1], axis=2)
        return xp.concat([row + (silu(first) * second)[:, :, None, :], rest], axis=2)


def _alike(linear: DegreeLinear, x: Any, rows: Rows) -> Any:
    """Return the same linear map of all foci, ``(focus, n, row, channel)``."""
    xp, (foci, n, number, channels) = namespace(x), shape(x)
    y = linear(xp.reshape(x, (1, foci * n, number, channels)), rows)
    return xp.reshape(y, (foci, n, number, shape(y)[3]))
