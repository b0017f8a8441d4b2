"""The two-body embedding descriptor with full directional information."""

from typing import Any, ClassVar

from dpcore.batch import Batch
from dpcore.descriptors.descriptor import Description
from dpcore.descriptors.moments import contracted
from dpcore.descriptors.radial import Array, RadialDescriptor
from dpcore.errors import DPError
from dpcore.tree import setting


class SeE2A(RadialDescriptor, name="se_e2_a", aliases=("se_a",)):
    """Smooth edition of the Deep Potential descriptor, ``D = (Gᵀ R)(Rᵀ G<) / N²``.

    R are the normalised environment rows of the neighbours, G an embedding network of their radial part,
    ``G<`` its first ``axis_neuron`` columns, and N the sum of ``sel``.
    Source: Zhang et al., NeurIPS 2018, arXiv:1805.09003.
    """

    terms: ClassVar[int] = 4

    axis_neuron: int = setting(4, doc="number of axis columns", aliases=("n_axis_neuron",))

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.axis_neuron <= self.neuron[-1]:
            raise DPError(
                f"descriptor.axis_neuron: {self.axis_neuron} must lie between 1 and the last width "
                f"of neuron, {self.neuron[-1]}"
            )

    @property
    def width(self) -> int:
        """Number of features of an atom."""
        return self.neuron[-1] * self.axis_neuron

    @property
    def frame_width(self) -> int:
        """Number of vectors that rotate with the atoms."""
        return self.neuron[-1]

    def factors(self, rows: Any, real: Any) -> Any:  # noqa: ARG002
        """Return the rows themselves."""
        return rows

    def kernel_factors(self, mean: Array, inverse: Array) -> tuple[Array, Array]:
        """Return mean and inverse deviation of the rows."""
        return mean, inverse

    def __call__(self, batch: Batch, displacement: Any) -> Description:
        """Describe the centres of a batch.

        Args:
            batch: the atoms and their neighbours.
            displacement: vectors to the neighbours on the batch's edge axis, ``(edge, 3)``, Å.
        """
        return contracted(self.moments(batch, displacement), self.axis_neuron)
