"""Forces and virials from the derivatives by the displacements."""

from functools import singledispatch
from typing import Any

from dpcore.batch import Batch, by_block, by_view, neighbour_index, places
from dpcore.xp import namespace, shape


def forces(slope: Any, displacement: Any, batch: Batch) -> tuple[Any, Any]:
    """Return forces and atomic virials, ``(atom, 3)`` in eV/Å and ``(atom, 9)`` in eV.

    A displacement pulls its two ends with opposite forces; its virial ``-d ⊗ ∂E/∂d`` is booked on the
    neighbour, as DeePMD-kit does.

    Args:
        slope: the energy's derivative by the displacements, ``(edge, 3)``, eV/Å.
        displacement: ``(edge, 3)``, Å.
        batch: the batch of the edges.
    """
    xp, natoms, place = namespace(displacement), shape(batch.frame)[0], places(batch)
    pull: Any = 0.0
    for part, share in by_view(batch, slope, [1] * len(batch.views)):
        first = part.view.blocks[0][0]
        if first.is_list:
            pull = pull + xp.segment_sum(share, first.centre, shape(place)[0])
            continue
        rows = by_block(part.view, share)
        each = [sum((xp.sum(g, axis=1) for g in row), start=0.0) for row in rows]
        pull = pull + xp.concat(each, axis=0)
    virial = xp.reshape(slope[:, :, None] * displacement[:, None, :], (-1, 9))
    moved = xp.concat([slope, virial], axis=1)
    gathered = xp.segment_sum(moved, neighbour_index(batch), natoms)
    return xp.segment_sum(pull, place, natoms) - gathered[:, :3], -gathered[:, 3:]


@singledispatch
def fused_forces(slope: Any, displacement: Any, batch: Batch) -> tuple[Any, Any]:
    """Return what :func:`forces` does; backends that have a kernel for it register themselves."""
    return forces(slope, displacement, batch)
