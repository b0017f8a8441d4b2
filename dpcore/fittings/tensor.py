"""What fittings of tensors share: numbers from networks, directions from the descriptor."""

from collections.abc import Mapping
from typing import Any

from dpcore.errors import DPError
from dpcore.fittings.check import check_fitting, check_types
from dpcore.fittings.fitting import Fitting


class TensorFitting(Fitting):
    """Base of fittings whose property turns with the atoms, and which not all types need to have.

    ``sel_type`` is another way to say ``exclude_types`` and is turned into it.
    """

    sel_type: tuple[int, ...] | int | None = None

    def __post_init__(self) -> None:
        if self.sel_type is not None:
            selected = (self.sel_type,) if isinstance(self.sel_type, int) else self.sel_type
            check_types("sel_type", selected, self.ntypes)
            others = set(range(self.ntypes)).difference(selected).union(self.exclude_types)
            object.__setattr__(self, "exclude_types", tuple(sorted(others)))
            object.__setattr__(self, "sel_type", None)
        check_fitting(self)
        if len(set(self.exclude_types)) == self.ntypes:
            raise DPError(
                f"fitting_net.sel_type: no type has a {self.type_name}; select one or more"
            )

    @classmethod
    def outputs(cls, frame_width: int, settings: Mapping[str, Any]) -> int:  # noqa: ARG003
        """Return how many numbers the networks give: one for each vector of the descriptor.

        Raises:
            DPError: there are no vectors.
        """
        if not frame_width:
            raise DPError(
                f"fitting_net.type: {cls.type_name!r} needs vectors that turn with the atoms, and this "
                "descriptor.type gives none; choose another, such as se_e2_a or se_atten"
            )
        return frame_width

    @property
    def unselected_types(self) -> tuple[int, ...]:
        """Types that do not have the property."""
        return self.exclude_types
