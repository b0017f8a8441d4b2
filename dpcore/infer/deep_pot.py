"""Energy models."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from dpcore.infer.deep_eval import DeepEval


class DeepPot(DeepEval):
    """A potential energy model; see :class:`~dpcore.infer.deep_eval.DeepEval` for its arguments."""

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
            pbc: along which lattice vectors the cells repeat.

        Returns:
            energy ``(nframes, 1)`` in eV, force ``(nframes, natoms, 3)`` in eV/Å, virial ``(nframes, 9)``
            in eV; with ``atomic`` also atomic energy ``(nframes, natoms, 1)`` and virial ``(nframes,
            natoms, 9)``.
        """
        if mixed_type and np.ndim(atom_types) == 1:
            atom_types = np.reshape(atom_types, (len(np.atleast_2d(coords)), -1))
        out = self.evaluate(coords, cells, atom_types, fparam, aparam, pbc=pbc)
        names = ["energy", "force", "virial"]
        if atomic:
            names += ["atom_energy", "atom_virial"]
        return tuple(out[name] for name in names)
