"""What statistics of training data normalise."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpcore.batch import Batch
from dpcore.descriptors.environment import environment_matrix
from dpcore.neighbours.selection import Selection

Pairs = frozenset[tuple[int, int]]


@dataclass(frozen=True)
class Normalised:
    """Rows of numbers from which a mean ``davg`` is subtracted, and which are divided by ``dstd``.

    A centre has ``places`` rows; those of places without a neighbour, and of neighbours that do not count,
    are zeros.

    Attributes:
        selection: the neighbours that the rows are made of.
        rows: returns the rows of a batch with this one view, and of displacements ``(edge, 3)``: on the edge
            axis, ``(edge, column)``, or on the centre axis, where a centre has one.
        places: number of rows of a centre.
        sets: which set each column belongs to; the columns of a set share mean and deviation.
        turning: sets whose columns turn with the atoms, so that their mean is zero.
        by_edge: whether the rows are on the edge axis.
        excluded: pairs of types, centre first, that do not count.
        with_mean: whether the mean is subtracted; otherwise ``davg`` stays zero.
        told: the settings that the rows depend on beside the selection.
    """

    selection: Selection
    rows: Callable[[Batch, Any], Any]
    places: int
    sets: tuple[int, ...]
    turning: tuple[int, ...] = ()
    by_edge: bool = True
    excluded: Pairs = frozenset()
    with_mean: bool = True
    told: Mapping[str, Any] | None = None

    @property
    def widths(self) -> NDArray[np.int64]:
        """Number of columns of each set, ``(set,)``."""
        return np.bincount(self.sets)

    def laid_out(self, values: NDArray[Any], like: NDArray[Any]) -> NDArray[Any]:
        """Return statistics of the sets as they are stored.

        Args:
            values: by type and set, ``(type, set)``.
            like: what is stored now, ``(type, column)`` or ``(type, place, column)``.
        """
        columns = values[:, list(self.sets)]
        columns = columns if like.ndim == 2 else columns[:, None, :]
        return np.broadcast_to(columns, like.shape).astype(like.dtype)


def environment(
    selection: Selection,
    places: int,
    rcut_smth: float,
    protection: float,
    *,
    columns: int = 4,
    excluded: Pairs = frozenset(),
    with_mean: bool = True,
) -> Normalised:
    """Return environment rows, whose directional columns share a deviation.

    Args:
        selection: the neighbours.
        places: largest number of them.
        rcut_smth: where the switch function begins to fall, Å.
        protection: added to distances that are divided by, Å.
        columns: 4, or 1 for the radial column alone.
        excluded: pairs of types, centre first, that do not count.
        with_mean: whether the mean is subtracted.
    """

    def rows(_: Batch, displacement: Any) -> Any:
        found = environment_matrix(displacement, rcut_smth, selection.rcut, protection)
        return found[:, :columns]

    return Normalised(
        selection=selection,
        rows=rows,
        places=places,
        sets=(0, 1, 1, 1)[:columns],
        turning=(1,)[: columns - 1],
        excluded=excluded,
        with_mean=with_mean,
        told={"rcut_smth": rcut_smth, "env_protection": protection},
    )


def inside(place: str, found: Mapping[str, Normalised]) -> dict[str, Normalised]:
    """Return the rows of a part of a descriptor with their paths from the whole.

    Args:
        place: where the part is.
        found: its rows.
    """
    return {f"{place}.{path}" if path else place: rows for path, rows in found.items()}
