"""The labels of samples beside the batch that they belong to."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dpcore.batch import Batch
from dpcore.data.system import Array, other_spelling
from dpcore.errors import DPError
from dpcore.train.data.sample import Sample
from dpcore.train.targets import Target, Wanted


def targets_of(
    samples: Sequence[Sample],
    places: Sequence[str],
    wanted: Sequence[Wanted],
    batch: Batch,
    selected: Sequence[int] | None = None,
) -> dict[str, Target]:
    """Return the labels of a batch, by name; those that no frame has are left out.

    Args:
        samples: the frames of the batch.
        places: where each comes from, for messages.
        wanted: the labels that count.
        batch: the batch, of which labels have the axes.
        selected: types of the atoms that the labels of atoms list where they do not list all.

    Raises:
        DPError: a label that is needed is missing, or one is of a wrong size.
    """
    found = (_target(want, samples, places, batch, selected) for want in wanted)
    return {target.name: target for target in found if target is not None}


def _target(
    want: Wanted,
    samples: Sequence[Sample],
    places: Sequence[str],
    batch: Batch,
    selected: Sequence[int] | None,
) -> Target | None:
    rows = []
    for sample, where in zip(samples, places, strict=True):
        value = sample.labels.get(want.name)
        value = sample.labels.get(other_spelling(want.name)) if value is None else value
        if value is None and want.needed:
            raise DPError(
                f"{where}: no {want.name}, which the loss needs; add it or drop the frame"
            )
        given = None if value is None else _rows(want, value, sample, where, selected)
        rows.append(_default(want, sample) if given is None else given)
    there = np.zeros(len(batch.natoms))
    there[: len(rows)] = [row is not None for row in rows]
    if not there.any():
        return None
    if want.per == "pair":
        rows = _as_wide(rows, samples)
    return Target(name=want.name, value=_laid_out(want, rows, samples, places, batch), there=there)


def _default(want: Wanted, sample: Sample) -> Array | None:
    if want.default is None:
        return None
    number = 1 if want.per == "frame" else len(sample.frame.types)
    return np.full((number, max(want.width, 1)), want.default)


def _rows(
    want: Wanted, value: Array, sample: Sample, where: str, selected: Sequence[int] | None
) -> Array:
    """Return a label as rows: one of a frame, one for each atom."""
    types = sample.frame.types
    natoms, width = len(types), want.width
    if want.per == "pair":
        return _pairs(value, natoms, f"{where}: {want.name}")
    number = 1 if want.per == "frame" else natoms
    if value.size == number * width or (not width and value.size % number == 0):
        return value.reshape(number, -1)
    listed = np.isin(types, [] if selected is None else list(selected))
    if want.per == "atom" and width and value.size == listed.sum() * width:
        out = np.zeros((natoms, width))
        out[listed] = value.reshape(-1, width)
        return out
    need = f"{natoms} atoms need {natoms * width}" if want.per == "atom" else f"{width} are needed"
    if want.per == "atom" and selected is not None and not listed.all():
        need += f", the {listed.sum()} of the types with this property {listed.sum() * width}"
    raise DPError(f"{where}: {want.name} has {value.size} numbers; {need}; correct it")


def _pairs(value: Array, natoms: int, where: str) -> Array:
    """Return second derivatives by atom: its coordinate, the other atom, the coordinate of that."""
    if value.size != 9 * natoms * natoms:
        need = f"{natoms} atoms need {9 * natoms * natoms}"
        raise DPError(f"{where} has {value.size} numbers; {need}; correct it")
    return value.reshape(natoms, -1)


def _as_wide(rows: Sequence[Array | None], samples: Sequence[Sample]) -> list[Array | None]:
    """Return rows of pairs with zeros for the atoms that the largest frame has more."""
    most = max(len(sample.frame.types) for sample in samples)
    out: list[Array | None] = []
    for row in rows:
        if row is None:
            out.append(None)
            continue
        natoms = len(row)
        each = np.zeros((natoms, 3, most, 3))
        each[:, :, :natoms] = row.reshape(natoms, 3, natoms, 3)
        out.append(each.reshape(natoms, -1))
    return out


def _laid_out(
    want: Wanted,
    rows: Sequence[Array | None],
    samples: Sequence[Sample],
    places: Sequence[str],
    batch: Batch,
) -> NDArray[np.float64]:
    width = next(row.shape[1] for row in rows if row is not None)
    length = len(batch.natoms) if want.per == "frame" else len(batch.frame)
    out, start = np.zeros((length, width)), 0
    for row, sample, where in zip(rows, samples, places, strict=True):
        number = 1 if want.per == "frame" else len(sample.frame.types)
        if row is not None:
            if row.shape[1] != width:
                found = f"{row.shape[1]} numbers in a row where other frames have {width}"
                raise DPError(f"{where}: {want.name} has {found}; give all the same")
            out[start : start + number] = row
        start += number
    return out
