"""Frames that are stored one by one, of any sizes: what each layout of these hands over, checked and shaped."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dpcore.data.assemble import Whole, join
from dpcore.data.atom_types import model_types
from dpcore.data.labels import frame_shape, largest
from dpcore.data.parts import is_flat
from dpcore.data.stored import Held
from dpcore.data.system import Array, System, Types, other_spelling
from dpcore.errors import DPError


@dataclass(frozen=True, eq=False)
class Record:
    """A frame as it is stored by itself.

    Attributes:
        where: where, for messages.
        types: types of the atoms by the data's numbering, -1 for atoms that are not there.
        names: names of the types; None where the numbers are the model's.
        arrays: ``coord``, ``box`` where it is periodic, and labels, by the names of their files.
        pbc: along which lattice vectors the cell repeats.
    """

    where: str
    types: NDArray[Any]
    names: Sequence[str] | None
    arrays: Mapping[str, NDArray[Any]]
    pbc: tuple[bool, bool, bool] = (True, True, True)


class Records(Protocol):
    """A data set of records.

    Attributes:
        path: where it is stored.
        counts: number of atoms of each frame, ``(frame,)``.
        groups: number of the system that each frame is from, where known.
    """

    path: str
    counts: NDArray[np.int32]
    groups: NDArray[np.int32] | None

    def read(self, number: int) -> Record:
        """Read a frame.

        Raises:
            DPError: it cannot be read.
        """
        ...


@dataclass(frozen=True, eq=False)
class Labelled:
    """A frame with everything that is stored about it.

    Attributes:
        types: types of the atoms by the model's numbering; -1 for atoms that are not there.
        arrays: ``coord (atom, 3)``, ``box (3, 3)`` where there is one, and labels, ``(n,)`` of the frame or
            of some atoms, ``(atom, n)`` of atoms, ``(3 atom, 3 atom)`` of pairs of coordinates.
        pbc: along which lattice vectors the cell repeats.
    """

    types: Types
    arrays: Mapping[str, Array]
    pbc: tuple[bool, bool, bool] = (True, True, True)

    def without_padding(self) -> "Labelled":
        """Return the frame with the atoms alone that are there."""
        real = self.types >= 0
        if real.all():
            return self
        natoms, coordinates = len(real), np.repeat(real, 3)
        arrays: dict[str, Array] = {}
        for name, values in self.arrays.items():
            if name != "box" and values.ndim == 2 and len(values) == natoms:
                arrays[name] = values[real]
            elif name != "box" and values.ndim == 2:
                arrays[name] = values[np.ix_(coordinates, coordinates)]
            else:
                arrays[name] = values
        return Labelled(self.types[real], arrays, self.pbc)


def labelled(
    record: Record, type_map: Sequence[str] | None, names: Collection[str] | None = None
) -> Labelled:
    """Return the frame of a record, its types renumbered.

    Args:
        record: the frame as it is stored.
        type_map: names of the model's types; None keeps the data's numbers.
        names: the labels that are kept, under either spelling; None for all.

    Raises:
        DPError: arrays of wrong shapes, values that are not finite, or unknown types.
    """
    types = Held(record.where, record.types.reshape(-1))
    if not types.size or "coord" not in record.arrays:
        raise DPError(f"{record.where}: no atoms, or no coord; remove the frame")
    natoms, arrays = types.size, dict[str, Array]()
    known = None if names is None else {"coord", "box", *names, *map(other_spelling, names)}
    for name, values in record.arrays.items():
        if known is None or name in known:
            # All in one row, for there is one frame.
            item = Held(f"{record.where}, {name}", values.reshape(1, -1))
            shape = frame_shape(name, item, 1, natoms)
            arrays[name] = values.astype(np.float64).reshape(shape)
            if not np.isfinite(arrays[name]).all():
                raise DPError(f"{item.where}: holds nan or inf; correct or remove the frame")
            if not (np.abs(arrays[name]) <= largest(name)).all():
                most = f"values beyond {largest(name):g}"
                raise DPError(f"{item.where}: holds {most}; correct or remove the frame")
    if "box" in arrays:
        arrays["box"] = arrays["box"].reshape(3, 3)
        if all(record.pbc) and is_flat(arrays["box"]):
            raise DPError(
                f"{record.where}: its cell has no volume; leave it out for open boundaries"
            )
    return Labelled(model_types(types, record.names, type_map, padded=True), arrays, record.pbc)


def system_of(records: Records, type_map: Sequence[str] | None) -> System:
    """Read all frames into one system, in which atoms of type -1 fill up the smaller frames.

    Raises:
        DPError: a frame that is not usable, or frames with a cell beside others without.
    """
    stored = [records.read(number) for number in range(len(records.counts))]
    frames = [labelled(record, type_map) for record in stored]
    natoms = max(len(frame.types) for frame in frames)
    with_cell = sum("box" in frame.arrays for frame in frames)
    if with_cell not in {0, len(frames)}:
        raise DPError(
            f"{records.path}: {with_cell} of {len(frames)} frames have a cell; keep those without one apart"
        )
    wholes = [Whole(f"frame {i}", _padded(frame, natoms)) for i, frame in enumerate(frames)]
    arrays = join(records.path, wholes)
    types = np.stack(
        [np.pad(f.types, (0, natoms - len(f.types)), constant_values=-1) for f in frames]
    )
    same = bool((types == types[0]).all() and (types >= 0).all())
    names = stored[0].names if type_map is None else type_map
    return System(
        path=records.path,
        atom_types=types[0] if same else types,
        coord=arrays.pop("coord"),
        cell=arrays.pop("box", None),
        labels=arrays,
        type_map=None if names is None else tuple(names),
    )


def _padded(frame: Labelled, natoms: int) -> dict[str, Array]:
    out, present = {}, len(frame.types)
    for name, values in frame.arrays.items():
        sizes = values.shape
        if name != "box" and values.ndim == 2:
            of_pairs = len(values) > present
            sizes = (3 * natoms, 3 * natoms) if of_pairs else (natoms, values.shape[1])
        out[name] = np.zeros((1, *sizes))
        filled = tuple(slice(n) for n in values.shape)
        out[name][0][filled] = values
    return out
