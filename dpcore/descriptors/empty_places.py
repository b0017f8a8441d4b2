"""What places without a neighbour add to moments.

DeePMD-kit normalises them like any other, so that where the mean of the rows is not zero they contribute
constant rows ``-davg/dstd``, embedded as if the frame's first atom were there.
"""

import math
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from dpcore.batch import Batch, centre_types
from dpcore.descriptors.mixed_rows import first_types
from dpcore.xp import as_type_of, namespace, shape

# What is known of empty places: nothing, that all of a centre add the same, or that they add nothing.
Known = Literal["each", "alike", "none"]


def known_of(davg: Any, dstd: Any) -> Known:
    """Return what statistics ``(type, place, column)`` say of the places without a neighbour."""
    if not np.any(davg):
        return "none"
    varies = np.ptp(davg, axis=1).any() or np.ptp(dstd, axis=1).any()
    return "each" if varies else "alike"


# Returns the features of empty places, ``(centre, place, feature)``, from the first column of what is there in
# place of rows, ``(centre, place, 1)``, and the types of the frame's first atom and of the centre.
Embed = Callable[[Any, Any, Any], Any]


def moments_by_types(rows: Any, embed: Embed) -> Any:
    """Return what one empty place adds, where all of a centre add the same.

    Args:
        rows: what is there in place of rows, by type of the centre, ``(type, place, column)``.
        embed: returns the features of empty places.

    Returns:
        by types of the frame's first atom and of the centre, ``(type * type, column, feature)``.
    """
    ntypes = len(rows)
    first, centre = np.divmod(np.arange(ntypes**2), ntypes)
    own = rows[centre][:, :1, :]
    return own.transpose(0, 2, 1) @ embed(own[:, :, :1], first, centre)


def alike_moments(batch: Batch, by_types: Any, empty: Any) -> Any:
    """Return what the empty places of each centre add, ``(centre, column, feature)``.

    Args:
        batch: the batch.
        by_types: what one of them adds (:func:`moments_by_types`).
        empty: number of empty places, ``(centre,)``.
    """
    xp, ntypes = namespace(by_types), math.isqrt(shape(by_types)[0])
    each = xp.take(by_types, first_types(batch) * ntypes + centre_types(batch), axis=0)
    return each * as_type_of(empty, each)[:, None, None]


def each_moments(batch: Batch, rows: Any, embed: Embed) -> Any:
    """Return what the empty places of each centre add, each something else, ``(centre, column, feature)``.

    Args:
        batch: the batch, with one mixed view.
        rows: what is there in place of rows, by type of the centre, ``(type, place, column)``.
        embed: returns the features of empty places.
    """
    xp, count = namespace(rows), batch.view.blocks[0][0].count
    centre = centre_types(batch)
    place = xp.arange(shape(rows)[1], like=count)
    empty = as_type_of(place[None, :] >= count[:, None], rows)[:, :, None]
    own = xp.take(rows, centre, axis=0) * empty
    features = embed(own[:, :, :1], first_types(batch), centre)
    return xp.matmul(xp.permute_dims(own, (0, 2, 1)), features)
