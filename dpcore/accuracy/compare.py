"""Labels of a system put beside what a model predicts for it."""

from collections.abc import Collection
from typing import Protocol

from dpcore.accuracy.energies import EnergyComparer
from dpcore.accuracy.errors import Compared, Predictions
from dpcore.accuracy.properties import PropertyComparer
from dpcore.data import System
from dpcore.models import Output


class Comparer(Protocol):
    """How predictions of a kind of model are compared with labels."""

    def label_names(self, system: System) -> list[str]:
        """Return the labels that the model can be tested with on a system."""
        ...

    def compare(self, system: System, predictions: Predictions) -> Compared:
        """Return each quantity that has labels, beside its predictions.

        Padding atoms do not count: not in the rows of atoms, nor in the number of atoms of a frame.

        Args:
            system: the data.
            predictions: what :meth:`dpcore.infer.DeepEval.evaluate` gives for its frames.
        """
        ...


def comparer_of(
    output: Output, selected: Collection[int], *, atomic: bool, spin: bool = False
) -> Comparer:
    """Return what compares the predictions of a model.

    Args:
        output: what the model predicts.
        selected: types of the atoms that have the property.
        atomic: whether atoms are compared: beside the frames, or, for tensors, instead of them.
        spin: whether the model takes spins.
    """
    if output.total == "energy" and output.differentiable:
        return EnergyComparer(atomic, spin)
    return PropertyComparer.of(output, selected, atomic=atomic)
