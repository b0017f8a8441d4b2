"""Tables of pair energies: reading them, extending them to a cutoff, and their cubic splines."""

import logging
import warnings

import numpy as np
from numpy.typing import NDArray

from dpcore.errors import DPError

log = logging.getLogger(__name__)

Floats = NDArray[np.float64]

# How far a distance may be from its place on the even grid, relative to the spacing.
_UNEVEN = 1e-2
# Energies beyond the end of a table, eV: above this a curve to zero means nothing.
_VANISHING = 1e-2
# Energies at the cutoff that are worth a word, eV.
_NOTABLE = 1e-6


def read_table(path: str, ntypes: int, key: str) -> Floats:
    """Read a table of pair energies.

    Each row has a distance in Å and the energies in eV of the pairs of types 0-0, 0-1, …, 1-1, 1-2, …;
    distances are evenly spaced.

    Args:
        path: the text file.
        ntypes: number of atom types.
        key: the setting that names the file, for messages.

    Returns:
        the table, ``(row, 1 + pair)``.

    Raises:
        DPError: the file is not such a table.
    """
    where = f"{key}: {path}"
    try:
        with warnings.catch_warnings(action="ignore", category=UserWarning):
            table = np.loadtxt(path, ndmin=2)
    except FileNotFoundError:
        raise DPError(
            f"{where}: no such file; paths are relative to the working directory"
        ) from None
    except (OSError, ValueError) as error:
        raise DPError(f"{where}: no table of numbers ({' '.join(str(error).split())})") from error
    _check(table, ntypes, where)
    return table


def _check(table: Floats, ntypes: int, where: str) -> None:
    """Raise a one-line error for numbers that are no table of these types."""
    columns = 1 + ntypes * (ntypes + 1) // 2
    if table.shape[0] < 2:
        raise DPError(f"{where}: {table.shape[0]} rows; a table has two at least")
    if table.shape[1] != columns:
        raise DPError(
            f"{where}: {table.shape[1]} columns; {ntypes} types need {columns}: the distance and one "
            "for each pair of types"
        )
    if not np.isfinite(table).all():
        row = int(np.argwhere(~np.isfinite(table))[0][0])
        raise DPError(f"{where}: row {row + 1} has a number that is not finite")
    distance = table[:, 0]
    spacing = distance[1] - distance[0]
    if distance[0] < 0 or spacing <= 0:
        raise DPError(f"{where}: the distances must not be negative and must grow from row to row")
    even = distance[0] + spacing * np.arange(len(distance))
    beside = np.flatnonzero(np.abs(distance - even) > _UNEVEN * spacing)
    if beside.size:
        row = int(beside[0])
        raise DPError(
            f"{where}: row {row + 1} has the distance {distance[row]:g} where even spacing has "
            f"{even[row]:g}; all distances must be {spacing:g} apart"
        )


def reaching(table: Floats, rcut: float, where: str) -> Floats:
    """Return a table that goes on to the cutoff, as DeePMD-kit extends it.

    Energies that end at zero stay there; others are brought there by one cubic curve for each pair.

    Args:
        table: the table as it was read.
        rcut: cutoff, Å.
        where: the setting that names the file and the file, for messages.

    Raises:
        DPError: the table is for distances beyond the cutoff alone, or ends before it with energies
            that have not vanished.
    """
    distance = table[:, 0]
    first, last, spacing = distance[0], distance[-1], distance[1] - distance[0]
    if first >= rcut:
        raise DPError(f"{where}: begins at {first:g} Å, beyond the cutoff, rcut = {rcut:g}")
    if rcut <= last:
        _warn_of_step(table, rcut, where)
        return table
    missing = int(np.ceil(rcut / spacing - first / spacing)) - (len(table) - 1)
    if missing <= 0:
        return table
    added = np.zeros((missing, table.shape[1]))
    added[:, 0] = np.linspace(last + spacing, last + spacing * missing, missing)
    if table[-1, 1:].any():
        added = _brought_to_zero(table, added, rcut, where)
    return np.concatenate([table, added])


def _warn_of_step(table: Floats, rcut: float, where: str) -> None:
    row = table[int(np.searchsorted(table[:, 0], rcut * (1 - 1e-12)))]
    if np.abs(row[1:]).max() > _NOTABLE:
        log.warning(
            "%s: energies are up to %.3g eV at the cutoff, %g Å, and drop to zero there",
            where,
            np.abs(row[1:]).max(),
            rcut,
        )


def _brought_to_zero(table: Floats, added: Floats, rcut: float, where: str) -> Floats:
    """Return the added rows with energies that fall to zero before the cutoff."""
    end, spacing = table[-1], table[1, 0] - table[0, 0]
    # Zero is reached on the grid before the cutoff, if there is room for that.
    before = bool(added[-1, 0] / spacing - end[0] / spacing >= 2)
    zero = added[-2 if before else -1, 0]
    u = ((added[:, 0] - end[0]) / (zero - end[0]))[:, None]
    # DeePMD-kit takes the difference of the last rows for the slope, whatever their distance.
    slope = (end[1:] - table[-2, 1:]) * (zero - end[0])
    rest = 1.0 - u
    added[:, 1:] = rest * rest * (end[1:] * (1.0 + 2.0 * u) + slope * u)
    added = added[:-1] if before else added
    largest = max(np.abs(end[1:]).max(), np.abs(added[:, 1:]).max())
    story = f"{where}: ends at {end[0]:g} Å, before the cutoff, rcut = {rcut:g}; energies up to"
    if largest > _VANISHING:
        raise DPError(
            f"{story} {largest:.3g} eV would be needed to get to zero; continue the table until its "
            "energies vanish"
        )
    log.warning("%s %.3g eV are added to get to zero", story, largest)
    return added


def spline(table: Floats, ntypes: int) -> Floats:
    """Return the cubic spline of each pair of types, ``(type, type, interval, 4)``.

    The spline is flat at both ends of the table. On an interval it is ``((c₀ u + c₁) u + c₂) u + c₃``,
    with u from 0 to 1.
    """
    value, step = table[:, 1:], np.diff(table[:, 0])
    slope = _slopes(step, value) * (table[1, 0] - table[0, 0])
    rise = np.diff(value, axis=0)
    left, right = slope[:-1], slope[1:]
    cubics = np.stack(
        [left + right - 2 * rise, 3 * rise - 2 * left - right, left, value[:-1]], axis=-1
    )
    first, second = np.triu_indices(ntypes)
    out = np.empty((ntypes, ntypes, len(step), 4))
    out[first, second] = out[second, first] = cubics.transpose(1, 0, 2)
    return out


def _slopes(step: Floats, value: Floats) -> Floats:
    """Return the slope at each row of the curve that is smooth to second order, zero at both ends."""
    secant = np.diff(value, axis=0) / step[:, None]
    before, after = step[:-1], step[1:]
    right = 3 * (after[:, None] * secant[:-1] + before[:, None] * secant[1:])
    diagonal = 2 * (before + after)
    slope = np.zeros_like(value)
    n = len(right)
    # Gaussian elimination of a tridiagonal system.
    for i in range(1, n):
        factor = after[i] / diagonal[i - 1]
        diagonal[i] -= factor * before[i - 1]
        right[i] -= factor * right[i - 1]
    for i in reversed(range(n)):
        slope[i + 1] = (right[i] - before[i] * slope[i + 2]) / diagonal[i]
    return slope
