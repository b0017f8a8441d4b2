"""What counts in a batch: sums over the atoms of each frame, and means over the frames."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

from dpcore.batch import Batch
from dpcore.train.targets import Target
from dpcore.xp import as_type_of, namespace, shape

Measure = Callable[[Any], Any]


@dataclass(frozen=True)
class Frames:
    """The frames of a batch and the atoms that count.

    Attributes:
        frame: frame of each atom, ``(atom,)``.
        there: 1 for frames, 0 for padding, ``(frame,)``.
        counted: 1 for atoms that count, 0 for others and padding, ``(atom,)``.
    """

    frame: Any
    there: Any
    counted: Any

    @classmethod
    def of(cls, batch: Batch, excluded: Iterable[int], like: Any) -> Self:
        """Return the frames of a batch.

        Args:
            batch: the batch.
            excluded: types that do not count.
            like: an array of the precision of all sums.
        """
        xp = namespace(like)
        there = as_type_of(batch.natoms > 0, like)
        counted = xp.take(there, batch.frame, axis=0)
        for t in excluded:
            counted = xp.where(batch.types == t, xp.zeros_like(counted), counted)
        return cls(batch.frame, there, counted)

    def only(self, chosen: Any) -> Self:
        """Return the same frames with fewer atoms that count: those where ``chosen (atom,)`` is true."""
        zero = namespace(self.counted).zeros_like(self.counted)
        return replace(self, counted=namespace(zero).where(chosen, self.counted, zero))

    @cached_property
    def natoms(self) -> Any:
        """Number of atoms that count in each frame, at least 1, ``(frame,)``."""
        return namespace(self.there).maximum(
            self.sums(self.counted), namespace(self.there).ones_like(self.there)
        )

    def sums(self, rows: Any) -> Any:
        """Return the sum over the atoms of each frame, ``(frame, …)``."""
        return namespace(rows).segment_sum(rows, self.frame, shape(self.there)[0])

    def mean(self, costs: Any) -> Any:
        """Return the mean over the frames of what each costs, ``(frame,)``."""
        xp = namespace(costs)
        number = xp.sum(self.there)
        return xp.sum(costs * self.there) / xp.maximum(number, xp.ones_like(number))


@dataclass(frozen=True)
class Deviation:
    """Predictions less labels, zero where there is no label or the row does not count.

    Attributes:
        frames: the frames.
        value: the differences, ``(frame, n)`` or ``(atom, n)``.
        count: 1 for rows that count, ``(frame,)`` or ``(atom,)``.
        of_atoms: whether the rows are atoms.
    """

    frames: Frames
    value: Any
    count: Any
    of_atoms: bool

    @classmethod
    def of_frames(cls, frames: Frames, predicted: Any, target: Target) -> Self:
        """Return the deviation of a property of frames."""
        return cls._of(frames, predicted, target, as_type_of(target.there, frames.there), False)

    @classmethod
    def of_each_atom(cls, frames: Frames, predicted: Any, target: Target) -> Self:
        """Return the deviation of a property of atoms."""
        there = as_type_of(target.there, frames.there) * frames.there
        there = namespace(there).take(there, frames.frame, axis=0) * frames.counted
        return cls._of(frames, predicted, target, there, True)

    @classmethod
    def _of(
        cls, frames: Frames, predicted: Any, target: Target, count: Any, of_atoms: bool
    ) -> Self:
        xp = namespace(target.value)
        found = xp.reshape(as_type_of(predicted, target.value), shape(target.value))
        difference = found - target.value
        # Before anything else: what padding predicts means nothing, and its derivatives may be endless.
        difference = xp.where(count[:, None] > 0, difference, xp.zeros_like(difference))
        return cls(frames, difference, count, of_atoms)

    def where_there(self, target: Target) -> Self:
        """Return the deviation of rows alone whose frame has another label as well."""
        there = as_type_of(target.there, self.count)
        if self.of_atoms:
            there = namespace(there).take(there, self.frames.frame, axis=0)
        count = self.count * there
        return replace(self, value=self.value * count[:, None], count=count)

    def times(self, factor: Any) -> Self:
        """Return the deviation times a number for each row, ``(row,)``."""
        return replace(self, value=self.value * factor[:, None])

    def per_atom(self) -> Self:
        """Return the deviation of a property of frames, divided by their numbers of atoms."""
        return self.times(1.0 / self.frames.natoms)

    def lengths(self) -> Self:
        """Return the lengths of the differences as vectors, ``(row, 1)``; of zero the slope is zero."""
        xp = namespace(self.value)
        squares = xp.sum(self.value * self.value, axis=1, keepdims=True)
        positive = squares > 0.0
        roots = xp.sqrt(xp.where(positive, squares, xp.ones_like(squares)))
        return replace(self, value=xp.where(positive, roots, xp.zeros_like(squares)))

    def cost(self, measure: Measure, weight: Any = 1.0) -> Any:
        """Return what each frame costs: the mean over components, and over its atoms, ``(frame,)``.

        Args:
            measure: what a difference costs.
            weight: factor on each row, ``(row,)``.
        """
        rows = namespace(self.value).mean(measure(self.value), axis=1) * weight
        return self.frames.sums(rows) / self.frames.natoms if self.of_atoms else rows

    def error(self, measure: Measure, weight: Any = 1.0) -> Any:
        """Return the sum over all rows that count, and how many these are, ``(2,)``.

        Args:
            measure: what is summed, its mean over the components of a row.
            weight: how much each row counts, ``(row,)``.
        """
        xp = namespace(self.value)
        weight = self.count * weight
        each = xp.mean(measure(self.value), axis=1) * weight
        return xp.stack([xp.sum(each), xp.sum(weight)])
