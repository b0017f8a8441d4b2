"""The fitting of densities of states."""

from collections.abc import Mapping
from typing import Any

from dpcore.fittings.fitting import Fitting
from dpcore.output import Output
from dpcore.tree import setting


class DOSFitting(Fitting, name="dos"):
    """Contribution of each atom to the density of states on a grid of energies."""

    sizes = ("numb_dos",)

    precision: str = setting("float64", doc="precision of the parameters")
    numb_dos: int = setting(300, doc="number of grid points")

    @classmethod
    def outputs(cls, frame_width: int, settings: Mapping[str, Any]) -> int:  # noqa: ARG003
        """Return the number of grid points."""
        return int(settings["numb_dos"])

    @property
    def output(self) -> Output:
        """The density of states."""
        return Output("dos", "atom_dos", (self.numb_dos,))
