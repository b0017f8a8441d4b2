"""Models as Python objects, with DeePMD-kit's calls."""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from dpcore.backend import Adapter
from dpcore.errors import DPError, suggest
from dpcore.formats import Document
from dpcore.frames import Floats, Frame
from dpcore.infer.deep_embedding import LastHidden, type_embeddings
from dpcore.infer.deep_facts import Facts
from dpcore.infer.engine import engines_of
from dpcore.infer.finite import check_finite
from dpcore.infer.inputs import frames_from_arrays
from dpcore.infer.opening import OpenedModel, open_model
from dpcore.infer.whole import WholeEvaluator
from dpcore.output import Output

_DTYPES = {"native": "float64", "fp64": "float64", "fp32": "float32"}


class DeepEval(Facts):
    """A model file, ready to evaluate on one backend.

    Args:
        path: the model file.
        backend: name of a backend; by default the one that the file was made for, ``numpy`` for ``.dp``.
        device: ``cpu``, ``cuda``, ``cuda:1``, ``tpu``, …; by default the backend's own choice.
        dtype: ``float64`` or ``float32``; by default the precision of the model.
        compiled: compile the evaluation, where the backend offers it and does not do so anyway.
        tables: evaluate embedding networks by tables that agree with them to rounding; by default
            where the backend has kernels for them. ``False`` evaluates the networks.
        head: the branch of a multi-task model, which such a model needs.

    Raises:
        DPError: an unknown or damaged file, a backend or device that is not there, or a model that
            predicts something else.
    """

    def __init__(
        self,
        path: str | Path,
        backend: str | None = None,
        device: str | None = None,
        *,
        dtype: str | None = None,
        compiled: bool | None = None,
        tables: bool | None = None,
        head: str | None = None,
    ) -> None:
        opened = open_model(
            path, backend, device, dtype=dtype, compiled=compiled, tables=tables, head=head
        )
        self._start(opened)

    @classmethod
    def from_document(
        cls,
        document: Document,
        adapter: Adapter,
        *,
        device: str | None = None,
        dtype: str | None = None,
        tables: bool | None = None,
    ) -> Self:
        """Make an evaluator of a model that is already in memory."""
        engines = engines_of(document.model, adapter, device=device, dtype=dtype, tables=tables)
        return cls.from_opened(OpenedModel(document, engines))

    @classmethod
    def from_opened(cls, opened: OpenedModel) -> Self:
        """Make an evaluator of a model whose engine has been chosen."""
        self = cls.__new__(cls)
        self._start(opened)
        return self

    @classmethod
    def fits(cls, output: Output) -> bool:  # noqa: ARG003
        """Return whether this class has the calls for what a model predicts."""
        return True

    def _start(self, opened: OpenedModel) -> None:
        output = opened.document.model.output
        if not self.fits(output):
            raise DPError(
                f"{type(self).__name__}: the model predicts {output.total}; open it with "
                "dpcore.infer.load, which takes the class for it"
            )
        self.document, self.engine = opened.document, opened.engine
        self._evaluator = WholeEvaluator(opened.document.model, opened.engines)

    def evaluate(
        self,
        coords: ArrayLike,
        cells: ArrayLike | None,
        atom_types: ArrayLike,
        fparam: ArrayLike | None = None,
        aparam: ArrayLike | None = None,
        *,
        spin: ArrayLike | None = None,
        charge_spin: ArrayLike | None = None,
        pbc: Sequence[bool] = (True, True, True),
        mixed_type: bool = False,
        atomic: bool = True,
    ) -> dict[str, np.ndarray]:
        """Return everything the model predicts, by DeePMD-kit's names.

        Args:
            coords: ``(nframes, natoms, 3)`` or flat, Å.
            cells: ``(nframes, 9)`` or ``(nframes, 3, 3)``, Å; None for open boundaries.
            atom_types: ``(natoms,)``, or ``(nframes, natoms)`` with -1 for atoms that are not there.
            fparam: frame parameters, ``(nframes, n)`` or ``(n,)``.
            aparam: atomic parameters, ``(nframes, natoms, n)``, ``(natoms, n)`` or ``(n,)``.
            spin: spins, ``(nframes, natoms, 3)`` or ``(natoms, 3)``, for models that take them.
            charge_spin: charge and spin multiplicity, ``(nframes, 2)`` or ``(2,)``, for models that take them.
            pbc: along which lattice vectors the cells repeat.
            mixed_type: read flat ``atom_types`` as one row for each frame.
            atomic: return the atomic virials of models that pass messages, which take as long as three more
                evaluations; those of others are always there.

        Returns:
            arrays with the frames first, then, for what belongs to an atom, the atoms. An energy comes as
            ``energy (nframes, 1)``, ``atom_energy (nframes, natoms, 1)``, eV; ``force (nframes, natoms,
            3)``, eV/Å; ``virial (nframes, 9)``, ``atom_virial (nframes, natoms, 9)``, eV; with spins also
            ``force_mag (nframes, natoms, 3)``, eV/μB, and ``mask_mag (nframes, natoms, 1)``. Derivatives
            of a vector have its axis before their own. ``mask (nframes, natoms)`` is 1 where an atom
            counts.

        Raises:
            DPError: input that does not fit the model, or a prediction that is not finite.
        """
        given = coords, cells, atom_types, fparam, aparam
        frames = frames_from_arrays(
            self.model, *given, spin=spin, charge_spin=charge_spin, pbc=pbc, mixed_type=mixed_type
        )
        predictions = self._evaluator.predict(frames, atomic=atomic)
        check_finite(frames, predictions, self.model.rcut)
        return {name: np.stack([p[name] for p in predictions]) for name in predictions[0]}

    def eval_descriptor(
        self,
        coords: ArrayLike,
        cells: ArrayLike | None,
        atom_types: ArrayLike,
        fparam: ArrayLike | None = None,
        aparam: ArrayLike | None = None,
        mixed_type: bool = False,
        dtype: str = "native",
        *,
        spin: ArrayLike | None = None,
        charge_spin: ArrayLike | None = None,
    ) -> np.ndarray:
        """Return the descriptors, ``(nframes, natoms, width)``; arguments as in :meth:`evaluate`.

        Of a model with spins, the virtual atoms' follow those of the atoms. The ``dtype`` of the result is
        ``fp64``, the same as ``native``, or ``fp32``.
        """
        given = coords, cells, atom_types, fparam, aparam
        frames = frames_from_arrays(
            self.model, *given, spin=spin, charge_spin=charge_spin, mixed_type=mixed_type
        )
        return np.stack(self._describe(frames)).astype(_dtype(dtype))

    def eval_fitting_last_layer(
        self,
        coords: ArrayLike,
        cells: ArrayLike | None,
        atom_types: ArrayLike,
        fparam: ArrayLike | None = None,
        aparam: ArrayLike | None = None,
        mixed_type: bool = False,
        dtype: str = "native",
        *,
        charge_spin: ArrayLike | None = None,
    ) -> np.ndarray:
        """Return what the last hidden layer of the fitting networks gives, ``(nframes, natoms, n)``.

        Arguments are those of :meth:`eval_descriptor`.

        Raises:
            DPError: the model has no fitting network, or virtual atoms.
        """
        given = coords, cells, atom_types, fparam, aparam
        _, hidden, _ = self.eval_embedding(
            *given, mixed_type=mixed_type, dtype=dtype, charge_spin=charge_spin
        )
        return hidden

    def eval_embedding(
        self,
        coords: ArrayLike,
        cells: ArrayLike | None,
        atom_types: ArrayLike,
        fparam: ArrayLike | None = None,
        aparam: ArrayLike | None = None,
        mixed_type: bool = False,
        dtype: str = "fp32",
        *,
        charge_spin: ArrayLike | None = None,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return vectors that stand for atoms and frames.

        Arguments are those of :meth:`eval_descriptor`.

        Returns:
            descriptors ``(nframes, natoms, width)``, what the last hidden layer of the fitting networks
            gives ``(nframes, natoms, n)``, and its sum over the atoms that count ``(nframes, n)``.

        Raises:
            DPError: the model has no fitting network, or virtual atoms.
        """
        layer, kind = LastHidden.of(self.model), _dtype(dtype)
        given = coords, cells, atom_types, fparam, aparam
        frames = frames_from_arrays(
            self.model, *given, charge_spin=charge_spin, mixed_type=mixed_type
        )
        descriptors = self._describe(frames)
        hidden = [layer(f, rows) for f, rows in zip(frames, descriptors, strict=True)]
        excluded = self.model.atom_exclude_types
        counted = [(f.types >= 0) & ~np.isin(f.types, excluded) for f in frames]
        total = [np.sum(x[here], axis=0) for x, here in zip(hidden, counted, strict=True)]
        first, second, third = (np.stack(x).astype(kind) for x in (descriptors, hidden, total))
        return first, second, third

    def eval_typeebd(self) -> np.ndarray:
        """Return the vectors of the atom types, and of no type, ``(ntypes + 1, n)``.

        Raises:
            DPError: the model has no type embedding.
        """
        return type_embeddings(self.model)

    def _describe(self, frames: Sequence[Frame]) -> list[Floats]:
        return [result["descriptor"] for result in self._evaluator.describe(frames)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Do nothing; the model is freed with the object. Here for DeePMD-kit's callers."""


def _dtype(name: str) -> str:
    if name not in _DTYPES:
        raise DPError(f"dtype: {name!r} is unknown{suggest(name, _DTYPES)}")
    return _DTYPES[name]
