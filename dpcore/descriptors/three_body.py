"""What descriptors of pairs of neighbours share."""

import math
from collections.abc import Collection
from typing import Any, ClassVar, Self, TypeVar

import numpy as np

from dpcore.descriptors.local import LocalDescriptor, Range
from dpcore.tree import Module, Tree, visit
from dpcore.xp import namespace, shape

M = TypeVar("M", bound=Tree)

# Ends of ranges are multiples of this part of a power of two.
_STEPS = 16


class ThreeBodyDescriptor(LocalDescriptor):
    """Base of descriptors of pairs of neighbours.

    Attributes:
        padded: whether places without a neighbour contribute, where it was found ahead.
    """

    two_sided: ClassVar[bool] = True

    padded: bool | None = None

    @property
    def rows(self) -> int:
        """How many rows are held for an atom at most: one for each pair of neighbours."""
        return self.places**2

    @property
    def virials_by_path(self) -> bool:
        """Whether virials of atoms follow the paths of messages: none are passed.

        Unlike the selections this does not depend on statistics, whose values are not known while a function
        of them is compiled.
        """
        return False

    @property
    def is_padded(self) -> bool:
        """Whether places without a neighbour contribute.

        DeePMD-kit normalises them like any other: they are zero unless the means of the directional part
        are not.
        """
        if self.padded is not None:
            return self.padded
        return bool(namespace(self.davg).any(self.davg[:, :, 1:] != 0.0))

    def prepared(self, *, tables: bool | None = False, kernels: Collection[str] = ()) -> Self:  # noqa: ARG002
        """Return the descriptor with everything computed that no input changes.

        Args:
            tables: replace networks by tables that agree with them to rounding, where there are such.
            kernels: there are none for pairs of neighbours.
        """
        ready = self.with_(padded=self.is_padded)
        return ready.with_tables() if tables else ready


def settled(model: M) -> M:
    """Return a model that knows of its statistics what selections depend on, as compiled functions need it."""

    def settle(_: str, module: Module) -> Module | None:
        return (
            module.with_(padded=module.is_padded)
            if isinstance(module, ThreeBodyDescriptor)
            else None
        )

    found: M = visit(model, settle)
    return found


def angles(first: Any, second: Any) -> Any:
    """Return the scalar products of the vectors of two sets of neighbours.

    Args:
        first: ``(centre, j, 3)``.
        second: ``(centre, k, 3)``.

    Returns:
        ``(centre, j, k)``.
    """
    xp = namespace(first)
    return xp.matmul(first, xp.permute_dims(second, (0, 2, 1)))


def weighted_sum(weights: Any, features: Any) -> Any:
    """Return ``Σ_jk weights features`` of each centre, ``(centre, feature)``.

    Args:
        weights: ``(centre, j, k)``.
        features: ``(centre, j, k, feature)``.
    """
    xp, (n, j, k, width) = namespace(weights), shape(features)
    rows = xp.reshape(features, (n, j * k, width))
    return xp.matmul(xp.reshape(weights, (n, 1, j * k)), rows)[:, 0, :]


def symmetric_range(largest: float) -> Range:
    """Return a range to both sides that contains a number, and whose ends have few binary digits.

    Tables on such a range have knots that are exact: between them no digits of an angle near zero are lost.
    """
    part, exponent = math.frexp(largest or 1.0)
    end = math.ldexp(math.ceil(part * _STEPS) / _STEPS, exponent)
    return -end, end


def largest_vector(davg: Any, dstd: Any, size: float) -> float:
    """Return the largest length of a normalised vector.

    Args:
        davg: mean of the environment rows by place, ``(place, 4)``.
        dstd: their deviation.
        size: largest length of a vector before normalisation, 1/Å.
    """
    mean, std = davg[:, 1:].astype(float), dstd[:, 1:].astype(float)
    lengths = size / np.min(std, axis=1) + np.linalg.norm(mean / std, axis=1)
    return float(np.max(lengths, initial=0.0))
