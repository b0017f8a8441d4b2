"""The quantities that are tested, and how their errors are written."""

from collections.abc import Mapping
from dataclasses import dataclass

from dpcore.accuracy.errors import Error

_XYZ = ("x", "y", "z")
_TENSOR = tuple(a + b for a in _XYZ for b in _XYZ)


@dataclass(frozen=True)
class Quantity:
    """A quantity with labels and predictions, written as DeePMD-kit writes it.

    Attributes:
        title: its name in the report.
        unit: its unit.
        file: what its detail file is called after the prefix; empty for a quantity without one.
        symbol: what its columns are called in that file.
        axes: what tells its columns apart.
        per_atom: whether it is divided by the number of atoms.
        note: what the header of its detail file adds to the system's name.
    """

    title: str
    unit: str
    file: str = ""
    symbol: str = ""
    axes: tuple[str, ...] = ("",)
    per_atom: bool = False
    note: str = ""

    def lines(self, error: Error) -> list[str]:
        """Return the lines of the report."""
        per = "/Natoms" if self.per_atom else ""
        return [
            f"{f'{self.title} {name}{per}':<19}: {value:e} {self.unit}"
            for name, value in (("MAE", error.mae), ("RMSE", error.rmse))
        ]

    def header(self, system: str) -> str:
        """Return the header of a system's block in the detail file."""
        columns = [f"{who}_{self.symbol}{axis}" for who in ("data", "pred") for axis in self.axes]
        return f"{system}{self.note}: {' '.join(columns)}"


QUANTITIES: Mapping[str, Quantity] = {
    "energy": Quantity("Energy", "eV", "e", "e"),
    "energy_per_atom": Quantity("Energy", "eV", "e_peratom", "e", per_atom=True),
    "force": Quantity("Force ", "eV/Å", "f", "f", _XYZ),
    "weighted_force": Quantity("Force weighted", "eV/Å"),
    "virial": Quantity("Virial", "eV", "v", "v", _TENSOR),
    "virial_per_atom": Quantity("Virial", "eV", "v_peratom", "v", _TENSOR, per_atom=True),
    "stress": Quantity("Stress", "eV/Å^3", "s", "s", _TENSOR, note=" (eV/Å^3)"),
    "atom_energy": Quantity("Atomic ener", "eV", "ae", "ae"),
}


def report(errors: Mapping[str, Error]) -> list[str]:
    """Return the lines that ``dp test`` prints for some errors, in DeePMD-kit's order."""
    return [
        line
        for name, quantity in QUANTITIES.items()
        if name in errors
        for line in quantity.lines(errors[name])
    ]
