"""The three-body embedding descriptor."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dpcore.batch import Batch, Neighbours, by_block
from dpcore.descriptors.descriptor import Description
from dpcore.descriptors.local import SHORTEST, Range
from dpcore.descriptors.three_body import (
    ThreeBodyDescriptor,
    angles,
    largest_vector,
    symmetric_range,
    weighted_sum,
)
from dpcore.descriptors.typed import TypedDescriptor
from dpcore.neighbours.selection import Selection
from dpcore.xp import as_type_of, namespace, shape


class SeE3(
    ThreeBodyDescriptor, TypedDescriptor, name="se_e3", aliases=("se_at", "se_a_3be", "se_t")
):
    """The embedded angles between neighbours, ``D = Σ_ab Σ_jk θ_jk G_ab(θ_jk) / N_a N_b``.

    ``θ_jk`` is the scalar product of the directional parts of the normalised environment rows of two
    neighbours j of type a and k of type b, ``G_ab`` an embedding network, and ``N_a`` the ``sel`` of a type.
    Each pair of types a ≤ b counts once.
    """

    @classmethod
    def number_of_nets(cls, ntypes: int, settings: Mapping[str, Any]) -> int:  # noqa: ARG003
        """Return how many pairs of neighbour types there are."""
        return ntypes * (ntypes + 1) // 2

    @property
    def width(self) -> int:
        """Number of features of an atom."""
        return self.neuron[-1]

    @property
    def selections(self) -> tuple[Selection, ...]:
        """The neighbours this descriptor asks for."""
        return (Selection(self.rcut, self.sel, full=self.is_padded, by_type=self.by_type),)

    @property
    def neighbour_pairs(self) -> list[tuple[int, int]]:
        """Pairs of neighbour types in the order of their networks."""
        return [(a, b) for b in range(self.ntypes) for a in range(b + 1)]

    def ranges(self, shortest: float = SHORTEST) -> list[Range]:
        """Return the lower and upper end of what each network is given.

        Args:
            shortest: distance of the closest neighbours, Å.
        """
        types = range(self.ntypes)
        lengths = np.array([[self._longest(c, t, shortest) for t in types] for c in types])
        largest = [np.max(lengths[:, a] * lengths[:, b]) for a, b in self.neighbour_pairs]
        return [symmetric_range(float(end)) for end in largest]

    def _longest(self, centre: int, neighbour: int, shortest: float) -> float:
        """Return the largest length of a vector of a pair of types."""
        excluded = (centre, neighbour) in self.excluded
        size = 0.0 if excluded else 1.0 / (shortest + self.env_protection)
        return largest_vector(*self.statistics(centre, neighbour), size)

    def __call__(self, batch: Batch, displacement: Any) -> Description:
        """Describe the centres of a batch.

        Args:
            batch: the atoms and their neighbours.
            displacement: vectors to the neighbours on the batch's edge axis, ``(edge, 3)``, Å.
        """
        rows = self.environment(displacement)
        each = [
            self._of_group(group.type or 0, blocks, parts)
            for group, blocks, parts in zip(
                batch.groups, batch.view.blocks, by_block(batch.view, rows), strict=True
            )
        ]
        return Description(namespace(rows).concat(each, axis=0))

    def _of_group(self, centre: int, blocks: Sequence[Neighbours], parts: list[Any]) -> Any:
        """Return the features of a group from its environment rows by block, ``(centre, neuron)``."""
        xp = namespace(self.davg)
        vectors = [
            self._vectors(centre, t, block, rows)
            for t, (block, rows) in enumerate(zip(blocks, parts, strict=True))
        ]
        total = xp.zeros((shape(parts[0])[0], self.width), like=self.davg)
        for net, (a, b) in zip(self.nets, self.neighbour_pairs, strict=True):
            if self.sel[a] and self.sel[b]:
                theta = angles(vectors[a], vectors[b])
                features = net(theta[:, :, :, None])
                total = total + weighted_sum(theta, features) / (self.sel[a] * self.sel[b])
        return total

    def _vectors(self, centre: int, neighbour: int, block: Neighbours, rows: Any) -> Any:
        """Return the directional part of the normalised rows, ``(centre, neighbour, 3)``."""
        vectors = self.normalised(centre, neighbour, rows)[:, :, 1:]
        if (centre, neighbour) in self.excluded:
            # Places without a neighbour are not excluded.
            vectors = vectors * (1.0 - as_type_of(block.mask(), rows)[:, :, None])
        return as_type_of(vectors, self.davg)
