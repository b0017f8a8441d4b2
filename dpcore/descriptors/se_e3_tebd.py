"""The three-body embedding descriptor with one network for all types."""

from collections.abc import Collection
from typing import Any, Self

from dpcore.batch import Batch, by_block
from dpcore.descriptors.descriptor import Description
from dpcore.descriptors.environment import switch_of
from dpcore.descriptors.local import SHORTEST, Range
from dpcore.descriptors.mixed import InputMode, MixedDescriptor
from dpcore.descriptors.mixed_rows import counted, normalised_rows, types_in_places
from dpcore.descriptors.three_body import (
    ThreeBodyDescriptor,
    angles,
    largest_vector,
    symmetric_range,
    weighted_sum,
)
from dpcore.neighbours.selection import Selection
from dpcore.tree import setting
from dpcore.xp import as_type_of


class SeE3Tebd(InputMode, ThreeBodyDescriptor, MixedDescriptor, name="se_e3_tebd"):
    """The embedded angles between neighbours of all types, ``D = Σ_jk θ_jk G_jk / N²``.

    ``θ_jk`` is the scalar product of the directional parts of the normalised environment rows of the
    neighbours j and k, and N is ``sel``. With A the features of the types, G_jk is ``G(θ_jk, A_j, A_k)``
    (concat) or ``G(θ_jk) (1 + F(A_j, A_k) w_j w_k)`` (strip), where the switch functions w are left out
    unless ``smooth``.
    """

    set_davg_zero: bool = setting(True, doc="keep the mean of the environment rows at zero")
    use_tebd_bias: bool = setting(True, doc="give the type embedding a bias")
    smooth: bool = setting(
        True, doc="switch the network of the types off at the cutoff, in strip mode"
    )

    @property
    def width(self) -> int:
        """Number of features of an atom."""
        return self.neuron[-1] + (self.tebd_dim if self.concat_output_tebd else 0)

    @property
    def selections(self) -> tuple[Selection, ...]:
        """The neighbours this descriptor asks for."""
        full = self.is_padded
        return (Selection.of_all_types(self.rcut, self.places, self.ntypes, full=full),)

    def ranges(self, shortest: float = SHORTEST) -> list[Range]:
        """Return the lower and upper end of the angles.

        Args:
            shortest: distance of the closest neighbours, Å.
        """
        size = 1.0 / (shortest + self.env_protection)
        lengths = [largest_vector(*both, size) for both in zip(self.davg, self.dstd, strict=True)]
        return [symmetric_range(max(lengths) ** 2)]

    def prepared(self, *, tables: bool | None = False, kernels: Collection[str] = ()) -> Self:
        """Return the descriptor with everything computed that no input changes.

        Args:
            tables: replace networks by tables that agree with them to rounding, where there are such.
            kernels: there are none for pairs of neighbours.
        """
        known = self.with_types_known()
        return super(SeE3Tebd, known).prepared(tables=tables, kernels=kernels)

    def __call__(self, batch: Batch, displacement: Any) -> Description:
        """Describe the centres of a batch.

        Args:
            batch: the atoms and their neighbours.
            displacement: vectors to the neighbours on the batch's edge axis, ``(edge, 3)``, Å.
        """
        rows = by_block(batch.view, self.environment(displacement))[0][0]
        vectors = self._vectors(batch, rows)
        theta = angles(vectors, vectors)
        types = types_in_places(batch, batch.view.blocks[0][0])
        kind = types[:, :, None] * self.ntypes + types[:, None, :]
        switch = self._switch(by_block(batch.view, displacement)[0][0], theta)
        features = self.embedding(theta[:, :, :, None], kind, switch)
        return self.completed(Description(weighted_sum(theta, features) / self.places**2), batch)

    def _vectors(self, batch: Batch, rows: Any) -> Any:
        """Return the directional part of the normalised rows, ``(centre, neighbour, 3)``."""
        vectors = normalised_rows(batch, rows, self.davg, self.dstd)[:, :, 1:]
        if self.exclude_types:
            block = batch.view.blocks[0][0]
            here = counted(batch, block, self.excluded, vectors)
            vectors = vectors * here[:, :, None]
        return as_type_of(vectors, self.davg)

    def _switch(self, displacement: Any, like: Any) -> Any | None:
        """Return ``w_j w_k``, ``(centre, j, k, 1)``, or None where it is left out."""
        if not self.smooth or self.type_net is None:
            return None
        switch = as_type_of(switch_of(displacement, self.rcut_smth, self.rcut), like)
        return switch[:, :, None, :] * switch[:, None, :, :]
