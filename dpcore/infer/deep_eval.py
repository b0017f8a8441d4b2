"""Models as Python objects, with DeePMD-kit's calls."""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from dpcore.backend import Adapter
from dpcore.errors import DPError
from dpcore.formats import Document
from dpcore.infer.engine import Engine, TreeEngine
from dpcore.infer.evaluator import Evaluator
from dpcore.infer.inputs import frames_from_arrays
from dpcore.infer.opening import OpenedModel, open_model
from dpcore.models.energy import EnergyModel


class DeepEval:
    """A model file, ready to evaluate on one backend.

    Args:
        path: the model file.
        backend: name of a backend; by default the one that the file was made for, ``numpy`` for ``.dp``.
        device: ``cpu``, ``cuda``, ``cuda:1``, ``tpu``, …; by default the backend's own choice.
        dtype: ``float64`` or ``float32``; by default the precision of the model.
        compiled: compile the evaluation, where the backend offers it and does not do so anyway.
        tables: evaluate embedding networks by tables that agree with them to rounding; by default
            where the backend has kernels for them. ``False`` evaluates the networks.

    Raises:
        DPError: an unknown or damaged file, or a backend or device that is not there.
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
    ) -> None:
        opened = open_model(path, backend, device, dtype=dtype, compiled=compiled, tables=tables)
        self._start(opened.document, opened.engine)

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
        engine = TreeEngine(document.model, adapter, device=device, dtype=dtype, tables=tables)
        return cls.from_opened(OpenedModel(document, engine))

    @classmethod
    def from_opened(cls, opened: OpenedModel) -> Self:
        """Make an evaluator of a model whose engine has been chosen."""
        self = cls.__new__(cls)
        self._start(opened.document, opened.engine)
        return self

    def _start(self, document: Document, engine: Engine) -> None:
        self.document, self.engine = document, engine
        self._evaluator = Evaluator(document.model, engine)

    @property
    def model(self) -> EnergyModel:
        """The model tree, with NumPy arrays."""
        return self.document.model

    def evaluate(
        self,
        coords: ArrayLike,
        cells: ArrayLike | None,
        atom_types: ArrayLike,
        fparam: ArrayLike | None = None,
        aparam: ArrayLike | None = None,
        *,
        spin: ArrayLike | None = None,
        pbc: Sequence[bool] = (True, True, True),
    ) -> dict[str, np.ndarray]:
        """Return everything the model predicts, by DeePMD-kit's names.

        Args:
            coords: ``(nframes, natoms, 3)`` or flat, Å.
            cells: ``(nframes, 9)`` or ``(nframes, 3, 3)``, Å; None for open boundaries.
            atom_types: ``(natoms,)``, or ``(nframes, natoms)`` with -1 for atoms that are not there.
            fparam: frame parameters, ``(nframes, n)`` or ``(n,)``.
            aparam: atomic parameters, ``(nframes, natoms, n)``, ``(natoms, n)`` or ``(n,)``.
            spin: spins, for models that take them.
            pbc: along which lattice vectors the cells repeat.

        Returns:
            ``energy (nframes, 1)``, ``atom_energy (nframes, natoms, 1)``, eV; ``force (nframes, natoms,
            3)``, eV/Å; ``virial (nframes, 9)``, ``atom_virial (nframes, natoms, 9)``, eV; ``mask
            (nframes, natoms)``, 1 where an atom counts.
        """
        if spin is not None:
            raise DPError("spin: this model takes none; leave it out")
        frames = frames_from_arrays(self.model, coords, cells, atom_types, fparam, aparam, pbc)
        predictions = self._evaluator.predict(frames)
        return {name: np.stack([p[name] for p in predictions]) for name in predictions[0]}

    def eval_descriptor(
        self,
        coords: ArrayLike,
        cells: ArrayLike | None,
        atom_types: ArrayLike,
        fparam: ArrayLike | None = None,
        aparam: ArrayLike | None = None,
    ) -> np.ndarray:
        """Return the descriptors, ``(nframes, natoms, width)``; arguments as in :meth:`evaluate`."""
        frames = frames_from_arrays(self.model, coords, cells, atom_types, fparam, aparam)
        return np.stack([result["descriptor"] for result in self._evaluator.describe(frames)])

    def get_rcut(self) -> float:
        """Return the cutoff, Å."""
        return self.model.selection.rcut

    def get_type_map(self) -> list[str]:
        """Return the names of the atom types."""
        return list(self.model.type_map)

    def get_ntypes(self) -> int:
        """Return the number of atom types."""
        return len(self.model.type_map)

    def get_sel(self) -> list[int]:
        """Return the largest number of neighbours of each type."""
        return list(self.model.selection.sel)

    def get_dim_fparam(self) -> int:
        """Return the number of frame parameters."""
        return self.model.fitting.numb_fparam

    def get_dim_aparam(self) -> int:
        """Return the number of atomic parameters."""
        return self.model.fitting.numb_aparam

    def has_default_fparam(self) -> bool:
        """Return whether frames may come without frame parameters."""
        return self.model.fitting.default_fparam is not None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Do nothing; the model is freed with the object. Here for DeePMD-kit's callers."""
