"""Testing a model on labelled systems."""

import logging
from collections.abc import Iterable, Iterator

import numpy as np

from dpcore.accuracy.compare import comparer_of
from dpcore.accuracy.details import DetailFiles
from dpcore.accuracy.errors import Array, Error, Predictions, SystemErrors, merge
from dpcore.data import System
from dpcore.errors import DPError
from dpcore.infer import DeepEval

log = logging.getLogger(__name__)

# Atoms whose predictions are held in memory at once.
CHUNK_ATOMS = 20_000


def model_errors(
    model: DeepEval, systems: Iterable[System], *, atomic: bool = False
) -> list[SystemErrors]:
    """Test a model on systems, of which a generator may load one at a time.

    Args:
        model: the model.
        systems: labelled data, its types by the model's numbering.
        atomic: test what is predicted of atoms too; of tensors, that instead.

    Returns:
        The errors of each system that has labels.

    Raises:
        DPError: a system lacks input that the model needs, or does not fit the model.
    """
    tested = [system_errors(model, system, atomic=atomic) for system in systems]
    return [system for system in tested if system.errors]


def system_errors(
    model: DeepEval, system: System, *, atomic: bool = False, details: DetailFiles | None = None
) -> SystemErrors:
    """Test a model on one system.

    Args:
        model: the model.
        system: labelled data, its types by the model's numbering.
        atomic: test what is predicted of atoms too; of tensors, that instead.
        details: files to which labels and predictions are written.

    Returns:
        The errors; there are none, and a warning is logged, if the system has no label.

    Raises:
        DPError: the system lacks input that the model needs, or does not fit the model.
    """
    selected, spin = model.get_sel_type(), model.has_spin
    comparer = comparer_of(model.output, selected, atomic=atomic, spin=spin)
    names = comparer.label_names(system)
    missing = tuple(name for name in names if system.label(name) is None)
    if len(missing) == len(names):
        log.warning("%s: skipped, for it has no label (%s)", system.path, ", ".join(names))
        return SystemErrors(system.path, 0, {}, missing)
    parts = []
    for start, chunk in chunks(system):
        compared = comparer.compare(chunk, predict(model, chunk))
        if details is not None:
            details.write(system.path, compared, first_frame=start)
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


def chunks(system: System) -> Iterator[tuple[int, System]]:
    """Yield parts of a system whose predictions fit into memory, each with its first frame."""
    size = max(1, CHUNK_ATOMS // system.natoms)
    for start in range(0, system.nframes, size):
        yield start, system.take(np.arange(start, min(start + size, system.nframes)))


def predict(model: DeepEval, system: System) -> Predictions:
    """Return what a model predicts for all frames of a system.

    Raises:
        DPError: the system lacks input that the model needs, or does not fit the model.
    """
    fparam = _values(system, "fparam", model.get_dim_fparam(), optional=model.has_default_fparam())
    aparam = _values(system, "aparam", model.get_dim_aparam())
    spin = _values(system, "spin", 3 if model.has_spin else 0)
    state = _values(
        system,
        "charge_spin",
        2 if model.has_chg_spin_ebd() else 0,
        optional=model.has_default_chg_spin(),
    )
    try:
        return model.evaluate(
            system.coord,
            system.cell,
            system.atom_types,
            fparam,
            aparam,
            spin=spin,
            charge_spin=state,
        )
    except DPError as error:
        raise DPError(f"{system.path}: {error}") from error


def _values(system: System, name: str, width: int, *, optional: bool = False) -> Array | None:
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
