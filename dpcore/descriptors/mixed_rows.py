"""Environment rows whose neighbours are of any types."""

from collections.abc import Collection
from typing import Any

from dpcore.batch import Batch, Neighbours, centre_types, neighbour_types, places
from dpcore.xp import as_type_of, namespace, shape


def normalised_rows(batch: Batch, rows: Any, davg: Any, dstd: Any) -> Any:
    """Return ``(R - davg) / dstd`` with the statistics of each centre's type.

    Args:
        batch: the batch.
        rows: environment rows, ``(centre, neighbour, column)``.
        davg: mean by type and place, ``(type, place, column)``.
        dstd: deviation.
    """
    width, types = shape(rows)[1], centre_types(batch)
    mean, std = (_of_centres(as_type_of(x, rows), types, width) for x in (davg, dstd))
    return (rows - mean) / std


def _of_centres(statistics: Any, types: Any, width: Any) -> Any:
    """Return the statistics of the first places around centres of some types, ``(centre, width, column)``."""
    xp = namespace(statistics)
    # Cut along the first axis: tracers would ask whether a cut along another one keeps memory in one piece.
    by_place = xp.permute_dims(statistics, (1, 0, 2))[:width, :, :]
    return xp.permute_dims(xp.take(by_place, types, axis=1), (1, 0, 2))


def types_in_places(batch: Batch, block: Neighbours) -> Any:
    """Return the type in each place of a mixed block, ``(centre, neighbour)``.

    Like DeePMD-kit it takes a place without a neighbour for the first atom of the frame.
    """
    xp = namespace(batch.types)
    return xp.where(block.mask(), neighbour_types(batch, block), first_types(batch)[:, None])


def first_types(batch: Batch) -> Any:
    """Return the type of the first atom of each centre's frame, ``(centre,)``."""
    xp = namespace(batch.types)
    first = xp.cumulative_sum(batch.natoms, axis=0) - batch.natoms
    frame = xp.take(batch.frame, places(batch), axis=0)
    return xp.take(batch.types, xp.take(first, frame, axis=0), axis=0)


def present(
    batch: Batch, block: Neighbours, excluded: Collection[tuple[int, int]], like: Any
) -> Any:
    """Return 1 for neighbours that count, 0 for excluded ones and padding, ``(..., 1)`` of the index's shape.

    Arguments are those of :func:`counted`.
    """
    there = as_type_of(block.mask(), like)
    if excluded:
        there = there * counted(batch, block, excluded, there)
    return there[..., None]


def counted(
    batch: Batch, block: Neighbours, excluded: Collection[tuple[int, int]], like: Any
) -> Any:
    """Return 0 for neighbours of an excluded type and 1 for all other places, in the shape of the index.

    Args:
        batch: the batch.
        block: a block or list of mixed types.
        excluded: pairs of types, centre first.
        like: an array of the wanted dtype.
    """
    xp, mask = namespace(like), block.mask()
    centre, neighbour = centre_types(batch), neighbour_types(batch, block)
    centre = xp.take(centre, block.centre, axis=0) if block.is_list else centre[:, None]
    found = xp.ones_like(as_type_of(mask, like))
    for first, second in sorted(excluded):
        here = mask & (centre == first) & (neighbour == second)
        found = xp.where(here, xp.zeros_like(found), found)
    return found
