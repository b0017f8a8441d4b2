"""Labels of frames and atoms, gathered to fit the output bias."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpcore.data.system import other_spelling
from dpcore.errors import DPError
from dpcore.frames import Prediction
from dpcore.models import Model, Output
from dpcore.models.survey import fitting_of
from dpcore.train.data.sample import Sample
from dpcore.train.statistics.bias import Owner
from dpcore.train.statistics.least_squares import ByType, alike, fit, of_atoms
from dpcore.train.statistics.sums import Floats

# What labels of frames and atoms are called, by what an output calls the property of an atom; others are
# called as outputs call them. As in DeePMD-kit, no bias is fitted to energies of atoms.
_LABELS = {
    "atom_energy": ("energy", None),
    "dipole": ("dipole", "atom_dipole"),
    "polar": ("polarizability", "atom_polarizability"),
}


def labels_of(output: Output) -> tuple[str, str | None]:
    """Return the label of a frame, and that of an atom or None, that an output is fitted to."""
    return _LABELS.get(output.atomic, (output.total, output.atomic))


class Labels:
    """What is known of frames and atoms.

    Args:
        model: the model that it is to be fitted to.
    """

    def __init__(self, model: Model) -> None:
        self._model, self.owner = model, Owner.of(model)
        self._counts: list[Floats] = []
        self._frames: list[Floats] = []
        self._types: list[NDArray[np.int64]] = []
        self._atoms: list[Floats] = []

    def add(self, sample: Sample, where: str, predicted: Prediction | None = None) -> None:
        """Add a frame.

        Args:
            sample: the frame.
            where: which one it is, for messages.
            predicted: what the model predicts of it, to be subtracted from its labels.

        Raises:
            DPError: labels of another size than what the model predicts.
        """
        output, (total, atomic) = self._model.output, labels_of(self._model.output)
        known = _either(sample.labels, total)
        if known is not None:
            _check(known.size, output.size, f"{where}: {total}")
            counts, value = self.owner.counts(sample.frame), known.reshape(-1)
            if predicted is not None:
                value = value - predicted[output.total].reshape(-1)
            if counts.any():
                self._counts.append(counts)
                self._frames.append(value)
        known = None if atomic is None else _either(sample.labels, atomic)
        if known is not None:
            less = None if predicted is None else predicted[output.atomic]
            self._add_atoms(sample.frame.types, known, less, f"{where}: {atomic}")

    def _add_atoms(
        self, types: NDArray[np.int64], known: Floats, less: Floats | None, where: str
    ) -> None:
        size = self._model.output.size
        chosen = ~np.isin(types, self._model.atom_exclude_types)
        # Some data lists the atoms alone whose types have the property.
        partial = known.size == chosen.sum() * size
        if not partial:
            _check(known.size, len(types) * size, where)
        values = known.reshape(-1, size) if partial else known.reshape(-1, size)[chosen]
        if less is not None:
            values = values - less.reshape(-1, size)[chosen]
        self._types.append(types[chosen])
        self._atoms.append(values)

    def fitted(self, fixed: Floats | None = None) -> ByType | None:
        """Return bias and deviation of the owner's types, ``(type, component)``; None without any labels.

        For types with labels of atoms, their mean and deviation count; for others those that fit the frames.

        Args:
            fixed: biases that are not fitted, NaN for others; by default those that settings fix.
        """
        sizes = ntypes, size = self.owner.sizes
        found = ByType(np.full(sizes, np.nan), np.full(sizes, np.nan))
        if self._atoms:
            found = of_atoms(np.concatenate(self._types), np.concatenate(self._atoms), ntypes)
        if self._frames:
            found = _filled(found, self._of_frames(self.owner.fixed() if fixed is None else fixed))
        if not (self._atoms or self._frames):
            return None
        return _filled(found, ByType(np.zeros((ntypes, size)), np.ones((ntypes, size))))

    def _of_frames(self, fixed: Floats) -> ByType:
        counts, values = np.stack(self._counts), np.stack(self._frames)
        fitting, intensive = fitting_of(self.owner.model), self._model.output.intensive
        if not getattr(fitting, "distinguish_types", True):
            return alike(counts, values, intensive=intensive)
        shares = counts / counts.sum(axis=1, keepdims=True) if intensive else counts
        return fit(shares, values, fixed, None if fitting is None else fitting.rcond)


def _filled(first: ByType, second: ByType) -> ByType:
    """Return what is known, from the second where the first does not know it."""
    bias, std = (
        np.where(np.isnan(a), b, a) for a, b in ((first.bias, second.bias), (first.std, second.std))
    )
    return ByType(bias, std)


def _either(labels: Mapping[str, Any], name: str) -> Any | None:
    found = labels.get(name)
    return labels.get(other_spelling(name)) if found is None else found


def _check(found: int, needed: int, where: str) -> None:
    if found != needed:
        raise DPError(f"{where}: {found} numbers; the model predicts {needed}")
