"""Models inside models: types by name, neighbours and shares of a batch."""

from dataclasses import replace

from dpcore.batch import Batch, relabelled
from dpcore.errors import DPError
from dpcore.models.model import Model
from dpcore.neighbours.selection import Selection

Pairs = tuple[tuple[int, int], ...]


def types_in(child: Model, type_map: tuple[str, ...], where: str) -> tuple[int, ...]:
    """Return the type of a child that each type of its parent is.

    Args:
        child: the child.
        type_map: names of the parent's types.
        where: what the child's types are, for messages.

    Raises:
        DPError: the child does not have a type of its parent.
    """
    missing = [name for name in type_map if name not in child.type_map]
    if missing:
        raise DPError(
            f"{where}: {list(child.type_map)} lacks {', '.join(map(repr, missing))} of the types of the "
            f"whole model, {list(type_map)}; it needs all of them"
        )
    return tuple(child.type_map.index(name) for name in type_map)


def selections_in(child: Model, types: tuple[int, ...], exclude: Pairs) -> tuple[Selection, ...]:
    """Return the neighbours that a child asks its parent for.

    Args:
        child: the child.
        types: the type of the child that each type of the parent is.
        exclude: pairs of the parent's types that are no neighbours of each other.
    """
    same = types == tuple(range(len(child.type_map)))
    found = []
    for selection in child.selections:
        inner = selection.types
        to = types if inner is None else tuple(inner[t] for t in types)
        pairs = tuple((to[a], to[b]) for a, b in exclude)
        chosen = inner if same else to
        found.append(replace(selection.with_excluded(pairs), types=chosen))
    return tuple(found)


def as_seen_by(child: Model, types: tuple[int, ...], batch: Batch) -> Batch:
    """Return a child's share of a batch with the types called as the child calls them."""
    return batch if types == tuple(range(len(child.type_map))) else relabelled(batch, types)


def is_of_frames(model: Model) -> bool:
    """Return whether a model is evaluated on frames of its own making, so that it cannot be a part."""
    return list(model.parts.values()) != [model]
