"""The fitting network of the energy."""

from typing import Any

from dpcore.batch import Batch
from dpcore.descriptors.descriptor import Description
from dpcore.errors import DPError
from dpcore.fittings.by_type import as_row, of_types
from dpcore.fittings.check import check_fitting
from dpcore.fittings.fitting import Fitting
from dpcore.output import ENERGY, Output
from dpcore.tree import setting
from dpcore.xp import namespace


class EnergyFitting(Fitting, name="ener"):
    """Descriptor and parameters in, atomic energy in eV out.

    Where the energies of isolated atoms are given, what the networks give for no surroundings at all is
    subtracted, so that an atom on its own has exactly the energy of its type's bias.
    """

    atom_ener: tuple[float | None, ...] = setting(
        (), doc="energies of the isolated atoms, eV; None leaves a type free"
    )
    use_aparam_as_mask: bool = setting(
        False, doc="atomic parameters mark atoms and do not enter the networks"
    )
    layer_name: tuple[str | None, ...] | None = setting(None, doc="names of layers to share")

    def __post_init__(self) -> None:
        check_fitting(self)
        if self.layer_name is not None and any(self.layer_name):
            raise DPError(
                "fitting_net.layer_name: sharing layers by name is not supported; leave it out"
            )
        if self.use_aparam_as_mask and not self.numb_aparam:
            raise DPError(
                "fitting_net.use_aparam_as_mask: there are no atomic parameters to mask with; set "
                "numb_aparam to 1"
            )
        if len(self.atom_ener) > self.ntypes:
            raise DPError(
                f"fitting_net.atom_ener: {len(self.atom_ener)} energies for {self.ntypes} types"
            )

    @property
    def output(self) -> Output:
        """The energy."""
        return ENERGY

    def __call__(self, description: Description, batch: Batch) -> Any:
        """Return the atomic energies, ``(centre, 1)``, eV, in the dtype of ``bias_atom_e``."""
        features = description.features
        energy = self.raw(features, batch)
        if any(e is not None for e in self.atom_ener):
            vacuum = description.vacuum
            if vacuum is None:
                vacuum = namespace(features).zeros_like(features)
            vacuum = self.raw(vacuum, batch)
            fixed = as_row(self._measured_from_vacuum(), energy)[:, None]
            energy = energy - vacuum * of_types(fixed, batch)
        return self.biased(energy, batch)

    def _measured_from_vacuum(self) -> list[bool]:
        """Return of which types the energy in vacuum is subtracted.

        It is where an energy was given, and of the types that ``atom_ener`` is too short for; a network
        that serves all types has it subtracted from all, as in DeePMD-kit.
        """
        if len(self.nets) == 1:
            return [True] * self.ntypes
        given = [e is not None for e in self.atom_ener]
        return given + [True] * (self.ntypes - len(given))
