"""The inputs of an exported program: the arrays of a batch in which every type has its group."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from dpcore import tree
from dpcore.batch import Batch, Group, Neighbours
from dpcore.models.energy import EnergyModel

# Beyond the small constants that appear in shapes, so that none is taken for an axis that varies.
_FIRST_LENGTH = 11


@dataclass(frozen=True)
class Input:
    """One input array.

    Attributes:
        path: its place in the batch, such as ``groups.0.blocks.1.displacement``.
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
        skeleton: the batch with each array replaced by its path.
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
        return tree.replace(self.skeleton, values)

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


def signature(model: EnergyModel) -> Signature:
    """Return the inputs that an exported program of a model takes."""
    selection, fitting = model.selection, model.fitting
    ntypes, limits, inputs = len(model.type_map), dict[str, int](), list[Input]()
    for centre in range(ntypes):
        centres = f"n{centre}"
        inputs.append(Input(f"groups.{centre}.place", "int64", (centres,)))
        for kind, sel in enumerate(selection.sel):
            width: str | int = f"k{centre}_{kind}" if sel > 1 else sel
            if isinstance(width, str):
                limits[width] = sel
            block = f"groups.{centre}.blocks.{kind}"
            inputs.append(Input(f"{block}.displacement", "float64", (centres, width, 3)))
            inputs.append(Input(f"{block}.index", "int64", (centres, width)))
            inputs.append(Input(f"{block}.count", "int64", (centres,)))
    inputs.append(Input("frame", "int64", ("atoms",)))
    inputs.append(Input("natoms", "int64", ("frames",)))
    if fitting.numb_fparam:
        inputs.append(Input("fparam", "float64", ("frames", fitting.numb_fparam)))
    if fitting.numb_aparam:
        inputs.append(Input("aparam", "float64", ("atoms", fitting.numb_aparam)))
    neighbours = Neighbours(displacement="", index="", count="")
    batch = Batch(
        groups=tuple(Group(type=t, place="", blocks=(neighbours,) * ntypes) for t in range(ntypes)),
        frame="",
        natoms="",
        fparam="" if fitting.numb_fparam else None,
        aparam="" if fitting.numb_aparam else None,
    )
    return Signature(tuple(inputs), limits, tree.skeleton(batch))
