"""Labels of energy models beside predictions: energies, forces and virials."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dpcore.accuracy.errors import Array, Compared, Comparison, Predictions
from dpcore.data import System


@dataclass(frozen=True)
class EnergyComparer:
    """Compare energies, forces and virials.

    Attributes:
        atomic: whether atomic energies are compared.
        spin: whether there are magnetic forces.
    """

    atomic: bool = False
    spin: bool = False

    def label_names(self, system: System) -> list[str]:
        """Return the labels that an energy model can be tested with on a system."""
        names = ["energy", "force"]
        names += ["force_mag"] if self.spin else []
        names += ["virial"] if system.periodic else []
        return names + (["atom_ener"] if self.atomic else [])

    def compare(self, system: System, predictions: Predictions) -> Compared:
        """Return each quantity that has labels, beside its predictions."""
        real = system.there
        natoms = real.sum(axis=1)[:, None]
        found: Compared = {}
        energy = system.label("energy")
        if energy is not None:
            found["energy"] = Comparison(energy, predictions["energy"])
            found["energy_per_atom"] = found["energy"].divided(natoms)
        forces = _spin_forces if self.spin else _forces
        found |= forces(system, predictions, real)
        found |= _virial(system, predictions, natoms)
        atom_energy = system.label("atom_ener") if self.atomic else None
        if atom_energy is not None:
            both = Comparison(atom_energy[real], predictions["atom_energy"][real])
            found["atom_energy"] = both
        return found


def _forces(system: System, predictions: Predictions, real: NDArray[np.bool_]) -> Compared:
    force = system.label("force")
    if force is None:
        return {}
    both = Comparison(force[real], predictions["force"][real])
    return {"force": both} | _weighted(both, system.label("atom_pref"), real)


def _weighted(force: Comparison, weight: Array | None, real: NDArray[np.bool_]) -> Compared:
    # Weights that are all zero have no average.
    if weight is None or not weight[real].any():
        return {}
    return {"weighted_force": Comparison(force.data, force.prediction, weight[real])}


def _spin_forces(system: System, predictions: Predictions, real: NDArray[np.bool_]) -> Compared:
    """Return the forces on the atoms, and those on the spins of the atoms that have one."""
    found: Compared = {}
    force, magnetic = system.label("force"), system.label("force_mag")
    if force is not None:
        found["atom_force"] = Comparison(force[real], predictions["force"][real])
    spins = real & predictions["mask_mag"].astype(np.bool_).reshape(real.shape)
    if magnetic is not None and spins.any():
        found["spin_force"] = Comparison(magnetic[spins], predictions["force_mag"][spins])
    return found


def _virial(system: System, predictions: Predictions, natoms: NDArray[np.int64]) -> Compared:
    virial = system.label("virial")
    if virial is None or system.cell is None:
        return {}
    both = Comparison(virial, predictions["virial"])
    volume = np.abs(np.linalg.det(system.cell))[:, None]
    return {
        "virial": both,
        "virial_per_atom": both.divided(natoms),
        "stress": both.divided(-volume),
    }
