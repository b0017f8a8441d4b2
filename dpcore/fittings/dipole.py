"""The fitting of dipoles."""

from typing import Any

from dpcore.batch import Batch
from dpcore.descriptors.descriptor import Description
from dpcore.fittings.tensor import TensorFitting
from dpcore.output import Output
from dpcore.tree import setting
from dpcore.xp import as_type_of, namespace

DIPOLE = Output("global_dipole", "dipole", (3,), differentiable=True, rank=1)


class DipoleFitting(TensorFitting, name="dipole"):
    """Dipole of each atom, ``μ = M R``, with M from the networks and R the vectors of the descriptor.

    Source: Zhang et al., Phys. Rev. B 102, 041121 (2020).
    """

    sel_type: tuple[int, ...] | int | None = setting(
        None, doc="types that have a dipole; all if not given", aliases=("dipole_type",)
    )

    @property
    def output(self) -> Output:
        """The dipole."""
        return DIPOLE

    def __call__(self, description: Description, batch: Batch) -> Any:
        """Return the atomic dipoles, ``(centre, 3)``."""
        numbers = self.biased(self.raw(description.features, batch), batch)
        frames = as_type_of(description.frames, numbers)
        return namespace(numbers).matmul(numbers[:, None, :], frames)[:, 0, :]

    def finished(self, values: Any, bias: Any, std: Any, batch: Batch) -> Any:  # noqa: ARG002
        """Return the dipoles as they are: no bias of a type turns with the atoms."""
        return values
