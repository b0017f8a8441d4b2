"""Rotations of features to the frames of edges and back."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from dpcore.nn.so3.couplings import stretched
from dpcore.tree import Module, buffer, setting
from dpcore.xp import as_type_of, namespace, shape


def edge_frames(unit: Any, turn: Any = None) -> Any:
    """Return rotations that take unit vectors to the z axis, ``(edge, 3, 3)``.

    They are smooth but across z = 0, where the frame jumps by a turn about the z axis: on a sphere no
    choice of frames is smooth everywhere, and what is made of them must not depend on such turns.

    Args:
        unit: ``(edge, 3)``.
        turn: angles by which the frames are turned about the z axis in addition, ``(edge, 1)``.
    """
    xp = namespace(unit)
    x, one = unit[:, :1], xp.ones_like(unit[:, :1])
    # A vector of the lower half is turned by π about the x axis first.
    flip = xp.where(unit[:, 2:] < 0.0, -one, one)
    y, z = unit[:, 1:2] * flip, unit[:, 2:] * flip
    a = 1.0 / (1.0 + z)
    first = xp.concat([1.0 - x * x * a, -x * y * a * flip, -x * flip], axis=1)
    second = xp.concat([-x * y * a, (1.0 - y * y * a) * flip, -y * flip], axis=1)
    if turn is not None:
        c, s = xp.cos(turn), xp.sin(turn)
        first, second = c * first - s * second, s * first + c * second
    return xp.stack([first, second, unit], axis=1)


class Coupling(Module, name="so3_coupling"):
    """The coupling of a vector and harmonics of a degree l - 1 to those of the degree l.

    It takes z and the harmonic of an order to a multiple of the harmonic of that order, and x and y and the
    two of the highest order to multiples of the next.

    Attributes:
        matrix: see :func:`dpcore.nn.so3.couplings.stretched`.
        scale: one over these multiples, for each order, ``(order, 1)``.
    """

    matrix: Any = buffer(exact=True)
    scale: Any = buffer(exact=True)

    @classmethod
    def create(cls, degree: int, mmax: int) -> Self:
        """Make the coupling to a degree, of orders up to one."""
        matrix, below = stretched(degree), 2 * degree - 1
        pairs = matrix.reshape(3, below, 2 * degree + 1)
        most = min(mmax, degree - 1)
        middle = [pairs[1, degree - 1 + m, degree + m] for m in range(-most, most + 1)]
        if mmax >= degree:
            highest = pairs[2, -1, -1] - pairs[0, 0, -1]
            middle = [highest, *middle, highest]
        return cls(matrix=matrix, scale=1.0 / np.array(middle)[:, None])

    def __call__(self, vector: Any, below: Any) -> Any:
        """Return the rotations of a degree, ``(edge, row, 2 l + 1)``.

        Args:
            vector: those of degree 1, ``(edge, 3, 3)``, or of its order 0, ``(edge, 1, 3)``.
            below: those of the degree below.
        """
        xp, (edges, rows, n) = namespace(vector), shape(below)
        middle = (int(shape(vector)[1]) - 1) // 2
        products = [_outer(vector[:, middle : middle + 1, :], below)]
        if shape(self.scale)[0] > rows:
            y, x = vector[:, :1, :], vector[:, 2:, :]
            lowest, highest = below[:, :1, :], below[:, -1:, :]
            products.insert(0, _outer(x, lowest) + _outer(y, highest))
            products.append(_outer(x, highest) - _outer(y, lowest))
        product = products[0] if len(products) == 1 else xp.concat(products, axis=1)
        found = xp.matmul(xp.reshape(product, (edges, -1, 3 * n)), as_type_of(self.matrix, product))
        return found * as_type_of(self.scale, found)


def _outer(vector: Any, rows: Any) -> Any:
    """Return the products of a vector, ``(edge, 1, 3)``, and rows, ``(edge, row, n)``: ``(edge, row, 3, n)``."""
    return vector[:, :, :, None] * rows[:, :, None, :]


class Rotations(Module, name="so3_rotations"):
    """Rotations of the real harmonics up to a degree, as polynomials of the rotation matrices.

    Each degree comes from the one below, so that there is no highest degree, nor an angle that is
    undefined at the poles.
    """

    lmax: int = setting(doc="the highest degree")
    mmax: int = setting(doc="the highest order of the rotated harmonics that are wanted")
    couplings: tuple[Coupling, ...]

    @classmethod
    def create(cls, lmax: int, mmax: int | None = None) -> Self:
        """Make the rotations up to a degree and an order, by default of all orders."""
        most = lmax if mmax is None else mmax
        made = (Coupling.create(n, most) for n in range(2, lmax + 1))
        return cls(lmax=lmax, mmax=most, couplings=tuple(made))

    def __call__(self, frames: Any) -> list[Any]:
        """Return the rotations of each degree, ``(edge, row, 2 l + 1)``, a row for each order that is wanted.

        Args:
            frames: rotations of vectors, ``(edge, 3, 3)``.
        """
        xp = namespace(frames)
        found = [xp.ones_like(frames[:, :1, :1])]
        if self.lmax > 0:
            by_column = xp.concat([frames[:, :, 1:], frames[:, :, :1]], axis=2)
            rows = [by_column[:, 2:, :]]
            if self.mmax > 0:
                rows = [by_column[:, 1:, :], by_column[:, :1, :]]
            found.append(rows[0] if len(rows) == 1 else xp.concat(rows, axis=1))
        for coupling in self.couplings:
            found.append(coupling(found[1], found[-1]))
        return found


def order_rows(blocks: Sequence[Any], mmax: int) -> Any:
    """Return the rows of the orders up to ``mmax``, ``(edge, row, (lmax + 1)²)``.

    They come order by order (see :meth:`dpcore.nn.so3.rows.Rows.by_order`); a row is that of a degree and
    an order in the edge's frame, its columns those of features.

    Args:
        blocks: rotations of each degree, ``(edge, row, 2 l + 1)``.
        mmax: the highest order.
    """
    xp, lmax = namespace(blocks[0]), len(blocks) - 1
    rows, gap, number = _by_order(blocks, mmax), 0, 0
    parts: list[Any] = []
    for m in range(mmax + 1):
        for order in (-m, m) if m else (0,):
            for n in range(m, lmax + 1):
                _append_zeros(parts, gap + n * n, blocks[0])
                parts.append(rows[n, order])
                gap, number = (lmax + 1) ** 2 - (n + 1) ** 2, number + 1
    _append_zeros(parts, gap, blocks[0])
    return xp.reshape(xp.concat(parts, axis=1), (-1, number, (lmax + 1) ** 2))


def orders_of(blocks: Sequence[Any], mmax: int) -> list[Any]:
    """Return for each of the orders 0, -1, 1, -2, … the rows of all degrees, one after another.

    Args:
        blocks: rotations of each degree, ``(edge, row, 2 l + 1)``.
        mmax: the highest order.

    Returns:
        for each order ``(edge, (lmax + 1)²)``, zeros where a degree lacks it.
    """
    xp, rows, found = namespace(blocks[0]), _by_order(blocks, mmax), []
    for m in range(mmax + 1):
        for order in (-m, m) if m else (0,):
            parts: list[Any] = []
            _append_zeros(parts, m * m, blocks[0])
            parts += [rows[n, order] for n in range(m, len(blocks))]
            found.append(parts[0] if len(parts) == 1 else xp.concat(parts, axis=1))
    return found


def _by_order(blocks: Sequence[Any], mmax: int) -> dict[tuple[int, int], Any]:
    """Return the row of each degree and order, ``(edge, 2 l + 1)``."""
    found = {}
    for n, block in enumerate(blocks):
        xp, (edges, there, wide) = namespace(block), shape(block)
        most = min(n, mmax)
        flat = xp.reshape(block, (edges, there * wide))
        skipped = ((int(there) - 1) // 2 - most) * wide
        sizes = [skipped, *[wide] * (2 * most + 1), skipped]
        for i, row in enumerate(xp.split(flat, sizes, axis=1)[1:-1]):
            found[n, i - most] = row
    return found


def _append_zeros(parts: list[Any], number: int, like: Any) -> None:
    """Append so many columns of zeros."""
    if number:
        xp = namespace(like)
        parts.append(xp.zeros((shape(like)[0], number), like=like))
