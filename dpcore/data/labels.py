"""Shapes of stored arrays: each is flat for each frame, and gets the axes that its name implies."""

from dataclasses import dataclass
from math import prod
from typing import Literal

import numpy as np

from dpcore.data.stored import Item, check_numbers
from dpcore.data.system import Array, other_spelling
from dpcore.errors import DPError


@dataclass(frozen=True)
class Kind:
    """What one frame of an array looks like.

    Attributes:
        per: one row for each frame, one for each atom, or one for each pair of coordinates.
        width: numbers in a row; None for any.
        partial: whether atoms of some types only may be listed.
    """

    per: Literal["frame", "atom", "pair"]
    width: int | None = None
    partial: bool = False

    def shape(self, natoms: int, found: int) -> tuple[int, ...] | None:
        """Return the shape of a frame that has ``found`` numbers, None where they do not fit."""
        full = self.full(natoms, found)
        if prod(full) == found > 0:
            return full
        if self.partial and self.width and found < prod(full) and found % self.width == 0:
            return (found,)
        return None

    def full(self, natoms: int, found: int) -> tuple[int, ...]:
        """Return the shape of a frame in which every atom is listed."""
        if self.per == "pair":
            return (3 * natoms, 3 * natoms)
        if self.per == "frame":
            return (self.width or found,)
        return (natoms, self.width or found // natoms)

    def need(self, natoms: int) -> str:
        """Say how many numbers a frame needs."""
        if self.width is None and self.per != "pair":
            return f"a multiple of {natoms}" if self.per == "atom" else "one or more"
        return str(prod(self.full(natoms, 0)))


_PER_FRAME = {
    "energy": 1,
    "virial": 9,
    "dipole": 3,
    "polarizability": 9,
    "numb_copy": 1,
    "box": 9,
    "charge_spin": 2,
}
_PER_ATOM = {
    "coord": 3,
    "force": 3,
    "spin": 3,
    "force_mag": 3,
    "atom_ener": 1,
    "atom_ener_coeff": 1,
    "atom_pref": 1,
    "atom_weight": 1,
}
# Lengths, of which double precision leaves nothing for a bond beyond this, Å; and other values, which single
# precision holds no more.
_LONGEST, _LARGEST = 1e12, 1e30
_LENGTHS = ("coord", "box")
_ANY = Kind("frame")
_KINDS = (
    {name: Kind("frame", width) for name, width in _PER_FRAME.items()}
    | {name: Kind("atom", width) for name, width in _PER_ATOM.items()}
    | {name: Kind("atom") for name in ("aparam", "atom_dos", "atom_population", "drdq")}
    | {
        "atom_dipole": Kind("atom", 3, partial=True),
        "atom_polarizability": Kind("atom", 9, partial=True),
        "hessian": Kind("pair"),
    }
)


def frame_count(coord: Item, natoms: int) -> int:
    """Return how many frames the coordinates have.

    Raises:
        DPError: for coordinates that are not 3 for each atom of each frame.
    """
    if coord.size == 0:
        raise DPError(
            f"{coord.where}: holds no frames; write them, or remove this part of the data"
        )
    if len(coord.shape) < 2 and coord.size % (3 * natoms) == 0:
        return coord.size // (3 * natoms)
    return coord.shape[0] if len(coord.shape) > 1 else 1


def frame_shape(name: str, item: Item, nframes: int, natoms: int) -> tuple[int, ...]:
    """Return the shape of one frame of an array, with the axes that its name implies.

    Args:
        name: of the array, as its file's.
        item: the stored array.
        nframes: frames that the coordinates have.
        natoms: atoms of each frame.

    Returns:
        ``(n,)`` for a name without a shape of its own.

    Raises:
        DPError: for a wrong count of frames or of numbers in a frame, and for what are no numbers.
    """
    kind = _KINDS.get(name) or _KINDS.get(other_spelling(name), _ANY)
    check_numbers(item)
    found, rest = divmod(item.size, nframes)
    shape = None if rest else kind.shape(natoms, found)
    stored = item.shape[0] if item.shape else 1
    one_row = len(item.shape) < 2 or stored == 1
    # Some data has all frames in one row, which is clear where the name tells the size of a frame.
    clear = one_row and (nframes == 1 or (kind != _ANY and shape is not None))
    if stored != nframes and not clear:
        counts = f"frame count {stored} differs from coord's {nframes}"
        raise DPError(f"{item.where}: {counts}; give one row for each frame")
    if shape is None:
        need = f"where {natoms} atoms need {kind.need(natoms)}"
        raise DPError(f"{item.where}: {found} numbers per frame {need}; correct it or type.raw")
    return shape


def largest(name: str) -> float:
    """Return what the values of an array may be at most."""
    return _LONGEST if name in _LENGTHS else _LARGEST


def check_finite(values: Array, where: str, first: int = 0, most: float = _LARGEST) -> None:
    """Refuse frames with values that are not finite, or beyond all bounds.

    Args:
        values: the values of some frames, ``(frame, ...)``.
        where: where they are stored.
        first: number of the first frame, for the message.
        most: what they may be at most, see :func:`largest`.

    Raises:
        DPError: a value is nan, inf or larger.
    """
    good = (np.abs(values) <= most).reshape(values.shape[0], -1).all(axis=1)
    if not good.all():
        place = int(np.argmin(good))
        far = np.isfinite(values[place]).all()
        what = f"values beyond {most:g}" if far else "nan or inf"
        raise DPError(f"{where}: frame {first + place} holds {what}; correct or remove the frame")
