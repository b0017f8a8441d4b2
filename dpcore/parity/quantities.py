"""What is compared of two evaluations of a model, by what it predicts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpcore.frames import Floats
from dpcore.models import Model

Values = Mapping[str, Floats]


@dataclass(frozen=True)
class Quantity:
    """Something that is compared.

    Attributes:
        name: of the prediction.
        label: what it is, in words.
        symbol: its difference, for the head of a column.
        unit: its unit.
        of_frame: whether it belongs to a frame rather than to an atom.
        shared: whether it is divided by the number of atoms.
    """

    name: str
    label: str
    symbol: str
    unit: str
    of_frame: bool = False
    shared: bool = False

    @property
    def delta(self) -> str:
        """The symbol of the difference before it is divided by anything."""
        return self.symbol.partition("/")[0]


FORCE = Quantity("force", "force", "|ΔF|", "eV/Å")
SPIN_FORCE = Quantity("force_mag", "magnetic force", "|ΔF_mag|", "eV/μB")


def quantities_of(model: Model) -> tuple[Quantity, ...]:
    """Return what is compared of a model: its property, and forces and virials or the atoms' property.

    Sums over atoms are compared per atom, so that a tolerance means the same in a small and in a large
    system.
    """
    output = model.output
    if output.total == "energy" and output.differentiable:
        forces = (FORCE, SPIN_FORCE) if model.conditions.spin else (FORCE,)
        return (_shared("energy", "energy", "|ΔE|", "eV"), *forces, _virial("eV"))
    unit, name = output.unit or "units", output.total.replace("_", " ")
    total = Quantity(output.total, name, f"|Δ{name}|", unit, of_frame=True)
    if not output.intensive:
        total = _shared(output.total, name, f"|Δ{name}|", unit)
    if output.differentiable:
        return (total, Quantity("force", "force", "|ΔF|", f"{unit}/Å"), _virial(unit))
    atomic = output.atomic.replace("_", " ")
    return (total, Quantity(output.atomic, atomic, f"|Δ{atomic}|", unit))


def values_of(
    quantities: Sequence[Quantity],
    predictions: Sequence[Mapping[str, NDArray[Any]]],
    natoms: NDArray[np.integer[Any]],
) -> Values:
    """Return the values of quantities: of all frames, or of the atoms of all frames concatenated.

    Args:
        quantities: what to collect.
        predictions: those of each frame, by name.
        natoms: number of atoms that are there in each frame.
    """
    values: dict[str, Floats] = {}
    for quantity in quantities:
        parts = [p[quantity.name] for p in predictions]
        if quantity.of_frame:
            number = np.maximum(natoms, 1) if quantity.shared else np.ones(len(parts))
            values[quantity.name] = np.stack([x / n for x, n in zip(parts, number, strict=True)])
        else:
            values[quantity.name] = np.concatenate(parts)
    return values


def _shared(name: str, label: str, symbol: str, unit: str) -> Quantity:
    return Quantity(
        name, f"{label} per atom", f"{symbol}/atom", f"{unit}/atom", of_frame=True, shared=True
    )


def _virial(unit: str) -> Quantity:
    return _shared("virial", "virial", "|ΔV|", unit)
