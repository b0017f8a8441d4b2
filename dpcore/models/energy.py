"""The energy model."""

from typing import Any

from dpcore.batch import Batch, Group
from dpcore.descriptors import SeE2A
from dpcore.errors import DPError
from dpcore.fittings import EnergyFitting
from dpcore.neighbours.selection import Selection
from dpcore.tree import Module, buffer, setting
from dpcore.xp import namespace, shape


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
        self._check_types(ntypes)
        self._check_widths(ntypes)

    def _check_types(self, ntypes: int) -> None:
        excluded = {"atom_exclude_types": self.atom_exclude_types}
        excluded["pair_exclude_types"] = tuple(t for pair in self.pair_exclude_types for t in pair)
        for key, types in excluded.items():
            for t in types:
                if not 0 <= t < ntypes:
                    raise DPError(f"model.{key}: there is no type {t}; allowed: 0 … {ntypes - 1}")

    def _check_widths(self, ntypes: int) -> None:
        fitting = self.fitting
        n_in = self.descriptor.width + fitting.numb_fparam
        n_in += 0 if fitting.use_aparam_as_mask else fitting.numb_aparam
        for i, net in enumerate(fitting.nets):
            if net.widths != (n_in, 1):
                raise DPError(
                    f"fitting.nets.{i}: from {net.widths[0]} to {net.widths[1]}; these settings need "
                    f"from {n_in} to 1"
                )
        for key in ("out_bias", "out_std"):
            if shape(getattr(self, key)) != (1, ntypes, 1):
                raise DPError(
                    f"model.{key}: shape {shape(getattr(self, key))}; {(1, ntypes, 1)} is needed"
                )

    @property
    def selection(self) -> Selection:
        """The neighbours the model asks for."""
        selection = self.descriptor.selection
        return Selection(selection.rcut, selection.sel, self.pair_exclude_types)

    @property
    def fused(self) -> bool:
        """Whether fused kernels evaluate the model."""
        return self.descriptor.fused is not None

    def atomic(self, batch: Batch, displacement: Any) -> Any:
        """Return the energy of each centre.

        Args:
            batch: the atoms and their neighbours.
            displacement: vectors to the neighbours on the batch's edge axis, ``(edge, 3)``, Å.

        Returns:
            energies of the centres, group by group, ``(centre,)``, eV.
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
