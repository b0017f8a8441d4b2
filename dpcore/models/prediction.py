"""Energies, forces and virials from one backward pass to the displacements."""

from typing import Any

from dpcore.backend.adapter import Adapter
from dpcore.batch import (
    Batch,
    Displacements,
    displacements,
    frames_of_atoms,
    with_displacements,
)
from dpcore.models.energy import EnergyModel
from dpcore.xp import as_type_of, dtype_name, namespace, shape

Outputs = dict[str, Any]


def predict(adapter: Adapter, model: EnergyModel, batch: Batch) -> Outputs:
    """Return everything an energy model predicts for a batch.

    Args:
        adapter: the backend whose arrays ``model`` and ``batch`` hold.
        model: the model.
        batch: the frames.

    Returns:
        ``energy (frame,)`` and ``atom_energy (atom,)`` in eV, ``force (atom, 3)`` in eV/Å,
        ``virial (frame, 9)`` and ``atom_virial (atom, 9)`` in eV, atoms on the batch's flat axis.
    """

    def total(values: Displacements) -> tuple[Any, Any]:
        energy = model.atomic(with_displacements(batch, values))
        return namespace(energy).sum(energy), energy

    vectors = displacements(batch)
    (_, energy), gradient = adapter.value_and_grad(total)(vectors)
    xp, frame, nframes = namespace(energy), frames_of_atoms(batch), shape(batch.natoms)[0]
    force, atom_virial = _forces(batch, vectors, gradient)
    return {
        "energy": xp.segment_sum(energy, frame, nframes),
        "atom_energy": energy,
        "force": force,
        "virial": xp.segment_sum(xp.astype(atom_virial, dtype_name(energy)), frame, nframes),
        "atom_virial": atom_virial,
    }


def _forces(batch: Batch, vectors: Displacements, gradient: Displacements) -> tuple[Any, Any]:
    """Return forces and atomic virials, ``(atom, 3)`` and ``(atom, 9)``, from ``∂E/∂d``.

    A displacement pulls its two ends with opposite forces; its virial ``-d ⊗ ∂E/∂d`` is booked on the
    neighbour, as DeePMD-kit does.
    """
    xp = namespace(batch.natoms)
    pulls, index, moved = [], [], []
    for group, row, slopes in zip(batch.groups, vectors, gradient, strict=True):
        pulls.append(sum((xp.sum(g, axis=1) for g in slopes), start=0.0))
        for block, d, g in zip(group.blocks, row, slopes, strict=True):
            outer = xp.reshape(g[..., :, None] * d[..., None, :], (-1, 9))
            moved.append(xp.concat([xp.reshape(g, (-1, 3)), outer], axis=-1))
            index.append(xp.reshape(block.index, (-1,)))
    pull = xp.concat(pulls, axis=0)
    gathered = xp.segment_sum(xp.concat(moved, axis=0), xp.concat(index, axis=0), shape(pull)[0])
    return pull - gathered[:, :3], -gathered[:, 3:]


def describe(model: EnergyModel, batch: Batch) -> Outputs:
    """Return the descriptors of a batch, ``descriptor (atom, width)``."""
    descriptor = model.describe(batch)
    return {"descriptor": as_type_of(descriptor, model.out_bias)}
