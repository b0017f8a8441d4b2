"""Which degree the rows of features have."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any, NamedTuple, Self

from dpcore.xp import namespace, shape


class Piece(NamedTuple):
    """Rows next to each other that are of one degree, or one of each of some degrees.

    Attributes:
        first: the first row.
        rows: number of rows.
        degree: the lowest degree.
        degrees: number of degrees, 1 or ``rows``.
    """

    first: int
    rows: int
    degree: int
    degrees: int


@dataclass(frozen=True)
class Rows:
    """The rows of features ``(…, row, channel)``.

    Attributes:
        lmax: the highest degree.
        mmax: the highest order.
        pieces: the rows, in order.
    """

    lmax: int
    mmax: int
    pieces: tuple[Piece, ...]

    @classmethod
    def by_degree(cls, lmax: int) -> Self:
        """Return the rows degree by degree."""
        pieces = (Piece(n * n, 2 * n + 1, n, 1) for n in range(lmax + 1))
        return cls(lmax, lmax, tuple(pieces))

    @classmethod
    def by_order(cls, lmax: int, mmax: int) -> Self:
        """Return the rows order by order, 0, -1, 1, -2, …, of an order by degree."""
        pieces, first = [], 0
        for m in range(mmax + 1):
            n = lmax + 1 - m
            for _ in range(2 if m else 1):
                pieces.append(Piece(first, n, m, n))
                first += n
        return cls(lmax, mmax, tuple(pieces))

    @cached_property
    def number(self) -> int:
        """Number of rows."""
        return sum(piece.rows for piece in self.pieces)

    @cached_property
    def degrees(self) -> tuple[int, ...]:
        """The degree of each row."""
        return tuple(
            piece.degree + (i if piece.degrees > 1 else 0)
            for piece in self.pieces
            for i in range(piece.rows)
        )

    @cached_property
    def of_one_degree(self) -> tuple[Piece, ...]:
        """The rows in pieces of one degree each."""
        return tuple(
            Piece(piece.first + i * piece.rows // piece.degrees, piece.rows // piece.degrees, n, 1)
            for piece in self.pieces
            for i, n in enumerate(range(piece.degree, piece.degree + piece.degrees))
        )

    def times(self, x: Any, factor: Any, lowest: int = 0) -> Any:
        """Return rows times a factor for each degree.

        Args:
            x: rows from the first one of degree ``lowest`` on, 0 or 1, ``(…, row, channel)``.
            factor: ``(…, degree, channel)``, from the lowest degree on.
            lowest: the lowest degree.
        """
        xp, axis = namespace(x), len(shape(x)) - 2
        pieces = [piece for piece in self.pieces if piece.degree + piece.degrees > lowest]
        skips = [max(lowest - piece.degree, 0) for piece in pieces]
        # Slices, one by one, would each have a derivative as large as the whole.
        parts = xp.split(
            x, [p.rows - skip for p, skip in zip(pieces, skips, strict=True)], axis=axis
        )
        found = []
        for part, (_, _, degree, degrees), skip in zip(parts, pieces, skips, strict=True):
            at = degree + skip - lowest
            found.append(part * factor[..., at : at + degrees - skip, :])
        return found[0] if len(found) == 1 else xp.concat(found, axis=axis)

    def apart(self, x: Any) -> list[Any]:
        """Return features ``(focus, n, row, channel)``, by order, as ``(focus, n, row · channel)`` of each order.

        Those of the orders -m and m are together.
        """
        xp, (foci, n, _, channels) = namespace(x), shape(x)
        sizes = [(self.lmax + 1 - m) * (2 if m else 1) * channels for m in range(self.mmax + 1)]
        return list(xp.split(xp.reshape(x, (foci, n, self.number * channels)), sizes, axis=2))

    def together(self, orders: Sequence[Any]) -> Any:
        """Return the features of all orders, the reverse of :meth:`apart`."""
        xp, (foci, n, _) = namespace(orders[0]), shape(orders[0])
        flat = orders[0] if len(orders) == 1 else xp.concat(list(orders), axis=2)
        return xp.reshape(flat, (foci, n, self.number, -1))

    def mean_square(self, x: Any) -> Any:
        """Return the mean over degrees of the mean square of their rows, ``(…, 1, 1)``."""
        xp, total, row = namespace(x), 0.0, 0
        squares = xp.mean(x * x, axis=-1, keepdims=True)
        for degree, same in groupby(self.degrees):
            n = len(list(same))
            weight = 1.0 / ((2 * min(degree, self.mmax) + 1) * (self.lmax + 1))
            part = xp.sum(squares[..., row : row + n, :], axis=-2, keepdims=True)
            total, row = total + weight * part, row + n
        return total
