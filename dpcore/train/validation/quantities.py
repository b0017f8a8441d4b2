"""The quantities whose errors are watched, as DeePMD-kit shows them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dpcore.accuracy.errors import Error

# Electron volts are shown as thousandths of them.
SCALE = 1000.0


@dataclass(frozen=True)
class Quantity:
    """A quantity.

    Attributes:
        symbol: what it is called in ``validating.validation_metric``.
        name: what ``dp test`` calls its error.
        unit: unit that errors are shown in.
        label: the label that it is compared with.
    """

    symbol: str
    name: str
    unit: str
    label: str


_ENERGY = Quantity("E", "energy_per_atom", "meV/atom", "energy")
_STRESS = Quantity("S", "stress", "meV/Å³", "virial")
_VIRIAL = Quantity("V", "virial_per_atom", "meV/atom", "virial")

# By type of the loss. Of stress and virial, which have one label, one is shown: the stress by default.
QUANTITIES: Mapping[str, tuple[Quantity, ...]] = {
    "ener": (_ENERGY, Quantity("F", "force", "meV/Å", "force"), _STRESS, _VIRIAL),
    "ener_spin": (
        _ENERGY,
        Quantity("FR", "atom_force", "meV/Å", "force"),
        Quantity("FM", "spin_force", "meV/μB", "force_mag"),
        _STRESS,
        _VIRIAL,
    ),
}


@dataclass(frozen=True)
class Metric:
    """The error that the best model has least of.

    Attributes:
        quantity: of what.
        kind: ``MAE`` or ``RMSE``.
    """

    quantity: Quantity
    kind: str

    @classmethod
    def of(cls, text: str, loss: str) -> "Metric":
        """Return the metric of a setting such as ``F:RMSE``, for a type of loss."""
        symbol, _, kind = text.strip().upper().partition(":")
        return cls(next(q for q in QUANTITIES[loss] if q.symbol == symbol), kind)

    def __str__(self) -> str:
        return f"{self.quantity.symbol}:{self.kind}"

    def value(self, errors: Mapping[str, Error]) -> float | None:
        """Return the error, in electron volts; None where no frame has the label."""
        error = errors.get(self.quantity.name)
        if error is None:
            return None
        return error.mae if self.kind == "MAE" else error.rmse


def columns(loss: str, metric: Metric) -> Iterator[Metric]:
    """Yield the errors that are shown beside a metric."""
    either = metric.quantity if metric.quantity in (_STRESS, _VIRIAL) else _STRESS
    for quantity in QUANTITIES[loss]:
        if quantity.label != "virial" or quantity is either:
            yield from (Metric(quantity, kind) for kind in ("MAE", "RMSE"))
