"""Models of dipoles, polarizabilities and other tensors."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from dpcore.errors import DPError
from dpcore.infer.deep_eval import DeepEval
from dpcore.output import Output


class DeepTensor(DeepEval):
    """A model of a tensor; see :class:`~dpcore.infer.deep_eval.DeepEval` for its arguments."""

    @classmethod
    def fits(cls, output: Output) -> bool:
        """Return whether an output turns with the atoms."""
        return output.rank > 0

    def eval(
        self,
        coords: ArrayLike,
        cells: ArrayLike | None,
        atom_types: ArrayLike,
        atomic: bool = True,
        fparam: ArrayLike | None = None,
        aparam: ArrayLike | None = None,
        mixed_type: bool = False,
        *,
        charge_spin: ArrayLike | None = None,
        pbc: Sequence[bool] = (True, True, True),
    ) -> np.ndarray:
        """Return the tensor of each atom, or of the frame.

        Args:
            coords: ``(nframes, natoms, 3)`` or flat, Å.
            cells: ``(nframes, 9)`` or ``(nframes, 3, 3)``, Å; None for open boundaries.
            atom_types: ``(natoms,)``, or ``(nframes, natoms)`` with -1 for atoms that are not there.
            atomic: return the tensor of each atom, not their sum.
            fparam: frame parameters, ``(nframes, n)`` or ``(n,)``.
            aparam: atomic parameters, ``(nframes, natoms, n)``, ``(natoms, n)`` or ``(n,)``.
            mixed_type: read flat ``atom_types`` as one row for each frame.
            charge_spin: charge and spin multiplicity, ``(nframes, 2)`` or ``(2,)``, for models that take them.
            pbc: along which lattice vectors the cells repeat.

        Returns:
            ``(nframes, natoms, size)``, zero for atoms of other types than :meth:`get_sel_type`; without
            ``atomic`` ``(nframes, size)``. The size is 3 or 9.
        """
        given = coords, cells, atom_types, fparam, aparam
        out = self.evaluate(*given, charge_spin=charge_spin, pbc=pbc, mixed_type=mixed_type)
        return self._flat(out, atomic=atomic)

    def eval_full(
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
        """Return the tensor of the frame and its derivatives; arguments as in :meth:`eval`.

        Returns:
            tensor ``(nframes, size)``; force, minus the derivatives by the coordinates, ``(nframes, size,
            natoms, 3)``; virial ``(nframes, size, 9)``; with ``atomic`` also the tensor of each atom
            ``(nframes, natoms, size)`` and its virial ``(nframes, size, natoms, 9)``.

        Raises:
            DPError: the model has no derivatives.
        """
        output = self.output
        if not output.differentiable:
            raise DPError(f"eval_full: a model of {output.total} predicts no derivatives; use eval")
        given = coords, cells, atom_types, fparam, aparam
        out = self.evaluate(
            *given, charge_spin=charge_spin, pbc=pbc, mixed_type=mixed_type, atomic=atomic
        )
        first = self._flat(out, atomic=False), np.swapaxes(out["force"], 1, 2), out["virial"]
        if not atomic:
            return first
        return (*first, self._flat(out, atomic=True), np.swapaxes(out["atom_virial"], 1, 2))

    def _flat(self, out: dict[str, np.ndarray], *, atomic: bool) -> np.ndarray:
        """Return the tensor with its own axes as one."""
        found = out[self.output.atomic if atomic else self.output.total]
        return found.reshape(*found.shape[: 2 if atomic else 1], self.output.size)


class DeepDipole(DeepTensor):
    """A dipole model; see :class:`~dpcore.infer.deep_eval.DeepEval` for its arguments."""

    @classmethod
    def fits(cls, output: Output) -> bool:
        """Return whether an output is a vector."""
        return output.rank == 1


class DeepPolar(DeepTensor):
    """A polarizability model; see :class:`~dpcore.infer.deep_eval.DeepEval` for its arguments."""

    @classmethod
    def fits(cls, output: Output) -> bool:
        """Return whether an output is a matrix."""
        return output.rank == 2


class DeepGlobalPolar(DeepPolar):
    """The polarizability of whole frames; see :class:`~dpcore.infer.deep_eval.DeepEval` for its arguments."""

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
    ) -> np.ndarray:
        """Return the polarizability of the frame; see :meth:`DeepTensor.eval`."""
        given = coords, cells, atom_types, atomic, fparam, aparam, mixed_type
        return super().eval(*given, charge_spin=charge_spin, pbc=pbc)


class DeepWFC(DeepDipole):
    """Centres of Wannier functions from their atoms; see :class:`~dpcore.infer.deep_eval.DeepEval`."""
