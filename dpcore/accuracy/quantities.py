"""The quantities that are tested, and how their errors are written."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from dpcore.accuracy.errors import Error

_XYZ = ("x", "y", "z")
_TENSOR = tuple(a + b for a in _XYZ for b in _XYZ)

UNITLESS = "The unit of error is the same as the unit of provided label."


@dataclass(frozen=True)
class Quantity:
    """A quantity with labels and predictions, written as DeePMD-kit writes it.

    Attributes:
        title: its name in the report.
        unit: its unit; empty where it is that of the labels, whatever it is.
        file: what its detail files are called after the prefix; None for a quantity without any.
        symbol: what its columns are called in those files.
        axes: what tells its columns apart.
        per: what follows the error's name where the quantity is divided by a power of the number of
            atoms.
        note: what the header of its detail file adds to the system's name.
        measures: the errors that are reported.
        width: places before the colon.
        one_file: what shares a detail file: all systems, or the frames of one, or only one frame.
    """

    title: str
    unit: str = ""
    file: str | None = None
    symbol: str = ""
    axes: tuple[str, ...] = ("",)
    per: str = ""
    note: str = ""
    measures: tuple[str, ...] = ("MAE", "RMSE")
    width: int = 19
    one_file: Literal["run", "system", "frame"] = "run"

    def lines(self, error: Error) -> list[str]:
        """Return the lines of the report."""
        values = {"MAE": error.mae, "RMSE": error.rmse}
        return [
            f"{f'{self.title} {name}{self.per}':<{self.width}}: {values[name]:e} {self.unit}".rstrip()
            for name in self.measures
        ]

    def columns(self, number: int) -> str:
        """Return the names of a detail file's columns: labels, then predictions.

        Args:
            number: how many there are of each; where they are those of several atoms, the names are
                numbered.
        """
        axes = self.axes
        if number > len(axes):
            axes = tuple(f"{a}{i}" for i in range(1, number // len(axes) + 1) for a in axes)
        return " ".join(f"{who}_{self.symbol}{axis}" for who in ("data", "pred") for axis in axes)


def _tensor(title: str, symbol: str, axes: tuple[str, ...], name: str) -> dict[str, Quantity]:
    width = len(title) + 12
    plain = Quantity(title, "", "", symbol, axes, width=width, one_file="system")
    shares = {f"{name}_per_sqrt_atom": "/sqrtN", f"{name}_per_atom": "/N"}
    return {name: plain} | {
        share: Quantity(title, per=per, measures=("RMSE",), width=width)
        for share, per in shares.items()
    }


QUANTITIES: Mapping[str, Quantity] = {
    "energy": Quantity("Energy", "eV", "e", "e"),
    "energy_per_atom": Quantity("Energy", "eV", "e_peratom", "e", per="/Natoms"),
    "force": Quantity("Force ", "eV/Å", "f", "f", _XYZ),
    "weighted_force": Quantity("Force weighted", "eV/Å"),
    "atom_force": Quantity("Force atom", "eV/Å", "fr", "f", _XYZ, width=20),
    "spin_force": Quantity("Force spin", "eV/uB", "fm", "fm", _XYZ, width=20),
    "virial": Quantity("Virial", "eV", "v", "v", _TENSOR),
    "virial_per_atom": Quantity("Virial", "eV", "v_peratom", "v", _TENSOR, per="/Natoms"),
    "stress": Quantity("Stress", "eV/Å^3", "s", "s", _TENSOR, note=" (eV/Å^3)"),
    "atom_energy": Quantity("Atomic ener", "eV", "ae", "ae"),
    **_tensor("Dipole ", "", _XYZ, "dipole"),
    **_tensor("Polarizability ", "p", _TENSOR, "polarizability"),
    "dos": Quantity("DOS", "Occupation/eV", "dos", "dos", one_file="frame"),
    "dos_per_atom": Quantity("DOS", "Occupation/eV", per="/Natoms"),
    "atom_dos": Quantity("Atomic DOS", "Occupation/eV", "ados", "ados", one_file="frame"),
    "property": Quantity("PROPERTY", "units", "property", "property", width=24, one_file="frame"),
    "atom_property": Quantity(
        "Atomic PROPERTY", "units", "aproperty", "aproperty", width=24, one_file="frame"
    ),
}


def report(errors: Mapping[str, Error]) -> list[str]:
    """Return the lines that ``dp test`` prints for some errors, in DeePMD-kit's order."""
    reported = [(quantity, errors[n]) for n, quantity in QUANTITIES.items() if n in errors]
    lines = [line for quantity, error in reported for line in quantity.lines(error)]
    return lines if all(quantity.unit for quantity, _ in reported) else [*lines, UNITLESS]
