"""Energy models."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from dpcore.infer.deep_eval import DeepEval
from dpcore.output import Output


class DeepPot(DeepEval):
    """A potential energy model; see :class:`~dpcore.infer.deep_eval.DeepEval` for its arguments."""

    @classmethod
    def fits(cls, output: Output) -> bool:
        """Return whether an output is an energy with forces."""
        return output.total == "energy" and output.differentiable

    def eval(
        self,
        coords: ArrayLike,
        cells: ArrayLike | None,
        atom_types: ArrayLike,
        atomic: bool = False,
        fparam: ArrayLike | None = None,
        aparam: ArrayLike | None = None,
        mixed_type: bool = False,
        *,
        spin: ArrayLike | None = None,
        charge_spin: ArrayLike | None = None,
        pbc: Sequence[bool] = (True, True, True),
    ) -> tuple[np.ndarray, ...]:
        """Return energy, force and virial in DeePMD-kit's order.

        Args:
            coords: ``(nframes, natoms, 3)`` or flat, Å.
            cells: ``(nframes, 9)`` or ``(nframes, 3, 3)``, Å; None for open boundaries.
            atom_types: ``(natoms,)``, or ``(nframes, natoms)`` with -1 for atoms that are not there.
            atomic: return atomic energies and virials too.
            fparam: frame parameters, ``(nframes, n)`` or ``(n,)``.
            aparam: atomic parameters, ``(nframes, natoms, n)``, ``(natoms, n)`` or ``(n,)``.
            mixed_type: read flat ``atom_types`` as one row for each frame.
            spin: spins, ``(nframes, natoms, 3)`` or ``(natoms, 3)``, for models that take them.
            charge_spin: charge and spin multiplicity, ``(nframes, 2)`` or ``(2,)``, for models that take them.
            pbc: along which lattice vectors the cells repeat.

        Returns:
            energy ``(nframes, 1)`` in eV, force ``(nframes, natoms, 3)`` in eV/Å, virial ``(nframes, 9)``
            in eV; with ``atomic`` also atomic energy ``(nframes, natoms, 1)`` and virial ``(nframes,
            natoms, 9)``; of a model with spins also magnetic force ``(nframes, natoms, 3)`` in eV/μB and
            which atoms have one ``(nframes, natoms, 1)``.
        """
        given = coords, cells, atom_types, fparam, aparam
        out = self.evaluate(
            *given,
            spin=spin,
            charge_spin=charge_spin,
            pbc=pbc,
            mixed_type=mixed_type,
            atomic=atomic,
        )
        names = ["energy", "force", "virial"]
        names += ["atom_energy", "atom_virial"] if atomic else []
        names += ["force_mag", "mask_mag"] if self.has_spin else []
        return tuple(out[name] for name in names)
