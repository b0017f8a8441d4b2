"""Mean and deviation of what descriptors normalise."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpcore.batch import (
    Batch,
    blocks,
    centre_index,
    displacements,
    neighbour_index,
    places,
)
from dpcore.descriptors.normalised import Normalised
from dpcore.frames import Frame
from dpcore.infer.assemble import assemble
from dpcore.models import Model
from dpcore.neighbours.sizes import ExactSizes
from dpcore.train.statistics.frames import joined, seen
from dpcore.train.statistics.sums import LEAST, Floats, Sums
from dpcore.tree import Module, visit

# Atoms whose rows are held in memory at once.
_CENTRES = 2_000


def normalised_in(model: Model) -> dict[str, Normalised]:
    """Return what the descriptors of a model normalise, by the path of the module that stores it.

    Pairs of types that a model excludes are not among the neighbours.
    """
    return {
        joined(path, "descriptor", place): _of_model(rows, inner.pair_exclude_types)
        for path, inner, _ in seen(model, [])
        for place, rows in inner.descriptor.normalised_rows.items()
    }


def _of_model(rows: Normalised, excluded: tuple[tuple[int, int], ...]) -> Normalised:
    return replace(rows, selection=rows.selection.with_excluded(excluded))


def environment_sums(model: Model, frames: Sequence[Frame]) -> dict[str, Sums]:
    """Return the sums over frames of what a model's descriptors normalise, ``(type, set)`` each.

    Args:
        model: the model.
        frames: the frames.

    Returns:
        the sums by the paths of :func:`normalised_in`; those of several calls may be added.

    Raises:
        DPError: two atoms of a frame are at the same place.
    """
    found = {}
    for path, inner, given in seen(model, frames):
        ntypes = len(inner.type_map)
        for place, rows in inner.descriptor.normalised_rows.items():
            own = _of_model(rows, inner.pair_exclude_types)
            found[joined(path, "descriptor", place)] = _sums(own, given, ntypes)
    return found


def _sums(rows: Normalised, frames: Sequence[Frame], ntypes: int) -> Sums:
    total, square = np.zeros((2, ntypes, len(rows.sets)))
    here: Floats = np.zeros(ntypes)
    if frames:
        assembly = assemble(frames, (rows.selection,), ExactSizes())
        here += np.bincount(assembly.types, minlength=ntypes)
        for batch in assembly.batches(_CENTRES):
            values, types = _values(rows, batch)
            for t in np.unique(types):
                own = values[types == t]
                total[t] += own.sum(axis=0)
                square[t] += np.square(own).sum(axis=0)
    in_set = np.eye(len(rows.widths))[list(rows.sets)]
    number = here[:, None] * rows.places * rows.widths
    return Sums(number, total @ in_set, square @ in_set)


def _values(rows: Normalised, batch: Batch) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return rows that count, ``(row, column)``, and the types of their centres, ``(row,)``."""
    values = rows.rows(batch, displacements(batch))
    if not rows.by_edge:
        place = places(batch)
        there = place < batch.natoms.sum()
        return values[there], batch.types[place[there]]
    there = np.concatenate([block.mask().reshape(-1) for block in blocks(batch)])
    centre, neighbour = (
        batch.types[index(batch)][there] for index in (centre_index, neighbour_index)
    )
    values = values[there]
    if rows.excluded:
        apart = np.ones((centre.max(initial=0) + 1, neighbour.max(initial=0) + 1), np.bool_)
        for a, b in rows.excluded:
            apart[a : a + 1, b : b + 1] = False
        counted = apart[centre, neighbour]
        values, centre = values[counted], centre[counted]
    return values, centre


def with_environment(model: Model, sums: Mapping[str, Sums], least: float = LEAST) -> Model:
    """Return a model with the means and deviations that sums tell.

    Args:
        model: the model.
        sums: those of :func:`environment_sums`.
        least: the least deviation.
    """
    told = normalised_in(model)

    def leaf(path: str, module: Module) -> Module | None:
        return _stored(module, told[path], sums[path], least) if path in told else None

    found: Model = visit(model, leaf)
    return found


def _stored(module: Any, rows: Normalised, sums: Sums, least: float) -> Module:
    mean: Floats = sums.mean()
    mean[:, list(rows.turning)] = 0.0
    changes = {"dstd": rows.laid_out(sums.deviation(least), module.dstd)}
    if rows.with_mean:
        changes["davg"] = rows.laid_out(mean, module.davg)
    changed: Module = module.with_(**changes)
    return changed
