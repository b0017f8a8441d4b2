"""Compression: the embedding networks of a model replaced by tables for good."""

import math
from dataclasses import dataclass

from dpcore.descriptors import DPA2
from dpcore.descriptors.local import SHORTEST, LocalDescriptor
from dpcore.errors import DPError
from dpcore.fused.measure import Tables, measured
from dpcore.fused.segments import TableMaker
from dpcore.fused.table import TabulatedNet
from dpcore.fused.tabulate import TOLERANCE, Net
from dpcore.models import Model
from dpcore.tree import Module, inside, visit


@dataclass(frozen=True)
class Compression:
    """A compressed model, and how it was made.

    Attributes:
        model: the model, with tables in place of its networks.
        shortest: distance down to which the first tables reach, Å.
        reach: distance down to which the second ones do, Å; closer neighbours are extrapolated in a
            straight line.
        first: the tables up to the scalar of the shortest distance.
        second: those beyond; None where there are none.
    """

    model: Model
    shortest: float
    reach: float
    first: Tables
    second: Tables | None


def is_compressed(model: Model) -> bool:
    """Return whether a model has tables in place of embedding networks."""
    return any(True for _ in inside(model, TabulatedNet))


def compress(
    model: Model,
    *,
    shortest: float = SHORTEST,
    step: float | None = None,
    extrapolate: float = 5.0,
    tolerance: float = TOLERANCE,
) -> Compression:
    """Replace the embedding networks of a model by tables.

    The first table of a network ends at the scalar of the shortest distance, the second at
    ``extrapolate`` times that. Angles may be of either sign: their networks have a second table at both
    ends of the first.

    Args:
        model: a model with NumPy arrays.
        shortest: distance of the closest neighbours, Å.
        step: stride of the first tables, in units of the normalised scalar; the second have 10 times
            that. By default strides are as small as it takes: first tables are accurate to
            ``tolerance``, second ones to 1e-10.
        extrapolate: where second tables end, in upper ends of the first; 1 for none.
        tolerance: largest error of the first tables, relative to the largest value.

    Raises:
        DPError: settings without a meaning, a model that is compressed already, a network that no table
            of an allowed size comes near.
    """
    _check(shortest=shortest, extrapolate=extrapolate, tolerance=tolerance)
    if step is not None:
        _check(step=step)
    if is_compressed(model):
        raise DPError("the model is compressed already; compress the one that it was made from")
    plain, found = _tabulable(model)
    number = sum(len(descriptor.scalar_nets) for descriptor in found.values())
    maker = TableMaker(step, extrapolate, tolerance, number)
    pairs: list[tuple[Net, TabulatedNet]] = []

    def tabulated(path: str, module: Module) -> Module | None:
        if path not in found:
            return None
        part = found[path]
        made = maker.of_nets(
            part.scalar_nets,
            part.ranges(shortest),
            two_sided=part.two_sided,
            where=f"{path}.nets",
        )
        pairs.extend(made)
        return module.with_(nets=tuple(table for _, table in made))

    compressed: Model = visit(plain, tabulated)
    first = measured([(net, tables.usual) for net, tables in pairs])
    assert first is not None
    return Compression(
        model=compressed,
        shortest=shortest,
        reach=compressed.reach,
        first=first,
        second=measured(
            [(net, t) for net, tables in pairs for t in tables.segments if t is not tables.usual]
        ),
    )


def _tabulable(model: Model) -> tuple[Model, dict[str, LocalDescriptor]]:
    """Return a model with its descriptors in the form for tables, and these by their paths."""

    def untyped(_: str, module: Module) -> Module | None:
        return module.untyped() if isinstance(module, (LocalDescriptor, DPA2)) else None

    plain: Model = visit(model, untyped)
    found = dict(inside(plain, LocalDescriptor))
    if not found:
        raise DPError("the model has no embedding networks that tables could replace")
    return plain, found


def _check(**settings: float) -> None:
    for name, value in settings.items():
        least = 1.0 if name == "extrapolate" else 0.0
        if not (math.isfinite(value) and value >= least and value > 0):
            allowed = "1 or more" if least else "positive"
            raise DPError(f"{name}: {value} must be a finite number, {allowed}")
