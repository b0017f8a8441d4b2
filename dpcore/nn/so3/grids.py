"""Matrices between features and functions on the sphere or on the group of rotations."""

import math
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from dpcore.nn.so3.harmonics import spherical_harmonics
from dpcore.nn.so3.quadrature import lebedev, product_grid
from dpcore.nn.so3.rotations import Rotations, edge_frames
from dpcore.nn.so3.rows import Rows
from dpcore.tree import Module, buffer, setting
from dpcore.xp import as_type_of, namespace, shape

Array = NDArray[np.float64]


class Grid(Module, name="so3_grid"):
    """Values of features at the points of a grid, and the features of values.

    Attributes:
        to_points: ``(point, row · frame)``.
        from_points: ``(row · frame, point)``.
    """

    frames: int = setting(1, doc="number of functions that a row stands for")
    turned: bool = setting(False, doc="whether functions are on the group of rotations")
    to_points: Any = buffer(exact=True)
    from_points: Any = buffer(exact=True)

    @classmethod
    def sphere(cls, rows: Rows, *, exact: bool, square: bool = False) -> Self:
        """Make a grid on the sphere.

        Args:
            rows: the rows of the features.
            exact: take a Lebedev rule, not a grid of equal angles.
            square: for equal angles, take as many azimuths as polar angles.
        """
        if exact:
            points, weights = lebedev(3 * rows.lmax)
        else:
            polar, azimuthal = 3 * rows.lmax + 2 + rows.lmax % 2, 2 * rows.mmax + 4
            most = max(polar, azimuthal)
            points, weights = product_grid(*((most, most) if square else (polar, azimuthal)))
        harmonics = spherical_harmonics(points, rows.lmax)[:, _places(rows)]
        degree = np.array(rows.degrees)
        # Rows of a degree that lacks orders stand for all of them.
        lacking = np.sqrt((2 * degree + 1) / (2 * np.minimum(degree, rows.mmax) + 1))
        scale = math.sqrt(rows.lmax + 1)
        to_points = harmonics * lacking / scale
        back = harmonics * lacking * (2 * degree + 1) * scale * weights[:, None]
        return cls._made(to_points, back)

    @classmethod
    def rotations(cls, rows: Rows, kmax: int) -> Self:
        """Make a grid on the group of rotations: functions of the orders -kmax to kmax in the turned frame."""
        points, weights = lebedev(3 * rows.lmax)
        turns = 3 * kmax + 1 if kmax else 1
        angles = np.tile(np.arange(turns) * (2.0 * math.pi / turns), len(points))[:, None]
        frames = edge_frames(np.repeat(points, turns, axis=0), angles)
        blocks = Rotations.create(rows.lmax, kmax)(frames)
        orders = [0, *(sign * k for k in range(1, kmax + 1) for sign in (-1, 1))]
        columns, factors = [], []
        for degree, order in zip(rows.degrees, _orders(rows), strict=True):
            for k in orders:
                there = abs(k) <= degree
                block = blocks[degree][:, min(degree, kmax) + k * there, degree + order]
                columns.append(block * there)
                factors.append(2 * degree + 1)
        to_points = np.stack(columns, axis=1)
        volume = np.repeat(weights, turns)[:, None] / turns
        back = to_points * np.array(factors) * volume
        return cls._made(to_points, back, frames=len(orders), turned=True)

    @classmethod
    def _made(cls, to_points: Array, back: Array, **settings: Any) -> Self:
        there, again = np.ascontiguousarray(to_points), np.ascontiguousarray(back.T)
        return cls(to_points=there, from_points=again, **settings)

    def product(self, left: Any, right: Any, *, scalar: bool = False) -> Any:
        """Return the features of the product of two functions, ``(focus, n, row · frame, channel)``.

        Args:
            left: features of the first function, of that shape.
            right: those of the second one.
            scalar: return those of the first row alone.
        """
        xp = namespace(left)
        if not scalar:
            to_points = as_type_of(self.to_points, left)
            values = xp.matmul(to_points, left) * xp.matmul(to_points, right)
            return xp.matmul(as_type_of(self.from_points, left), values)
        # A mean over the points is a product of features, of which there are fewer.
        weighted = xp.permute_dims(self.to_points, (1, 0)) * self.from_points[:1, :]
        means = as_type_of(xp.matmul(weighted, self.to_points), left)
        found = xp.sum(left * xp.matmul(means, right), axis=2, keepdims=True)
        if self.frames == 1:
            return found
        others = xp.zeros((*shape(found)[:2], self.frames - 1, shape(found)[3]), like=found)
        return xp.concat([found, others], axis=2)


def _orders(rows: Rows) -> list[int]:
    """Return the order of each row."""
    if all(piece.degrees == 1 for piece in rows.pieces):
        return [m for n in range(rows.lmax + 1) for m in range(-n, n + 1)]
    signs = [1, *(sign for _ in range(rows.mmax) for sign in (-1, 1))]
    return [
        sign * piece.degree
        for sign, piece in zip(signs, rows.pieces, strict=True)
        for _ in range(piece.rows)
    ]


def _places(rows: Rows) -> list[int]:
    """Return the place of each row among all orders, by degree."""
    return [n * n + n + m for n, m in zip(rows.degrees, _orders(rows), strict=True)]
