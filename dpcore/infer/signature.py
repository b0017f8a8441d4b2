"""The inputs of an exported program: the arrays of a batch in which every type has its group."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from dpcore import tree
from dpcore.batch import Batch, Group, Neighbours, View
from dpcore.infer.assemble import ntypes_of
from dpcore.models import Model
from dpcore.neighbours.selection import Selection
from dpcore.xp import namespace

# Beyond the small constants that appear in shapes, so that none is taken for an axis that varies.
_FIRST_LENGTH = 11

_ARRAYS = {"displacement": "float64", "index": "int64", "count": "int64"}


@dataclass(frozen=True)
class Input:
    """One input array.

    Attributes:
        path: its place in the batch, such as ``views.0.blocks.1.0.displacement``.
        dtype: its dtype.
        axes: length of each axis, a number, or a name where the length varies.
    """

    path: str
    dtype: str
    axes: tuple[str | int, ...]

    @property
    def name(self) -> str:
        """The path as an identifier."""
        return self.path.replace(".", "_")


@dataclass(frozen=True)
class Signature:
    """What an exported program takes and gives.

    Attributes:
        inputs: the arrays of the batch, in the order of its tree.
        limits: largest length of the axes that have one.
        skeleton: the batch with each array replaced by its path. Where a view mixes the types of typed
            groups, it has a block for each group: tracers could not know that the length of one block is
            the sum of those of the groups.
    """

    inputs: tuple[Input, ...]
    limits: Mapping[str, int]
    skeleton: Batch

    @cached_property
    def axes(self) -> tuple[str, ...]:
        """The names of all axes that vary."""
        return tuple(dict.fromkeys(a for i in self.inputs for a in i.axes if isinstance(a, str)))

    def batch(self, values: Mapping[str, Any]) -> Batch:
        """Return the batch with the arrays given by path."""
        batch = tree.replace(self.skeleton, values)
        return batch.with_(views=tuple(map(_merged, batch.views)))

    def values(self, batch: Batch) -> dict[str, Any]:
        """Return the arrays of a NumPy batch by path."""
        lengths = [len(group.place) for group in batch.groups]
        views = tuple(_divided(view, lengths) for view in batch.views)
        # Coordinates are for atomic virials, which programs do not compute.
        return tree.arrays(batch.with_(views=views, coord=None))

    def example(self) -> dict[str, np.ndarray]:
        """Return arrays to trace with, by path; where limits allow it, no two axes are equally long."""
        lengths = {
            axis: min(_FIRST_LENGTH + i, self.limits.get(axis, _FIRST_LENGTH + i))
            for i, axis in enumerate(self.axes)
        }
        arrays = {}
        for item in self.inputs:
            shape = tuple(lengths[a] if isinstance(a, str) else a for a in item.axes)
            arrays[item.path] = np.full(shape, 0.5 if "float" in item.dtype else 1, item.dtype)
        return arrays


def _merged(view: View) -> View:
    """Return a view of mixed types with one block."""
    if not view.mixed or len(view.blocks) == 1:
        return view
    parts = [row[0] for row in view.blocks]
    xp = namespace(parts[0].index)
    whole = {key: xp.concat([getattr(part, key) for part in parts], axis=0) for key in _ARRAYS}
    return view.with_(blocks=((Neighbours(**whole),),))


def _divided(view: View, lengths: Sequence[int]) -> View:
    """Return a view of mixed types with a block for each group."""
    if not view.mixed or len(lengths) == 1 or view.blocks[0][0].is_list:
        return view
    ends = np.cumsum(lengths)[:-1]
    parts = {key: np.split(getattr(view.blocks[0][0], key), ends) for key in _ARRAYS}
    rows = (
        Neighbours(**{key: values[i] for key, values in parts.items()}) for i in range(len(lengths))
    )
    return view.with_(blocks=tuple((row,) for row in rows))


def signature(model: Model) -> Signature:
    """Return the inputs that an exported program of a prepared model takes."""
    selections, writer = model.selections, _Writer([], {})
    mixed = all(selection.mixed for selection in selections)
    types = [None] if mixed else list(range(ntypes_of(selections)))
    groups = tuple(writer.group(number, t) for number, t in enumerate(types))
    views = tuple(writer.view(number, s, len(types)) for number, s in enumerate(selections))
    writer.add("frame", "int64", ("atoms",))
    writer.add("natoms", "int64", ("frames",))
    writer.add("types", "int64", ("atoms",))
    told = model.conditions
    parameters = {
        "fparam": ("frames", told.numb_fparam),
        "aparam": ("atoms", told.numb_aparam),
        "charge_spin": ("frames", 2 * told.charge_spin),
        "spin": ("atoms", 3 * told.spin),
    }
    given = {
        name: writer.add(name, "float64", axes) for name, axes in parameters.items() if axes[1]
    }
    batch = Batch(groups=groups, views=views, frame="", natoms="", types="", **given)
    return Signature(tuple(writer.inputs), writer.limits, tree.skeleton(batch))


@dataclass(frozen=True)
class _Writer:
    """Collect the inputs of a batch while its skeleton is made."""

    inputs: list[Input]
    limits: dict[str, int]

    def add(self, path: str, dtype: str, axes: tuple[str | int, ...]) -> str:
        self.inputs.append(Input(path, dtype, axes))
        return path

    def group(self, number: int, t: int | None) -> Group:
        return Group(type=t, place=self.add(f"groups.{number}.place", "int64", (f"n{number}",)))

    def view(self, number: int, selection: Selection, groups: int) -> View:
        if selection.listed:
            return View(mixed=True, blocks=((self.edges(number),),))
        limits = [selection.most] if selection.mixed else selection.sel
        rows = (
            tuple(
                self.block(number, row, kind, limit, selection) for kind, limit in enumerate(limits)
            )
            for row in range(groups)
        )
        return View(mixed=selection.mixed, blocks=tuple(rows))

    def edges(self, view: int) -> Neighbours:
        path, length = f"views.{view}.blocks.0.0", f"e{view}"
        return Neighbours(
            displacement=self.add(f"{path}.displacement", "float64", (length, 3)),
            index=self.add(f"{path}.index", "int64", (length,)),
            count=self.add(f"{path}.count", "int64", (1,)),
            centre=self.add(f"{path}.centre", "int64", (length,)),
        )

    def block(self, view: int, row: int, kind: int, limit: int, selection: Selection) -> Neighbours:
        limit = min(limit, selection.most)
        width: str | int = limit
        if limit > 1 and not selection.full:
            # Blocks of mixed types are put together, so that they are equally wide.
            width = f"k{view}" if selection.mixed else f"k{view}_{row}_{kind}"
            self.limits[width] = limit
        sizes: tuple[str | int, ...] = (f"n{row}", width)
        path = f"views.{view}.blocks.{row}.{kind}"
        return Neighbours(
            displacement=self.add(f"{path}.displacement", "float64", (*sizes, 3)),
            index=self.add(f"{path}.index", "int64", sizes),
            count=self.add(f"{path}.count", "int64", sizes[:1]),
        )
