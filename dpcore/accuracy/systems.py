"""Testing a model on labelled systems."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from dpcore.accuracy.compare import Predictions, compare, label_names
from dpcore.accuracy.details import DetailFiles
from dpcore.accuracy.errors import Array, Error, SystemErrors, merge
from dpcore.data import System
from dpcore.errors import DPError
from dpcore.infer import DeepPot

log = logging.getLogger(__name__)

# Atoms whose predictions are held in memory at once.
CHUNK_ATOMS = 20_000


def model_errors(
    model: DeepPot, systems: Iterable[System], *, atomic: bool = False
) -> list[SystemErrors]:
    """Test a model on systems, of which a generator may load one at a time.

    Args:
        model: the model.
        systems: labelled data, its types by the model's numbering.
        atomic: test atomic energies too.

    Returns:
        The errors of each system that has labels.

    Raises:
        DPError: a system lacks input that the model needs, or does not fit the model.
    """
    tested = [system_errors(model, system, atomic=atomic) for system in systems]
    return [system for system in tested if system.errors]


def system_errors(
    model: DeepPot, system: System, *, atomic: bool = False, details: DetailFiles | None = None
) -> SystemErrors:
    """Test a model on one system.

    Args:
        model: the model.
        system: labelled data, its types by the model's numbering.
        atomic: test atomic energies too.
        details: files to which labels and predictions are written.

    Returns:
        The errors; there are none, and a warning is logged, if the system has no label.

    Raises:
        DPError: the system lacks input that the model needs, or does not fit the model.
    """
    names = label_names(system, atomic=atomic)
    missing = tuple(name for name in names if system.label(name) is None)
    if len(missing) == len(names):
        log.warning("%s: skipped, for it has no label (%s)", system.path, ", ".join(names))
        return SystemErrors(system.path, 0, {}, missing)
    parts = []
    for chunk in _chunks(system):
        compared = compare(chunk, _predict(model, chunk), atomic=atomic)
        if details is not None:
            details.write(system.path, compared)
        parts.append({name: Error.of(both) for name, both in compared.items()})
    return SystemErrors(system.path, system.nframes, merge(parts), missing)


def choose_frames(system: System, number: int, shuffle: np.random.Generator | None) -> System:
    """Return the system with at most ``number`` frames.

    Args:
        system: the data.
        number: how many frames; 0 for all.
        shuffle: source of a random order; None for the stored order.
    """
    order = np.arange(system.nframes) if shuffle is None else shuffle.permutation(system.nframes)
    if shuffle is None and not number:
        return system
    return system.take(order[: number or None])


@dataclass(frozen=True)
class _Parameters:
    """What a model takes beside the atoms."""

    fparam: Array | None
    aparam: Array | None


def _chunks(system: System) -> Iterator[System]:
    size = max(1, CHUNK_ATOMS // system.natoms)
    for start in range(0, system.nframes, size):
        yield system.take(np.arange(start, min(start + size, system.nframes)))


def _predict(model: DeepPot, system: System) -> Predictions:
    parameters = _parameters(model, system)
    try:
        return model.evaluate(
            system.coord, system.cell, system.atom_types, parameters.fparam, parameters.aparam
        )
    except DPError as error:
        raise DPError(f"{system.path}: {error}") from error


def _parameters(model: DeepPot, system: System) -> _Parameters:
    return _Parameters(
        _values(system, "fparam", model.get_dim_fparam(), optional=model.has_default_fparam()),
        _values(system, "aparam", model.get_dim_aparam(), optional=False),
    )


def _values(system: System, name: str, width: int, *, optional: bool) -> Array | None:
    if width == 0:
        return None
    values = system.label(name)
    if values is None:
        if optional:
            return None
        raise DPError(
            f"{system.path}: no {name}, of which the model needs {width}; add {name}.npy to each set"
        )
    if values.shape[-1] != width:
        found = f"{values.shape[-1]} numbers where the model needs {width}"
        raise DPError(f"{system.path}: {name} has {found}; correct {name}.npy")
    return values
