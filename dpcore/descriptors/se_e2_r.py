"""The two-body embedding descriptor of distances alone."""

from typing import Any, ClassVar

import numpy as np

from dpcore.batch import Batch
from dpcore.descriptors.descriptor import Description
from dpcore.descriptors.environment import radial_part
from dpcore.descriptors.local import SHORTEST, Range
from dpcore.descriptors.radial import Array, RadialDescriptor
from dpcore.xp import as_type_of, namespace, shape

# DeePMD-kit scales the mean of the embeddings by this.
_SCALE = 0.2
# So large that a component of a row vanishes beside it, and a power of two, so that it cancels exactly.
_LARGE = 2.0**100


class SeE2R(RadialDescriptor, name="se_e2_r", aliases=("se_r",)):
    """The mean of the embedded distances, ``D = Σ_j G(s_j) / 5N``.

    s is the normalised radial part of the environment row of a neighbour, G an embedding network, and N
    the sum of ``sel``. Empty places count. Neighbours of an excluded type count as well, with s = 0, unless
    the pair of types has a network of its own, which is then left out.
    Source: Zhang et al., NeurIPS 2018, arXiv:1805.09003.
    """

    columns: ClassVar[int] = 1
    terms: ClassVar[int] = 1
    first_term: ClassVar[int] = 1

    @property
    def width(self) -> int:
        """Number of features of an atom."""
        return self.neuron[-1]

    def environment(self, displacement: Any) -> Any:
        """Return the radial part of the environment rows before normalisation, ``(edge, 1)``, 1/Å."""
        return radial_part(displacement, self.rcut_smth, self.rcut, self.env_protection)

    def factors(self, rows: Any, real: Any) -> Any:
        """Return 1 for places that count."""
        return as_type_of(real, rows)

    def kernel_factors(self, mean: Array, inverse: Array) -> tuple[Array, Array]:  # noqa: ARG002
        """Return what makes the second component of a row 1."""
        return np.array([mean[0], -_LARGE, 0.0, 0.0]), np.array([0.0, 1.0 / _LARGE, 0.0, 0.0])

    @property
    def has_series(self) -> bool:
        """Whether its sums are those of series of its networks: not where pairs are excluded."""
        return not self.exclude_types

    def ranges(self, shortest: float = SHORTEST) -> list[Range]:
        """Return the lower and upper end of what each network is given.

        Args:
            shortest: distance of the closest neighbours, Å.
        """
        ends = super().ranges(shortest)
        if not self.exclude_types:
            return ends
        return [(min(lower, 0.0), max(upper, 0.0)) for lower, upper in ends]

    def sum_empty(self, centre: int, neighbour: int) -> Any:
        """Sum the contributions of the places of ``sel`` that distances do not change."""
        empty = super().sum_empty(centre, neighbour)
        if (centre, neighbour) not in self.excluded:
            return empty
        xp = namespace(empty)
        if not self.type_one_side:
            return xp.zeros_like(empty)
        net = self.nets[self.net_number(centre, neighbour)]
        none = net(xp.zeros((1, 1), like=self.davg))
        number = xp.arange(shape(empty)[0], like=self.davg)
        return empty + number[:, None, None] * none[:, :, None]

    def __call__(self, batch: Batch, displacement: Any) -> Description:
        """Describe the centres of a batch.

        Args:
            batch: the atoms and their neighbours.
            displacement: vectors to the neighbours on the batch's edge axis, ``(edge, 3)``, Å.
        """
        return Description(_SCALE * self.moments(batch, displacement)[:, 0, :])
