"""Atom types by the model's numbering: the data's names decide, where it has names."""

from collections.abc import Sequence

import numpy as np

from dpcore.data.stored import Item, as_types, atom_place
from dpcore.data.system import Types
from dpcore.errors import DPError


def model_types(
    item: Item,
    names: Sequence[str] | None,
    type_map: Sequence[str] | None,
    *,
    padded: bool,
    first: int = 0,
) -> Types:
    """Return stored atom types renumbered to the model's type map.

    Args:
        item: the stored types, by the data's numbering.
        names: the data's type map; without one its numbers are the model's.
        type_map: the model's type map; without one the data's numbers stay.
        padded: whether -1 may stand for a padding atom.
        first: number of the first frame, for messages.

    Raises:
        DPError: for a type that the data's or the model's type map lacks.
    """
    types = as_types(item, -1 if padded else 0, first)
    known = type_map if names is None else names
    if known is not None and types.max(initial=-1) >= len(known):
        raise DPError(f"{item.where}: {_unknown(types, known, first, owned=names is not None)}")
    if names is None or type_map is None:
        return types
    present = [int(old) for old in np.unique(types)]
    lacking = [names[old] for old in present if old >= 0 and names[old] not in type_map]
    if lacking:
        has = f"the model knows {' '.join(type_map)}"
        raise DPError(f"{item.where}: atoms of {' '.join(lacking)}, but {has}; leave the data out")
    return numbering(names, type_map)[types]


def numbering(names: Sequence[str], type_map: Sequence[str]) -> Types:
    """Return the number that a type map gives to each name, and behind them that of padding, -1."""
    numbers = {name: number for number, name in enumerate(type_map)}
    return np.array([numbers.get(name, -1) for name in names] + [-1], dtype=np.int64)


def _unknown(types: Types, known: Sequence[str], first: int, *, owned: bool) -> str:
    place = np.argwhere(types >= len(known))[0]
    found = f"{atom_place(place, first)} has type {types[tuple(place)]}"
    if owned:
        return (
            f"{found}, but type_map.raw names {len(known)} types ({' '.join(known)}); add its name"
        )
    remedy = "add a type_map.raw that names the data's types"
    return f"{found}, but the model has {len(known)} types ({' '.join(known)}); {remedy}"
