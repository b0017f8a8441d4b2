"""The fitting of any other property that does not turn with the atoms."""

import re
from collections.abc import Mapping
from typing import Any

from dpcore.batch import Batch
from dpcore.errors import DPError
from dpcore.fittings.by_type import of_types
from dpcore.fittings.check import check_fitting
from dpcore.fittings.fitting import Fitting
from dpcore.output import Output
from dpcore.tree import setting

# What predictions call the atoms that are there.
_TAKEN = ("mask",)


class PropertyFitting(Fitting, name="property"):
    """Contribution of each atom to a property of the frame, which is their sum or their mean."""

    sizes = ("task_dim",)
    in_standard_units = True

    task_dim: int = setting(1, doc="number of components of the property")
    intensive: bool = setting(False, doc="the property is the mean over the atoms, not the sum")
    distinguish_types: bool = setting(True, doc="each type has output statistics of its own")
    property_name: str = setting(doc="name of the property and of its data file")

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[\w.+-]+", self.property_name) or self.property_name in _TAKEN:
            raise DPError(
                f"fitting_net.property_name: {self.property_name!r} cannot name a property; take letters, "
                f"digits, '_', '.', '+' and '-', but not {', '.join(_TAKEN)}"
            )
        check_fitting(self)

    @classmethod
    def outputs(cls, frame_width: int, settings: Mapping[str, Any]) -> int:  # noqa: ARG003
        """Return the number of components."""
        return int(settings["task_dim"])

    @property
    def output(self) -> Output:
        """The property, by its name."""
        name = self.property_name
        return Output(name, f"atom_{name}", (self.task_dim,), intensive=self.intensive)

    def finished(self, values: Any, bias: Any, std: Any, batch: Batch) -> Any:
        """Return the property from standard units: deviations times ``std``, plus ``bias``."""
        if self.distinguish_types:
            return values * of_types(std[0, ...], batch) + of_types(bias[0, ...], batch)
        return values * std[0, :1, :] + bias[0, :1, :]
