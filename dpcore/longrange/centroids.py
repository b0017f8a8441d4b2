"""The charges of a frame whose dipoles carry charges at their ends, and what acts on them booked on atoms."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dpcore.frames import Floats, Frame, Prediction
from dpcore.longrange.ewald import Electrostatics

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class ChargedFrame:
    """The nuclei of a frame and, behind them, the centroids at the ends of dipoles.

    Attributes:
        coord: coordinates, ``(charge, 3)``, Å.
        charge: charges in units of e, ``(charge,)``.
        owner: the atom that each charge belongs to, ``(charge,)``.
        dipole: dipoles of the atoms that have a centroid, ``(centroid, 3)``, Å.
        natoms: number of atoms of the frame, those included that are not there.
    """

    coord: Floats
    charge: Floats
    owner: Ints
    dipole: Floats
    natoms: int

    @classmethod
    def of(
        cls,
        frame: Frame,
        dipole: Floats,
        nuclei: Sequence[float],
        centroids: Sequence[float | None],
    ) -> "ChargedFrame":
        """Place the charges.

        Args:
            frame: the frame.
            dipole: dipole of each atom, ``(atom, 3)``, Å.
            nuclei: charge of each type.
            centroids: charge of the centroid of each type, None for types without.
        """
        there = np.flatnonzero(frame.types >= 0)
        carriers = [t for t, charge in enumerate(centroids) if charge is not None]
        carrying = np.flatnonzero(np.isin(frame.types, carriers))
        ends = np.array([charge or 0.0 for charge in centroids])
        return cls(
            coord=np.concatenate([frame.coord[there], frame.coord[carrying] + dipole[carrying]]),
            charge=np.concatenate(
                [np.array(nuclei, np.float64)[frame.types[there]], ends[frame.types[carrying]]]
            ),
            owner=np.concatenate([there, carrying]),
            dipole=dipole[carrying],
            natoms=len(frame.types),
        )

    def slope(self, found: Electrostatics) -> Floats:
        """Return the derivative of the energy by the atoms' dipoles, ``(atom, 3)``, eV/Å."""
        n = len(self.dipole)
        carrying, out = self.owner[len(self.owner) - n :], np.zeros((self.natoms, 3))
        out[carrying] = -found.force[len(self.owner) - n :]
        return out

    def booked(self, found: Electrostatics) -> Prediction:
        """Return the energy, forces and virial at fixed dipoles, by the names of an energy model.

        A dipole does not stretch with the cell, so what it would contribute to the virial if it did is
        taken away.
        """
        nuclei = len(self.owner) - len(self.dipole)
        stretch = found.force[nuclei:, :, None] * self.dipole[:, None, :]
        virials = found.virials.copy()
        virials[nuclei:] -= stretch
        return {
            "energy": np.array([found.energy]),
            "atom_energy": self._by_atom(found.shares[:, None]),
            "force": self._by_atom(found.force),
            "virial": (found.virial - stretch.sum(axis=0)).reshape(9),
            "atom_virial": self._by_atom(virials.reshape(-1, 9)),
        }

    def _by_atom(self, rows: Floats) -> Floats:
        out = np.zeros((self.natoms, rows.shape[1]))
        np.add.at(out, self.owner, rows)
        return out
