"""Models of densities of states and of other properties that do not turn with the atoms."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from dpcore.infer.deep_eval import DeepEval
from dpcore.output import Output


class DeepProperty(DeepEval):
    """A model of any property; see :class:`~dpcore.infer.deep_eval.DeepEval` for its arguments."""

    @classmethod
    def fits(cls, output: Output) -> bool:
        """Return whether an output is made of plain numbers without derivatives."""
        return not output.rank and not output.differentiable

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
        charge_spin: ArrayLike | None = None,
        pbc: Sequence[bool] = (True, True, True),
    ) -> tuple[np.ndarray, ...]:
        """Return the property of the frame.

        Args:
            coords: ``(nframes, natoms, 3)`` or flat, Å.
            cells: ``(nframes, 9)`` or ``(nframes, 3, 3)``, Å; None for open boundaries.
            atom_types: ``(natoms,)``, or ``(nframes, natoms)`` with -1 for atoms that are not there.
            atomic: return what each atom contributes too.
            fparam: frame parameters, ``(nframes, n)`` or ``(n,)``.
            aparam: atomic parameters, ``(nframes, natoms, n)``, ``(natoms, n)`` or ``(n,)``.
            mixed_type: read flat ``atom_types`` as one row for each frame.
            charge_spin: charge and spin multiplicity, ``(nframes, 2)`` or ``(2,)``, for models that take them.
            pbc: along which lattice vectors the cells repeat.

        Returns:
            the property ``(nframes, size)``; with ``atomic`` also that of each atom ``(nframes, natoms,
            size)``.
        """
        given = coords, cells, atom_types, fparam, aparam
        out = self.evaluate(*given, charge_spin=charge_spin, pbc=pbc, mixed_type=mixed_type)
        total, atoms = out[self.output.total], out[self.output.atomic]
        return (total, atoms) if atomic else (total,)

    def get_task_dim(self) -> int:
        """Return the number of components."""
        return self.output.size

    @property
    def task_dim(self) -> int:
        """Number of components."""
        return self.output.size

    def get_intensive(self) -> bool:
        """Return whether the property of a frame is the mean over its atoms, not the sum."""
        return self.output.intensive

    def get_var_name(self) -> str:
        """Return the name of the property."""
        return self.output.total


class DeepDOS(DeepProperty):
    """A model of the density of states; see :class:`~dpcore.infer.deep_eval.DeepEval` for its arguments."""

    @classmethod
    def fits(cls, output: Output) -> bool:
        """Return whether an output is called the density of states."""
        return super().fits(output) and output.total == "dos"

    def get_numb_dos(self) -> int:
        """Return the number of points of the density."""
        return self.output.size

    @property
    def numb_dos(self) -> int:
        """Number of points of the density."""
        return self.output.size
