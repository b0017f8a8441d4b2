"""Virials of atoms whose energies depend on more than their own neighbours."""

from typing import Any

from dpcore.backend.adapter import Adapter
from dpcore.batch import Batch, centre_index, displacements, neighbour_index, places
from dpcore.models.model import Model
from dpcore.xp import as_type_of, namespace, shape


def atomic_virials(adapter: Adapter, model: Model, batch: Batch) -> dict[str, Any]:
    """Return the virials of the atoms of a model that passes messages, as DeePMD-kit shares them out.

    ``W_j = -Σ_i ∂E_i/∂r_j ⊗ (r_j - r_i)``: an energy may depend on atoms that are no neighbours of its atom, so
    that a displacement does not tell whose it is. It takes the slopes of ``Σ E_i`` and of ``Σ E_i r_i``.

    Args:
        adapter: the backend whose arrays ``model`` and ``batch`` hold.
        model: the model.
        batch: the frames, with coordinates.

    Returns:
        ``atom_virial (atom, 9)``, with an axis for the components of a vector before the last one; eV.
    """
    vectors, size = displacements(batch), model.output.size
    xp, natoms = namespace(vectors), shape(batch.frame)[0]
    own = xp.take(batch.coord, places(batch), axis=0)

    def totals(displacement: Any) -> tuple[Any, Any]:
        values = xp.reshape(model.atomic(batch, displacement), (-1, size))
        factors = xp.concat([xp.ones_like(own[:, :1]), own], axis=1)
        sums = xp.matmul(xp.permute_dims(xp.astype(values, "float64"), (1, 0)), factors)
        return xp.reshape(sums, (-1,)), values

    _, slopes = adapter.jacobian(totals, 4 * size)(vectors)
    centre, neighbour = centre_index(batch), neighbour_index(batch)
    start = xp.take(batch.coord, centre, axis=0)
    each = []
    for k in range(size):
        slope, *others = (as_type_of(x, batch.coord) for x in slopes[4 * k : 4 * k + 4])
        moment = xp.stack(others, axis=2)
        here = slope[:, :, None] * start[:, None, :] - moment
        there = slope[:, :, None] * as_type_of(vectors, slope)[:, None, :] + here
        each.append(
            xp.segment_sum(xp.reshape(here, (-1, 9)), centre, natoms)
            - xp.segment_sum(xp.reshape(there, (-1, 9)), neighbour, natoms)
        )
    return {"atom_virial": each[0] if size == 1 else xp.stack(each, axis=1)}
