"""How far the predictions of one model lie from those of another."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from dpcore.accuracy.compare import Predictions, compare
from dpcore.accuracy.errors import Comparison, Error, merge
from dpcore.accuracy.quantities import QUANTITIES
from dpcore.accuracy.systems import CHUNK_ATOMS
from dpcore.data import System
from dpcore.errors import DPError
from dpcore.infer import DeepPot

# What is compared of two models.
COMPARED = ("energy_per_atom", "force", "virial_per_atom")


@dataclass(frozen=True)
class Deviation:
    """The differences of one quantity over any number of values.

    Attributes:
        error: their mean absolute value and root mean square.
        largest: the largest.
    """

    error: Error
    largest: float


def deviations(
    model: DeepPot, original: DeepPot, systems: Iterable[System]
) -> dict[str, Deviation]:
    """Compare the predictions of two models of the same atoms and parameters.

    Args:
        model: the model.
        original: the one that is taken for right.
        systems: data, of which only what models take is used; types by the models' numbering.

    Returns:
        The deviation of each of :data:`COMPARED`; of the virial if a system is periodic.

    Raises:
        DPError: a system lacks input that the models need, or does not fit them.
    """
    parts: list[Mapping[str, Error]] = []
    largest: dict[str, float] = {}
    for system in systems:
        for chunk in _chunks(system):
            compared = _compare(chunk, _predict(original, chunk), _predict(model, chunk))
            parts.append({name: Error.of(both) for name, both in compared.items()})
            for name, both in compared.items():
                off = float(np.max(np.abs(both.prediction - both.data), initial=0.0))
                largest[name] = max(largest.get(name, 0.0), off)
    return {name: Deviation(error, largest[name]) for name, error in merge(parts).items()}


def deviation_lines(deviations: Mapping[str, Deviation]) -> list[str]:
    """Return what is said of deviations, a line for each quantity."""
    lines = []
    for name, deviation in deviations.items():
        quantity = QUANTITIES[name]
        unit = f"{quantity.unit}/atom" if quantity.per_atom else quantity.unit
        lines.append(
            f"{quantity.title.strip():<7}: largest {deviation.largest:.1e} {unit}, "
            f"RMS {deviation.error.rmse:.1e} {unit}"
        )
    return lines


def _chunks(system: System) -> Iterable[System]:
    size = max(1, CHUNK_ATOMS // system.natoms)
    for start in range(0, system.nframes, size):
        yield system.take(np.arange(start, min(start + size, system.nframes)))


def _predict(model: DeepPot, system: System) -> Predictions:
    fparam = system.label("fparam") if model.get_dim_fparam() else None
    aparam = system.label("aparam") if model.get_dim_aparam() else None
    try:
        return model.evaluate(system.coord, system.cell, system.atom_types, fparam, aparam)
    except DPError as error:
        raise DPError(f"{system.path}: {error}") from error


def _compare(system: System, expected: Predictions, found: Predictions) -> dict[str, Comparison]:
    labels = {name: expected[name] for name in ("energy", "force", "virial")}
    compared = compare(replace(system, labels=labels), found, atomic=False)
    return {name: compared[name] for name in COMPARED if name in compared}
