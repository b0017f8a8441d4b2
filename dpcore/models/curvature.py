"""Second derivatives of the energy by the coordinates of atoms."""

from typing import Any

from dpcore.backend.adapter import Adapter
from dpcore.batch import Batch, centre_index, displacements, neighbour_index
from dpcore.models.forces import forces
from dpcore.models.model import Model
from dpcore.xp import as_type_of, namespace, shape


def second_derivatives(adapter: Adapter, model: Model, batch: Batch, most: int) -> Any:
    """Return the second derivatives of the energy of each frame, eV/Å², to be differentiated again.

    The forces on the same atom of all frames are differentiated in one pass, as frames know nothing of each
    other.

    Args:
        adapter: the backend whose arrays ``model`` and ``batch`` hold.
        model: the model of an energy.
        batch: the frames.
        most: atoms of the largest frame.

    Returns:
        for each atom those by its own coordinate, the other atom of its frame, and that one's coordinate,
        ``(atom, 9 most)``; 0 beyond the last atom of a frame.
    """
    vectors = displacements(batch)
    xp, natoms = namespace(vectors), shape(batch.frame)[0]
    centre, neighbour = centre_index(batch), neighbour_index(batch)

    def pulls(moved: Any) -> tuple[Any, Any]:
        apart = xp.take(moved, neighbour, axis=0) - xp.take(moved, centre, axis=0)
        force = _forces(adapter, model, batch, vectors + as_type_of(apart, vectors))
        return _by_number(force, batch, most), force

    still = xp.zeros((natoms, 3), like=vectors)
    _, slopes = adapter.jacobian(pulls, 3 * most, again=True)(still)
    # (number and coordinate of the other, atom, own coordinate)
    return -xp.reshape(xp.permute_dims(xp.stack(slopes), (1, 2, 0)), (-1, 9 * most))


def _forces(adapter: Adapter, model: Model, batch: Batch, vectors: Any) -> Any:
    """Return forces ``(atom, 3)`` that can be differentiated by whatever the displacements depend on."""
    xp = namespace(vectors)

    def total(change: Any) -> tuple[Any, Any]:
        values = model.atomic(batch, vectors + change)
        return xp.reshape(xp.sum(values), (1,)), values

    _, (slope,) = adapter.jacobian(total, 1, again=True)(xp.stop_gradient(xp.zeros_like(vectors)))
    return forces(slope, vectors, batch)[0]


def _by_number(force: Any, batch: Batch, most: int) -> Any:
    """Return sums over the frames of the forces on their first, second, … atoms, ``(3 most,)``."""
    xp, sizes = namespace(force), batch.natoms
    first = xp.cumulative_sum(sizes, axis=0) - sizes
    column = xp.astype(xp.arange(most, like=sizes), "int64")[None, :]
    inside = column < sizes[:, None]
    place = xp.where(inside, first[:, None] + column, xp.zeros_like(first[:, None] + column))
    each = xp.reshape(xp.take(force, xp.reshape(place, (-1,)), axis=0), (-1, most, 3))
    there = as_type_of(inside, force)[:, :, None]
    return xp.reshape(xp.sum(each * there, axis=0), (-1,))
