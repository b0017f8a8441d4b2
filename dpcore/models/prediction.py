"""Properties, and their derivatives from one pass back to the displacements for each component."""

from typing import Any

from dpcore.backend.adapter import Adapter
from dpcore.batch import Batch, blocks, displacements, places
from dpcore.models.forces import forces, fused_forces
from dpcore.models.model import Model
from dpcore.xp import as_type_of, namespace, shape

Outputs = dict[str, Any]


def predict(adapter: Adapter, model: Model, batch: Batch, *, training: bool = False) -> Outputs:
    """Return everything a model predicts for a batch, by the names of its output.

    Args:
        adapter: the backend whose arrays ``model`` and ``batch`` hold.
        model: the model.
        batch: the frames.
        training: let derivatives be differentiated by the parameters.

    Returns:
        the property of frames ``(frame, *shape)`` and of atoms ``(atom, *shape)``; where it is
        differentiable ``force (atom, 3)``, ``virial (frame, 9)`` and, unless the model passes messages,
        ``atom_virial (atom, 9)``, with an axis for the components of a vector before the last one; where
        atoms have spins ``force_mag (atom, 3)`` likewise. Atoms are on the batch's flat axis; units are
        those of the output, per Å in forces, per unit of the spins in magnetic ones.
    """
    vectors, output = displacements(batch), model.output
    if output.differentiable:
        values, slopes, by_spin = _with_slopes(adapter, model, batch, vectors, training=training)
    else:
        values, slopes, by_spin = model.atomic(batch, vectors), [], []
    xp, natoms, nframes = namespace(values), shape(batch.frame)[0], shape(batch.natoms)[0]
    atomic = xp.segment_sum(values, places(batch), natoms)
    total = xp.segment_sum(atomic, batch.frame, nframes)
    if output.intensive:
        total = total / xp.reshape(_counted(model, batch, total), (-1, *[1] * len(output.shape)))
    predicted = {output.total: total, output.atomic: atomic}
    if output.differentiable:
        in_rows = not any(block.is_list for block in blocks(batch))
        # The kernel for forces has no derivatives.
        fused = model.is_fused and in_rows and not training
        book = fused_forces if fused else forces
        each = [book(slope, vectors, batch) for slope in slopes]
        force, virial = (_joined(parts) for parts in zip(*each, strict=True))
        predicted |= {
            "force": force,
            "virial": xp.segment_sum(as_type_of(virial, values), batch.frame, nframes),
            "atom_virial": virial,
        }
    if by_spin:
        predicted["force_mag"] = -_joined(tuple(by_spin))
    return {name: predicted[name] for name in predicted_names(model)}


def predicted_names(model: Model) -> tuple[str, ...]:
    """Return the names of what :func:`predict` returns, in the order of exported programs.

    Atomic virials of a model that passes messages cost more than all else: they have a
    :func:`function of their own <dpcore.models.atomic_virials.atomic_virials>`.
    """
    names = model.output.names
    return tuple(n for n in names if n != "atom_virial") if model.virials_by_path else names


def _counted(model: Model, batch: Batch, like: Any) -> Any:
    """Return over how many atoms of each frame a mean is taken, ``(frame,)``; at least 1."""
    xp, number = namespace(like), as_type_of(batch.natoms, like)
    for t in model.atom_exclude_types:
        excluded = as_type_of(batch.types == t, like)
        number = number - xp.segment_sum(excluded, batch.frame, shape(batch.natoms)[0])
    return xp.maximum(number, xp.ones_like(number))


def _with_slopes(
    adapter: Adapter, model: Model, batch: Batch, vectors: Any, *, training: bool
) -> tuple[Any, list[Any], list[Any]]:
    """Return the property of the centres and derivatives of each component's sum.

    Returns:
        the property, the derivatives by the displacements, ``(edge, 3)``, and those by the spins, ``(atom,
        3)``, where atoms have some.
    """
    xp, output = namespace(vectors), model.output
    size, edges = output.size, shape(vectors)[0]

    def totals(given: Any) -> tuple[Any, Any]:
        told, displacement = batch, given
        if output.magnetic:
            displacement, spin = xp.split(given, [edges, shape(batch.spin)[0]])
            told = batch.with_(spin=spin)
        values = model.atomic(told, displacement)
        return xp.sum(xp.reshape(values, (-1, size)), axis=0), values

    # One array takes one pass back, whatever it is made of.
    given = xp.concat([vectors, batch.spin], axis=0) if output.magnetic else vectors
    (_, values), slopes = adapter.jacobian(totals, size, again=training)(given)
    if not output.magnetic:
        return values, slopes, []
    parts = [xp.split(slope, [edges, shape(batch.spin)[0]]) for slope in slopes]
    return values, [part[0] for part in parts], [part[1] for part in parts]


def _joined(parts: tuple[Any, ...]) -> Any:
    return parts[0] if len(parts) == 1 else namespace(parts[0]).stack(parts, axis=1)


def describe(model: Model, batch: Batch) -> Outputs:
    """Return the descriptors of a batch's centres, ``descriptor (centre, width)``, float64."""
    features = model.features(batch, displacements(batch))
    return {"descriptor": namespace(features).astype(features, "float64")}
