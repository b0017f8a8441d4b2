"""From stored arrays to a system: all of it read, sets joined, types renumbered."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dpcore.data.atom_types import model_types
from dpcore.data.parts import Part, cells, parts_of
from dpcore.data.stored import Held, Stored
from dpcore.data.system import Array, System, Types
from dpcore.errors import DPError

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Whole:
    """The arrays of one set in memory.

    Attributes:
        path: where it is stored.
        arrays: the arrays by name, ``(frame, ...)``.
    """

    path: str
    arrays: Mapping[str, Array]


def assemble(stored: Stored, type_map: Sequence[str] | None) -> System:
    """Return the system that stored arrays describe.

    Args:
        stored: the arrays as they are stored.
        type_map: names of the model's types; None keeps the data's numbers.

    Raises:
        DPError: for arrays that do not describe a system.
    """
    parts = parts_of(stored)
    arrays = join(stored.path, [_read(part) for part in parts])
    names = type_map if type_map is not None else stored.names
    return System(
        path=stored.path,
        atom_types=_types(stored, parts, type_map),
        coord=arrays.pop("coord"),
        cell=arrays.pop("box") if stored.periodic else None,
        labels=arrays,
        type_map=None if names is None else tuple(names),
    )


def _read(part: Part) -> Whole:
    arrays = {name: column.all() for name, column in part.columns.items()}
    if "box" in arrays:
        arrays["box"] = cells(arrays["box"], part.columns["box"].item.where)
    return Whole(part.path, arrays)


def _types(stored: Stored, parts: Sequence[Part], type_map: Sequence[str] | None) -> Types:
    """Return the types of the atoms, of each frame in a mixed-type system.

    The type.raw of such a system only counts the atoms: its types need not be the model's.
    """
    own = [part.types for part in parts if part.types is not None]
    if not own:
        listed = Held(stored.types.where, stored.types.values.ravel())
        return model_types(listed, stored.names, type_map, padded=False)
    each = [
        Held(column.item.where, column.item.whole().reshape(-1, *column.shape)) for column in own
    ]
    return np.concatenate([model_types(item, stored.names, type_map, padded=True) for item in each])


def join(path: str, parts: Sequence[Whole]) -> dict[str, Array]:
    """Return the arrays that all parts have, the frames of one part behind those of another.

    Raises:
        DPError: the frames of an array differ in shape.
    """
    joined = {}
    for name in sorted({name for part in parts for name in part.arrays}):
        lacking = [part.path for part in parts if name not in part.arrays]
        if lacking:
            log.warning("%s: %s is left out, %s has none", path, name, ", ".join(lacking))
            continue
        pieces = [part.arrays[name] for part in parts]
        shapes = {piece.shape[1:] for piece in pieces}
        if len(shapes) > 1:
            found = " and ".join(sorted(str(shape) for shape in shapes))
            raise DPError(
                f"{path}: {name} has frames of shapes {found} in its sets; give one shape"
            )
        joined[name] = pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
    return joined
