"""Values of types whose sums, or means, over frames come closest to given ones."""

from dataclasses import dataclass

import numpy as np

from dpcore.train.statistics.sums import Floats


@dataclass(frozen=True)
class ByType:
    """Values of types and how far those of single frames, or atoms, are from them.

    Attributes:
        bias: ``(type, component)``.
        std: ``(type, component)``.
    """

    bias: Floats
    std: Floats


def fit(counts: Floats, values: Floats, fixed: Floats, rcond: float | None) -> ByType:
    """Fit values of types to those of frames; of several fits the one with the least values.

    Args:
        counts: number, or share, of the atoms of each type in each frame, ``(frame, type)``.
        values: of the frames, ``(frame, component)``.
        fixed: values that are not fitted, ``(type, component)``, NaN for those that are.
        rcond: singular values below this part of the largest count as zero; by default rounding.

    Returns:
        the values, and the deviation of what the fit leaves, the same for all types.
    """
    known = ~np.isnan(fixed).any(axis=1)
    rest = values - counts[:, known] @ fixed[known]
    free = np.where(known, 0.0, counts)
    found = np.asarray(np.linalg.lstsq(free, rest, rcond=rcond)[0], np.float64)
    found[known] = fixed[known]
    left = (rest - free @ found).std(axis=0)
    return ByType(found, np.tile(left, (len(found), 1)))


def alike(counts: Floats, values: Floats, *, intensive: bool) -> ByType:
    """Return the mean and deviation of frames, the same for all types.

    Args:
        counts: number of the atoms of each type in each frame, ``(frame, type)``.
        values: of the frames, ``(frame, component)``.
        intensive: whether values do not grow with the frame; otherwise those of an atom are meant.
    """
    each = values if intensive else values / counts.sum(axis=1, keepdims=True)
    ntypes = counts.shape[1]
    return ByType(np.tile(each.mean(axis=0), (ntypes, 1)), np.tile(each.std(axis=0), (ntypes, 1)))


def of_atoms(types: np.ndarray, values: Floats, ntypes: int) -> ByType:
    """Return the mean and deviation of the atoms of each type, NaN where there are none.

    Args:
        types: of the atoms, ``(atom,)``.
        values: theirs, ``(atom, component)``.
        ntypes: number of types.
    """
    bias = np.full((ntypes, values.shape[1]), np.nan)
    std = bias.copy()
    for t in np.unique(types):
        own = values[types == t]
        bias[t], std[t] = own.mean(axis=0), own.std(axis=0)
    return ByType(bias, std)
