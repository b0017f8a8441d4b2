"""Atom types by the model's numbering: the data's names decide, where it has names."""

from collections.abc import Sequence

import numpy as np

from dpcore.data.stored import Item, as_types
from dpcore.data.system import Types
from dpcore.errors import DPError


def model_types(
    item: Item, names: Sequence[str] | None, type_map: Sequence[str] | None, *, padded: bool
) -> Types:
    """Return stored atom types renumbered to the model's type map.

    Args:
        item: the stored types, by the data's numbering.
        names: the data's type map; without one its numbers are the model's.
        type_map: the model's type map; without one the data's numbers stay.
        padded: whether -1 may stand for a padding atom.

    Raises:
        DPError: for a type that the data's or the model's type map lacks.
    """
    types = as_types(item, lowest=-1 if padded else 0)
    known = type_map if names is None else names
    if known is not None and types.max(initial=-1) >= len(known):
        raise DPError(f"{item.where}: {_unknown(types, known, owned=names is not None)}")
    if names is None or type_map is None:
        return types
    numbers = {name: number for number, name in enumerate(type_map)}
    present = [int(old) for old in np.unique(types)]
    lacking = [names[old] for old in present if old >= 0 and names[old] not in numbers]
    if lacking:
        has = f"the model knows {' '.join(type_map)}"
        raise DPError(f"{item.where}: atoms of {' '.join(lacking)}, but {has}; leave the data out")
    # One more entry, so that -1 finds itself.
    return np.array([numbers.get(name, -1) for name in names] + [-1], dtype=np.int64)[types]


def _unknown(types: Types, known: Sequence[str], *, owned: bool) -> str:
    first = np.argwhere(types >= len(known))[0]
    place = f"frame {first[0]}, atom {first[1]}" if types.ndim == 2 else f"atom {first[0]}"
    found = f"{place} has type {types[tuple(first)]}"
    if owned:
        return (
            f"{found}, but type_map.raw names {len(known)} types ({' '.join(known)}); add its name"
        )
    remedy = "add a type_map.raw that names the data's types"
    return f"{found}, but the model has {len(known)} types ({' '.join(known)}); {remedy}"
