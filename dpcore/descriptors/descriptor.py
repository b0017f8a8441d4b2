"""The contract of descriptors."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from dpcore.batch import Batch
from dpcore.conditions import Conditions
from dpcore.descriptors.normalised import Normalised
from dpcore.neighbours.selection import Selection
from dpcore.tree import Module

# The descriptors that an input file may name, and their other names.
DESCRIPTORS: dict[str, type["Descriptor"]] = {}


@dataclass(frozen=True)
class Description:
    """What a descriptor says of the centres of a batch, on its centre axis.

    Attributes:
        features: numbers that do not change on rotation, ``(centre, width)``.
        turning: vectors that rotate with the atoms, a function that computes them when they are asked for,
            or None.
        vacuum: the features where no atom has any surroundings, ``(centre, width)``; None for zeros.
    """

    features: Any
    turning: Any | Callable[[], Any] | None = None
    vacuum: Any | None = None

    @cached_property
    def frames(self) -> Any | None:
        """The vectors that rotate with the atoms, ``(centre, frame_width, 3)``, or None."""
        return self.turning() if callable(self.turning) else self.turning


class Descriptor(Module):
    """Base of what the fitting networks see of an atom's surroundings.

    A subclass names itself and its other names: ``class SeE2A(Descriptor, name="se_e2_a",
    aliases=("se_a",))``. Its settings are its keys in the input file, unless it is not ``listed`` as one
    that users may name.
    """

    aliases: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(
        cls, name: str = "", aliases: tuple[str, ...] = (), *, listed: bool = True, **kwargs: Any
    ) -> None:
        super().__init_subclass__(name=name, **kwargs)
        if name and listed:
            cls.aliases = aliases
            DESCRIPTORS[name] = cls

    @classmethod
    def create(
        cls, rng: np.random.Generator, *, type_map: tuple[str, ...], **settings: Any
    ) -> Self:
        """Draw a descriptor with random networks and neutral statistics."""
        raise NotImplementedError

    @property
    def ntypes(self) -> int:
        """Number of atom types."""
        raise NotImplementedError

    @property
    def width(self) -> int:
        """Number of features of an atom."""
        raise NotImplementedError

    @property
    def frame_width(self) -> int:
        """Number of vectors that rotate with the atoms, 0 if there are none."""
        return 0

    @property
    def mixed_types(self) -> bool:
        """Whether types enter the features, so that one fitting network serves all of them."""
        return False

    @property
    def conditions(self) -> Conditions:
        """What the descriptor is told of frames and atoms besides places."""
        return Conditions()

    @property
    def magnetic(self) -> tuple[bool, ...]:
        """Whether atoms of each type have spins that the descriptor is told of; none where it takes none."""
        return ()

    @property
    def virials_by_path(self) -> bool:
        """Whether virials of atoms follow the paths of messages (see :mod:`dpcore.models.atomic_virials`)."""
        return any(selection.messages for selection in self.selections)

    @property
    def selections(self) -> tuple[Selection, ...]:
        """The neighbours that the descriptor asks for: one view of a batch for each."""
        raise NotImplementedError

    @property
    def rows(self) -> int:
        """How many rows are held for an atom at most; 0 where kernels hold none."""
        return sum(selection.most for selection in self.selections)

    @property
    def normalised_rows(self) -> Mapping[str, Normalised]:
        """What statistics of training data normalise, by the path of the module that stores them."""
        return {}

    @property
    def reach(self) -> float:
        """Distance below which a neighbour is beyond the tables, Å; 0 where there are none."""
        return 0.0

    @property
    def is_fused(self) -> bool:
        """Whether fused kernels evaluate the descriptor."""
        return False

    def prepared(
        self,
        *,
        tables: bool | None = False,  # noqa: ARG002
        kernels: Collection[str] = (),  # noqa: ARG002
    ) -> "Descriptor":
        """Return the descriptor with everything computed that no input changes.

        Args:
            tables: replace networks by tables that agree with them to rounding, where there are such; None
                for those that kernels evaluate.
            kernels: embeddings to evaluate by fused kernels, of ``table`` and ``net``.

        Returns:
            a descriptor of the same numbers, which asks for the same neighbours whatever ``tables`` is.
        """
        return self

    def __call__(self, batch: Batch, displacement: Any) -> Description:
        """Describe the centres of a batch.

        Args:
            batch: the atoms, with the views of :attr:`selections`.
            displacement: vectors to the neighbours on the batch's edge axis, ``(edge, 3)``, Å.
        """
        raise NotImplementedError
