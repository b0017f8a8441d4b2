"""Labels of a system put beside what a model predicts for it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpcore.accuracy.errors import Array, Comparison
from dpcore.data import System

Predictions = Mapping[str, NDArray[Any]]


def label_names(system: System, *, atomic: bool) -> list[str]:
    """Return the labels that an energy model can be tested with on a system.

    Args:
        system: the data.
        atomic: whether atomic energies are tested too.
    """
    names = ["energy", "force"]
    names += ["virial"] if system.periodic else []
    return names + (["atom_ener"] if atomic else [])


def compare(system: System, predictions: Predictions, *, atomic: bool) -> dict[str, Comparison]:
    """Return each quantity that has labels, beside its predictions.

    Padding atoms do not count: not in the rows of atoms, nor in the number of atoms of a frame.

    Args:
        system: the data.
        predictions: what :meth:`dpcore.infer.DeepPot.evaluate` gives for its frames.
        atomic: whether atomic energies are compared.
    """
    real = np.broadcast_to(system.atom_types >= 0, (system.nframes, system.natoms))
    natoms = real.sum(axis=1)[:, None]
    found: dict[str, Comparison] = {}
    energy, force = system.label("energy"), system.label("force")
    if energy is not None:
        found["energy"] = Comparison(energy, predictions["energy"])
        found["energy_per_atom"] = _divided(found["energy"], natoms)
    if force is not None:
        found["force"] = Comparison(force[real], predictions["force"][real])
        found |= _weighted(found["force"], system.label("atom_pref"), real)
    found |= _virial(system, predictions, natoms)
    atom_energy = system.label("atom_ener") if atomic else None
    if atom_energy is not None:
        found["atom_energy"] = Comparison(atom_energy[real], predictions["atom_energy"][real])
    return found


def _weighted(
    force: Comparison, weight: Array | None, real: NDArray[np.bool_]
) -> dict[str, Comparison]:
    # Weights that are all zero have no average.
    if weight is None or not weight[real].any():
        return {}
    return {"weighted_force": Comparison(force.data, force.prediction, weight[real])}


def _virial(
    system: System, predictions: Predictions, natoms: NDArray[np.int64]
) -> dict[str, Comparison]:
    virial = system.label("virial")
    if virial is None or system.cell is None:
        return {}
    both = Comparison(virial, predictions["virial"])
    volume = np.abs(np.linalg.det(system.cell))[:, None]
    return {
        "virial": both,
        "virial_per_atom": _divided(both, natoms),
        "stress": _divided(both, -volume),
    }


def _divided(comparison: Comparison, by: NDArray[Any]) -> Comparison:
    return Comparison(comparison.data / by, comparison.prediction / by)
