"""Labels of tensors, densities of states and other properties beside predictions."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from dpcore.accuracy.errors import Array, Compared, Comparison, Predictions
from dpcore.data import System
from dpcore.errors import DPError
from dpcore.models import Output


@dataclass(frozen=True)
class Labels:
    """The labels of an output, and the quantities that are told of them.

    Attributes:
        total: label of a frame.
        atomic: label of an atom.
        totals: quantities of a frame, each with the power of the number of atoms it is divided by.
        atoms: quantity of an atom.
        tensor: whether only atoms of the selected types count, and atoms are compared instead of
            frames.
    """

    total: str
    atomic: str
    totals: Mapping[str, float] = field(default_factory=lambda: {"property": 0.0})
    atoms: str = "atom_property"
    tensor: bool = False


def _tensor(name: str) -> Labels:
    shares = {name: 0.0, f"{name}_per_sqrt_atom": 0.5, f"{name}_per_atom": 1.0}
    return Labels(name, f"atom_{name}", shares, name, tensor=True)


# By what an output calls the property of an atom.
KNOWN = {
    "dipole": _tensor("dipole"),
    "polar": _tensor("polarizability"),
    "atom_dos": Labels("dos", "atom_dos", {"dos": 0.0, "dos_per_atom": 1.0}, "atom_dos"),
}


@dataclass(frozen=True)
class PropertyComparer:
    """Compare any output that is no energy.

    Attributes:
        output: what the model predicts.
        labels: what it is called in data.
        selected: types of the atoms that have the property.
        atomic: whether atoms are compared: beside the frames, or, for tensors, instead of them.
    """

    output: Output
    labels: Labels
    selected: tuple[int, ...]
    atomic: bool = False

    @classmethod
    def of(cls, output: Output, selected: Collection[int], *, atomic: bool) -> Self:
        """Return what compares an output."""
        labels = KNOWN.get(output.atomic) or Labels(output.total, output.atomic)
        return cls(output, labels, tuple(selected), atomic)

    def label_names(self, system: System) -> list[str]:  # noqa: ARG002
        """Return the labels that the model can be tested with."""
        atoms = [self.labels.atomic] if self.atomic else []
        return atoms if self.atomic and self.labels.tensor else [self.labels.total, *atoms]

    def compare(self, system: System, predictions: Predictions) -> Compared:
        """Return each quantity that has labels, beside its predictions."""
        counted = self._counted(system)
        found: Compared = {}
        for name in self.label_names(system):
            label = system.label(name)
            if label is not None and name == self.labels.total:
                found |= self._frames(system, label, predictions, counted)
            elif label is not None:
                found |= self._atoms(system, label, predictions, counted)
        return found

    def _counted(self, system: System) -> NDArray[np.bool_]:
        """Return which atoms count, ``(frame, atom)``."""
        real = system.there
        chosen = np.isin(system.atom_types, self.selected)
        return real & chosen if self.labels.tensor else real

    def _frames(
        self, system: System, label: Array, predictions: Predictions, counted: NDArray[np.bool_]
    ) -> Compared:
        data = label.reshape(len(label), -1)
        size = self.output.size
        if data.shape[1] != size:
            raise DPError(
                f"{system.path}: {self.labels.total} has {data.shape[1]} numbers a frame; the model "
                f"predicts {size}; correct {self.labels.total}.npy"
            )
        both = Comparison(data, predictions[self.output.total].reshape(data.shape))
        natoms = counted.sum(axis=1)[:, None]
        # Nothing can be divided by the atoms of a frame without any.
        shared = [name for name, power in self.labels.totals.items() if not power or natoms.all()]
        return {name: both.divided(natoms ** self.labels.totals[name]) for name in shared}

    def _atoms(
        self, system: System, label: Array, predictions: Predictions, counted: NDArray[np.bool_]
    ) -> Compared:
        data = self._by_atom(system, label, counted)
        if not len(data):
            return {}
        found = predictions[self.output.atomic].reshape(*counted.shape, -1)[counted]
        counts = counted.sum(axis=1)
        both = Comparison(data, found, counts=counts)
        if self.labels.tensor and (counts == counts[0]).all():
            # As DeePMD-kit writes it: all atoms of a frame in one row.
            both = Comparison(data.reshape(len(counts), -1), found.reshape(len(counts), -1))
        return {self.labels.atoms: both}

    def _by_atom(self, system: System, label: Array, counted: NDArray[np.bool_]) -> Array:
        """Return the labels of the atoms that count, which may be all that are stored, ``(row, n)``."""
        nframes, natoms, size = system.nframes, system.natoms, self.output.size
        flat, counts = label.reshape(nframes, -1), counted.sum(axis=1)
        if flat.shape[1] == natoms * size:
            rows: Array = flat.reshape(nframes, natoms, size)[counted]
            return rows
        if (counts == counts[0]).all() and flat.shape[1] == counts[0] * size:
            return flat.reshape(-1, size)
        raise DPError(
            f"{system.path}: {self.labels.atomic} has {flat.shape[1]} numbers a frame; "
            f"{self._needed(natoms, counts)}; correct {self.labels.atomic}.npy"
        )

    def _needed(self, natoms: int, counts: NDArray[Any]) -> str:
        size = self.output.size
        whole = f"{natoms} atoms need {natoms * size}"
        if not self.labels.tensor or (counts != counts[0]).any():
            return whole
        return f"{whole}, the {counts[0]} of the selected types {counts[0] * size}"
