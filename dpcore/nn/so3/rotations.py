"""Rotations of features to the frames of edges and back."""

import math
from collections.abc import Sequence
from typing import Any, Self

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
    """The coupling of a vector and harmonics of a degree to those of the next.

    Attributes:
        matrix: see :func:`dpcore.nn.so3.couplings.stretched`.
    """

    matrix: Any = buffer(exact=True)

    def __call__(self, vector: Any, below: Any) -> Any:
        """Return the rotations of a degree, ``(edge, 2 l + 1, 2 l + 1)``.

        Args:
            vector: those of degree 1, ``(edge, 3, 3)``.
            below: those of the degree below.
        """
        xp, n = namespace(vector), shape(below)[-1]
        product = vector[:, :, None, :, None] * below[:, None, :, None, :]
        matrix = as_type_of(self.matrix, product)
        half = xp.matmul(xp.reshape(product, (-1, 3 * n, 3 * n)), matrix)
        return xp.permute_dims(xp.matmul(xp.permute_dims(half, (0, 2, 1)), matrix), (0, 2, 1))


class Rotations(Module, name="so3_rotations"):
    """Rotations of the real harmonics up to a degree, as polynomials of the rotation matrices.

    Each degree comes from the one below, so that there is no highest degree, nor an angle that is
    undefined at the poles.
    """

    lmax: int = setting(doc="the highest degree")
    couplings: tuple[Coupling, ...]

    @classmethod
    def create(cls, lmax: int) -> Self:
        """Make the rotations up to a degree."""
        made = (Coupling(matrix=stretched(n)) for n in range(2, lmax + 1))
        return cls(lmax=lmax, couplings=tuple(made))

    def __call__(self, frames: Any) -> list[Any]:
        """Return the rotations of each degree, ``(edge, 2 l + 1, 2 l + 1)``.

        Args:
            frames: rotations of vectors, ``(edge, 3, 3)``.
        """
        xp = namespace(frames)
        found = [xp.ones_like(frames[:, :1, :1])]
        if self.lmax > 0:
            by_column = xp.concat([frames[:, :, 1:], frames[:, :, :1]], axis=2)
            found.append(xp.concat([by_column[:, 1:, :], by_column[:, :1, :]], axis=1))
        for coupling in self.couplings:
            found.append(coupling(found[1], found[-1]))
        return found


def order_rows(blocks: Sequence[Any], mmax: int, *, scaled: bool = False) -> Any:
    """Return the rows of the orders up to ``mmax``, ``(edge, row, (lmax + 1)²)``.

    They come order by order (see :meth:`dpcore.nn.so3.rows.Rows.by_order`); a row is that of a degree and
    an order in the edge's frame, its columns those of features.

    Args:
        blocks: rotations of each degree, ``(edge, 2 l + 1, 2 l + 1)``.
        mmax: the highest order.
        scaled: multiply those of degrees that lack orders, so that what there is stands for all orders.
    """
    xp, lmax = namespace(blocks[0]), len(blocks) - 1
    if scaled:
        lacking = [(2 * n + 1) / (2 * min(n, mmax) + 1) for n in range(lmax + 1)]
        blocks = [block * math.sqrt(k) for block, k in zip(blocks, lacking, strict=True)]
    wide = [_widened(block, n, lmax) for n, block in enumerate(blocks)]
    rows = [
        wide[n][:, n + order : n + order + 1, :]
        for m in range(mmax + 1)
        for order in ((-m, m) if m else (0,))
        for n in range(m, lmax + 1)
    ]
    return xp.concat(rows, axis=1)


def _widened(block: Any, degree: int, lmax: int) -> Any:
    """Return a block with zeros for the columns of other degrees."""
    xp, (edges, rows, _) = namespace(block), shape(block)
    before, after = degree * degree, (lmax + 1) ** 2 - (degree + 1) ** 2
    parts = [xp.zeros((edges, rows, before), like=block)] if before else []
    parts.append(block)
    if after:
        parts.append(xp.zeros((edges, rows, after), like=block))
    return xp.concat(parts, axis=2)
