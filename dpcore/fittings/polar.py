"""The fitting of polarizabilities."""

from collections.abc import Mapping
from math import isqrt
from typing import Any, Self

import numpy as np

from dpcore.batch import Batch
from dpcore.descriptors.descriptor import Description
from dpcore.errors import DPError
from dpcore.fittings.by_type import as_row, of_types
from dpcore.fittings.check import check_shapes
from dpcore.fittings.tensor import TensorFitting
from dpcore.output import Output
from dpcore.tree import buffer, setting
from dpcore.xp import as_type_of, namespace, shape

POLAR = Output("global_polar", "polar", (3, 3), rank=2)


class PolarFitting(TensorFitting, name="polar"):
    """Polarizability of each atom, ``α = Rᵀ P R``, with P from the networks and R as for dipoles.

    Source: Sommers et al., Phys. Chem. Chem. Phys. 22, 10592 (2020).
    """

    fit_diag: bool = setting(True, doc="P is diagonal; otherwise it is any symmetric matrix")
    scale: tuple[float, ...] | float = setting(
        1.0, doc="factor on the polarizability: one number, or one for each type"
    )
    shift_diag: bool = setting(True, doc="add the mean polarizability of the type to the diagonal")
    sel_type: tuple[int, ...] | int | None = setting(
        None, doc="types that have a polarizability; all if not given", aliases=("pol_type",)
    )
    constant_matrix: Any = buffer(exact=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        scale = self.scale if isinstance(self.scale, tuple) else (self.scale,) * self.ntypes
        object.__setattr__(self, "scale", tuple(map(float, scale)))
        if len(self.scales) != self.ntypes:
            raise DPError(f"fitting_net.scale: {len(self.scales)} factors for {self.ntypes} types")
        check_shapes(self, constant_matrix=(self.ntypes,))

    @classmethod
    def outputs(cls, frame_width: int, settings: Mapping[str, Any]) -> int:
        """Return how many numbers the networks give: the entries of P."""
        size = super().outputs(frame_width, settings)
        return size if settings["fit_diag"] else size**2

    @classmethod
    def statistics(cls, ntypes: int, settings: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG003
        """Return mean polarizabilities of zero."""
        return {"constant_matrix": np.zeros(ntypes)}

    @property
    def output(self) -> Output:
        """The polarizability."""
        return POLAR

    @property
    def scales(self) -> tuple[float, ...]:
        """The factor of each type."""
        assert isinstance(self.scale, tuple)
        return self.scale

    def __call__(self, description: Description, batch: Batch) -> Any:
        """Return the atomic polarizabilities, ``(centre, 3, 3)``."""
        numbers = self.biased(self.raw(description.features, batch), batch)
        numbers = numbers * of_types(as_row(self.scales, numbers)[:, None], batch)
        xp, frames = namespace(numbers), as_type_of(description.frames, numbers)
        if self.fit_diag:
            turned = numbers[:, :, None] * frames
        else:
            size = isqrt(shape(self.bias_atom_e)[1])
            turned = xp.matmul(xp.reshape(numbers, (-1, size, size)), frames)
        polar = xp.matmul(xp.permute_dims(frames, (0, 2, 1)), turned)
        polar = 0.5 * (polar + xp.permute_dims(polar, (0, 2, 1)))
        return self._shifted(polar, self.constant_matrix, batch)

    def finished(self, values: Any, bias: Any, std: Any, batch: Batch) -> Any:  # noqa: ARG002
        """Return the polarizabilities plus the mean diagonal of a model's output bias."""
        return self._shifted(values, (bias[0, :, 0] + bias[0, :, 4] + bias[0, :, 8]) / 3.0, batch)

    def without_bias(self) -> Self:
        """Return the fitting without biases and mean polarizabilities of its own."""
        return super().without_bias().with_(constant_matrix=0.0 * self.constant_matrix)

    def _shifted(self, polar: Any, mean: Any, batch: Batch) -> Any:
        """Add the mean of each type, scaled, to the diagonals."""
        if self.shift_diag:
            axis = namespace(polar).arange(3, like=batch.natoms)
            one = as_type_of(axis[:, None] == axis[None, :], polar)
            added = of_types(mean * as_row(self.scales, mean), batch)
            polar = polar + added[:, None, None] * one
        return polar
