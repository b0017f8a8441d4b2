"""The energy model."""

from typing import Any

from dpcore.batch import Batch, Group
from dpcore.descriptors import SeE2A
from dpcore.errors import DPError
from dpcore.fittings import EnergyFitting
from dpcore.neighbours.selection import Selection
from dpcore.tree import Module, buffer, setting
from dpcore.xp import namespace


class EnergyModel(Module, name="energy"):
    """Atomic energies from each atom's surroundings; their sum is the energy of a frame."""

    type_map: tuple[str, ...] = setting(doc="names of the atom types")
    atom_exclude_types: tuple[int, ...] = setting((), doc="types whose atomic energy is zero")
    pair_exclude_types: tuple[tuple[int, int], ...] = setting(
        (), doc="type pairs that are no neighbours of each other"
    )
    preset_out_bias: tuple[float | None, ...] | None = setting(
        None, doc="output bias of each type, eV; None leaves a type to the fit"
    )
    descriptor: SeE2A
    fitting: EnergyFitting
    out_bias: Any = buffer(exact=True)
    out_std: Any = buffer(exact=True)

    def __post_init__(self) -> None:
        ntypes = len(self.type_map)
        if self.descriptor.ntypes != ntypes or len(self.fitting.nets) != ntypes:
            raise DPError(
                f"model.type_map: {ntypes} types, but descriptor.sel has {self.descriptor.ntypes} "
                f"and the fitting {len(self.fitting.nets)}; all must agree"
            )

    @property
    def selection(self) -> Selection:
        """The neighbours the model asks for."""
        selection = self.descriptor.selection
        return Selection(selection.rcut, selection.sel, self.pair_exclude_types)

    def atomic(self, batch: Batch, displacement: Any) -> Any:
        """Return the energy of each atom.

        Args:
            batch: the atoms and their neighbours.
            displacement: vectors to the neighbours on the batch's edge axis, ``(edge, 3)``, Å.

        Returns:
            energies on the flat atom axis, ``(atom,)``, eV.
        """
        features = self.descriptor(batch, displacement)
        energies = [
            self._energy(x, group, batch) for x, group in zip(features, batch.groups, strict=True)
        ]
        return namespace(displacement).concat(energies, axis=0)

    def _energy(self, features: Any, group: Group, batch: Batch) -> Any:
        energy = self.fitting(features, group, batch) + self.out_bias[0, group.type, 0]
        if group.type in self.atom_exclude_types:
            return namespace(energy).zeros_like(energy)
        return energy
