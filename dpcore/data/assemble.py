"""From stored arrays to a system: shapes checked, sets joined, types renumbered."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dpcore.data.atom_types import model_types
from dpcore.data.labels import frame_count, shape_label
from dpcore.data.stored import Frames, Item, Stored
from dpcore.data.system import Array, System, Types
from dpcore.errors import DPError

log = logging.getLogger(__name__)

_TYPES = "real_atom_types"


@dataclass(frozen=True, eq=False)
class _Part:
    """The arrays of one set, shaped; ``types`` where each frame has its own."""

    path: str
    types: Types | None
    arrays: Mapping[str, Array]


def assemble(stored: Stored, type_map: Sequence[str] | None) -> System:
    """Return the system that stored arrays describe.

    Args:
        stored: the arrays as they are stored.
        type_map: names of the model's types; None keeps the data's numbers.

    Raises:
        DPError: for arrays that do not describe a system.
    """
    types = Item(stored.types.where, stored.types.values.ravel())
    if types.values.size == 0:
        raise DPError(f"{types.where}: lists no atoms; give one type for each atom")
    if not stored.sets:
        raise DPError(f"{stored.path}: no set.* in it; put the frames in set.000/coord.npy")
    parts = [_part(frames, stored, type_map) for frames in stored.sets]
    arrays = _join(stored.path, parts)
    # The type.raw of a mixed-type system only counts the atoms: its types need not be the model's.
    mixed = any(part.types is not None for part in parts)
    shared = None if mixed else model_types(types, stored.names, type_map, padded=False)
    names = type_map if type_map is not None else stored.names
    return System(
        path=stored.path,
        atom_types=_join_types(stored.path, parts) if shared is None else shared,
        coord=arrays.pop("coord"),
        cell=arrays.pop("box") if stored.periodic else None,
        labels=arrays,
        type_map=None if names is None else tuple(names),
    )


def _part(frames: Frames, stored: Stored, type_map: Sequence[str] | None) -> _Part:
    natoms = stored.types.values.size
    # The coordinates come first: when they do not fit the atoms, no other array can be judged.
    items = dict(sorted(frames.items.items(), key=lambda entry: entry[0] != "coord"))
    if "coord" not in items:
        found = f"it has {', '.join(sorted(items))}" if items else "it is empty"
        raise DPError(
            f"{frames.path}: no coord; {found}; add coord or remove this part of the data"
        )
    _check_box(items, frames.path, periodic=stored.periodic)
    nframes = frame_count(items["coord"], natoms)
    types = items.pop(_TYPES, None)
    if types is not None:
        types = _each_frame(types, nframes, natoms)
    arrays = {name: shape_label(name, item, nframes, natoms) for name, item in items.items()}
    if "box" in arrays:
        arrays["box"] = _cells(arrays["box"], items["box"].where)
    own = None if types is None else model_types(types, stored.names, type_map, padded=True)
    return _Part(frames.path, own, arrays)


def _check_box(items: dict[str, Item], path: str, *, periodic: bool) -> None:
    """Drop the box of a system that is not periodic, which need not be a box at all."""
    if not periodic:
        items.pop("box", None)
    elif "box" not in items:
        raise DPError(
            f"{path}: no box; add box.npy (or box.raw), or an empty file nopbc if it is not periodic"
        )


def _each_frame(types: Item, nframes: int, natoms: int) -> Item:
    if types.values.size != nframes * natoms:
        found = f"{types.values.size} types where {nframes} frames of {natoms} atoms need"
        raise DPError(f"{types.where}: {found} {nframes * natoms}; pad frames with type -1")
    return Item(types.where, types.values.reshape(nframes, natoms))


def _cells(box: Array, where: str) -> Array:
    cells = box.reshape(-1, 3, 3)
    edges = np.linalg.norm(cells, axis=2).prod(axis=1)
    flat = np.abs(np.linalg.det(cells)) <= 1e-10 * edges
    if flat.any():
        frame = int(np.argmax(flat))
        remedy = "a system that is not periodic needs an empty file nopbc beside type.raw"
        raise DPError(f"{where}: the box of frame {frame} has no volume; {remedy}")
    return cells


def _join(path: str, parts: Sequence[_Part]) -> dict[str, Array]:
    """Return the arrays of all sets, frames in the order of the sets."""
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


def _join_types(path: str, parts: Sequence[_Part]) -> Types:
    own = [part.types for part in parts if part.types is not None]
    if len(own) < len(parts):
        lacking = next(part.path for part in parts if part.types is None)
        raise DPError(
            f"{lacking}: no {_TYPES}, which other sets of {path} have; add it to every set"
        )
    return np.concatenate(own)
