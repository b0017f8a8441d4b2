"""Mixed descriptors without attention, as sums over the neighbours of each type."""

import dataclasses as dc
from typing import Any, Self

import numpy as np

from dpcore.batch import Batch, centre_types
from dpcore.descriptors.descriptor import Description
from dpcore.descriptors.empty_places import alike_moments
from dpcore.descriptors.local import LocalDescriptor
from dpcore.descriptors.mixed import MixedDescriptor
from dpcore.descriptors.radial import Array
from dpcore.descriptors.se_e2_a import SeE2A
from dpcore.fused.moments import PairSettings
from dpcore.fused.table import TabulatedNet
from dpcore.neighbours.selection import Selection
from dpcore.nn import MLP
from dpcore.nn.known import scaled, with_known
from dpcore.tree import buffer
from dpcore.xp import as_type_of, namespace


class PairedMoments(SeE2A, name="paired_moments", listed=False):
    """``se_e2_a`` with places that neighbours of all types share, and the types behind its features.

    A mixed descriptor whose embedding is a function of one number for each pair of types becomes this when a
    model is made ready; it is never stored. Statistics are the same in all places.

    Attributes:
        total: number of places.
        by_types: what a place without a neighbour adds to the moments, by types of the frame's first atom
            and of the centre, ``(type * type, 4, neuron)``; None for nothing.
        types: features of the types, ``(type, n)``; None where they are not asked for.
    """

    total: int
    by_types: Any = buffer(default=None)
    types: Any = buffer(default=None)

    @property
    def places(self) -> int:
        """Largest number of neighbours of an atom, whatever their types."""
        return self.total

    @property
    def width(self) -> int:
        """Number of features of an atom."""
        return super().width + (0 if self.types is None else int(self.types.shape[1]))

    @property
    def mixed_types(self) -> bool:
        """Whether types enter the features: they do."""
        return True

    @property
    def selections(self) -> tuple[Selection, ...]:
        """The neighbours this descriptor asks for."""
        return (Selection.of_all_types(self.rcut, self.total, self.ntypes, mixed=False),)

    def statistics(self, centre: int, neighbour: int) -> tuple[Any, Any]:  # noqa: ARG002
        """Return mean and deviation of the rows of a pair of types, ``(place, column)`` each."""
        return self.davg[centre, :, :], self.dstd[centre, :, :]

    def with_empty_places(self) -> Self:
        """Return the descriptor with nothing in the empty places of a type, which are those of all types."""
        empty = np.zeros((1, self.total + 1, self.neuron[-1], 4), self.davg.dtype)
        return self.with_(empty=empty)

    def _empty_places(self, centre: int, neighbour: int) -> Any:  # noqa: ARG002
        """Return what the empty places of a type add: nothing."""
        return self.empty[0, :, :, :]

    def _pair(self, centre: int, neighbour: int) -> PairSettings | None:
        """Return the kernels' settings of a pair of types."""
        found = super()._pair(centre, neighbour)
        return None if found is None else dc.replace(found, empty=0)

    def moments(self, batch: Batch, displacement: Any) -> Any:
        """Return the sums over the neighbours of all centres, ``(centre, terms, neuron)``."""
        moments = super().moments(batch, displacement)
        if self.by_types is None:
            return moments
        counts = [sum((b.count for b in row), start=0) for row in batch.view.blocks]
        missing = self.total - namespace(moments).concat(counts, axis=0)
        return moments + alike_moments(batch, self.by_types, missing) / self.total

    def __call__(self, batch: Batch, displacement: Any) -> Description:
        """Describe the centres of a batch.

        Args:
            batch: the atoms and their neighbours.
            displacement: vectors to the neighbours on the batch's edge axis, ``(edge, 3)``, Å.
        """
        found = super().__call__(batch, displacement)
        if self.types is None:
            return found
        xp, features = namespace(self.types), found.features
        own = as_type_of(xp.take(self.types, centre_types(batch), axis=0), features)
        return Description(xp.concat([features, own], axis=1), found.frames)


def by_pairs(
    descriptor: MixedDescriptor, axis_neuron: int, by_types: Any, *, one_side: bool
) -> PairedMoments:
    """Return a mixed descriptor with a network of one number for each pair of types.

    Args:
        descriptor: the descriptor, whose types are known.
        axis_neuron: number of axis columns.
        by_types: what places without a neighbour add (:class:`PairedMoments`).
        one_side: whether networks depend on the neighbour's type alone.
    """
    shared: dict[str, Any] = {
        f.name: getattr(descriptor, f.name) for f in dc.fields(LocalDescriptor)
    }
    (net,), strip = descriptor.nets, descriptor.type_net is not None
    shared["nets"] = nets_of_pairs(net, descriptor.of_pairs(), strip=strip)
    return PairedMoments(
        **shared,
        sel=(descriptor.places,) * descriptor.ntypes,
        axis_neuron=axis_neuron,
        type_one_side=one_side,
        total=descriptor.places,
        by_types=by_types,
        types=descriptor.of_types() if descriptor.concat_output_tebd else None,
    )


def nets_of_pairs(net: MLP | TabulatedNet, known: Array, *, strip: bool) -> tuple[Any, ...]:
    """Return networks, or tables, of one number for each pair of types.

    Args:
        net: a network of that number and others, or tables.
        known: for each pair the others, or with ``strip`` what the features are multiplied by less 1,
            ``(pair, n)``.
        strip: whether the network takes one number only.
    """
    if isinstance(net, TabulatedNet):
        each = [net.scaled(1.0 + row) if strip else net.of_kind(i) for i, row in enumerate(known)]
        return tuple(each)
    return tuple(scaled(net, 1.0 + row) if strip else with_known(net, row) for row in known)
