"""How far the predictions of one model lie from those of another."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from dpcore.accuracy.errors import Comparison, Error, merge
from dpcore.accuracy.systems import chunks, predict
from dpcore.data import System
from dpcore.frames import Floats
from dpcore.infer import DeepEval
from dpcore.parity.quantities import Quantity, quantities_of, values_of


@dataclass(frozen=True)
class Deviation:
    """The differences of one quantity over any number of values.

    Attributes:
        quantity: what differs.
        error: their mean absolute value and root mean square.
        largest: the largest.
    """

    quantity: Quantity
    error: Error
    largest: float


def deviations(
    model: DeepEval, original: DeepEval, systems: Iterable[System]
) -> dict[str, Deviation]:
    """Compare the predictions of two models of the same atoms and parameters.

    Args:
        model: the model.
        original: the one that is taken for right.
        systems: data, of which only what models take is used; types by the models' numbering.

    Returns:
        The deviation of each of :func:`~dpcore.parity.quantities.quantities_of`, by name; of the virial
        if a system is periodic.

    Raises:
        DPError: a system lacks input that the models need, or does not fit them.
    """
    quantities = {quantity.name: quantity for quantity in quantities_of(original.model)}
    parts: list[Mapping[str, Error]] = []
    largest: dict[str, float] = {}
    for system in systems:
        compared = [q for q in quantities.values() if system.periodic or q.name != "virial"]
        for _, chunk in chunks(system):
            expected, found = (_values(m, chunk, compared) for m in (original, model))
            both = {name: Comparison(expected[name], found[name]) for name in expected}
            parts.append({name: Error.of(pair) for name, pair in both.items()})
            for name, pair in both.items():
                off = float(np.max(np.abs(pair.prediction - pair.data), initial=0.0))
                largest[name] = max(largest.get(name, 0.0), off)
    return {
        name: Deviation(quantities[name], error, largest[name])
        for name, error in merge(parts).items()
    }


def deviation_lines(deviations: Mapping[str, Deviation]) -> list[str]:
    """Return what is said of deviations, a line for each quantity."""
    width = max((len(d.quantity.label) for d in deviations.values()), default=0)
    return [
        f"{d.quantity.label:<{width}} : largest {d.largest:.1e} {d.quantity.unit}, "
        f"RMS {d.error.rmse:.1e} {d.quantity.unit}"
        for d in deviations.values()
    ]


def _values(model: DeepEval, system: System, quantities: list[Quantity]) -> dict[str, Floats]:
    """Return what a model predicts, of atoms only those that are there."""
    found, real = predict(model, system), system.there
    frames = [
        {q.name: found[q.name][i] if q.of_frame else found[q.name][i][real[i]] for q in quantities}
        for i in range(system.nframes)
    ]
    return dict(values_of(quantities, frames, real.sum(axis=1)))
