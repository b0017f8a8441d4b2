"""Energies, forces and virials from one backward pass to the displacements."""

from typing import Any

from dpcore.backend.adapter import Adapter
from dpcore.batch import Batch, displacements, places
from dpcore.models.energy import EnergyModel
from dpcore.models.forces import forces, fused_forces
from dpcore.xp import as_type_of, namespace, shape

Outputs = dict[str, Any]

# What an energy model predicts, in the order of exported programs.
OUTPUTS = ("energy", "atom_energy", "force", "virial", "atom_virial")


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

    def total(displacement: Any) -> tuple[Any, Any]:
        energy = model.atomic(batch, displacement)
        return namespace(energy).sum(energy), energy

    vectors = displacements(batch)
    (_, energy), gradient = adapter.value_and_grad(total)(vectors)
    xp, natoms, nframes = namespace(energy), shape(batch.frame)[0], shape(batch.natoms)[0]
    atom_energy = xp.segment_sum(energy, places(batch), natoms)
    book = fused_forces if model.fused else forces
    force, atom_virial = book(gradient, vectors, batch)
    return {
        "energy": xp.segment_sum(atom_energy, batch.frame, nframes),
        "atom_energy": atom_energy,
        "force": force,
        "virial": xp.segment_sum(as_type_of(atom_virial, energy), batch.frame, nframes),
        "atom_virial": atom_virial,
    }


def describe(model: EnergyModel, batch: Batch) -> Outputs:
    """Return the descriptors of a batch's centres, ``descriptor (centre, width)``."""
    features = model.descriptor(batch, displacements(batch))
    descriptor = namespace(features[0]).concat(features, axis=0)
    return {"descriptor": as_type_of(descriptor, model.out_bias)}
