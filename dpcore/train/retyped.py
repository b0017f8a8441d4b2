"""The arrays of a model for other atom types than it was trained for."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpcore import tree
from dpcore.errors import DPError
from dpcore.models import Model, StandardModel
from dpcore.nn.type_embedding import TypeEmbedding
from dpcore.settings import draw_model
from dpcore.tree import inside

log = logging.getLogger(__name__)

Array = NDArray[Any]

# Types that a model may be probed with: it has no more than the one that is not its own.
_ELEMENTS = ("H", "He", "Li", "Be", "B", "C", "N", "O", "F", "Ne")


def retyped(old: Model, new: Model, section: Mapping[str, Any], path: Path) -> dict[str, Array]:
    """Return the arrays of a trained model for the types of another one, which is built alike.

    Types are known by name. What belongs to a type that the trained model lacks is the other's.

    Args:
        old: the trained model.
        new: the other one, with the statistics of its data.
        section: the model section of the other one.
        path: the file of the trained model, for messages.

    Raises:
        DPError: the networks depend on the types.
    """
    _check(old, new, path)
    missing = [name for name in new.type_map if name not in old.type_map]
    if missing:
        log.warning("%s: lacks the types %s, which begin anew", path, " ".join(missing))
    theirs, mine = tree.arrays(old), tree.arrays(new)
    axes = _type_axes(new, section)
    residual = _residual(new)
    for where, embedding in inside(old, TypeEmbedding):
        # Both embeddings add their input to what the first layer gives where the widths allow it.
        if not embedding.use_econf_tebd:
            at = f"{where}.net.layers.0.weight"
            theirs[at] = theirs[at] + _identity(embedding)
            mine[at] = mine[at] + residual.get(at, 0.0)
    numbers = _Numbers(old.type_map, new.type_map)
    out = {
        place: numbers.taken(x, mine.get(place), axes.get(place, ()), place, path)
        for place, x in theirs.items()
    }
    return out | {at: out[at] - identity for at, identity in residual.items() if at in out}


class _Numbers:
    """Which type of the old map each one of the new map is."""

    def __init__(self, old: Sequence[str], new: Sequence[str]) -> None:
        self._sizes = len(old), len(new)
        self._known = [i for i, name in enumerate(new) if name in old]
        self._from = [old.index(new[i]) for i in self._known]

    def taken(
        self, theirs: Array, mine: Array | None, axes: Sequence[int], place: str, path: Path
    ) -> Array:
        """Return an array with the rows of known types from the old one, others from the new one."""
        if mine is None or not axes:
            return theirs
        old, new = self._sizes
        rest = [theirs.shape[a] - old for a in axes]
        if theirs.ndim != mine.ndim or rest != [mine.shape[a] - new for a in axes]:
            raise DPError(
                f"{path}: its {place} is {theirs.shape}, that of the input {mine.shape}; both models must be "
                "built alike but for their types"
            )
        at = [np.arange(n) for n in mine.shape]
        of = [np.arange(n) for n in theirs.shape]
        for axis, more in zip(axes, rest, strict=True):
            at[axis] = np.array([*self._known, *range(new, new + more)], np.int64)
            of[axis] = np.array([*self._from, *range(old, old + more)], np.int64)
        if [len(i) for i in at] != [len(i) for i in of]:
            raise DPError(f"{path}: its {place} is {theirs.shape}, that of the input {mine.shape}")
        out = mine.copy()
        out[np.ix_(*at)] = theirs[np.ix_(*of)]
        return out


def _check(old: Model, new: Model, path: Path) -> None:
    for model in (old, new):
        by_type = isinstance(model, StandardModel) and not all(s.mixed for s in model.selections)
        if by_type or not isinstance(model, StandardModel):
            raise DPError(
                f"{path}: is for the types {' '.join(old.type_map)}, the input for {' '.join(new.type_map)}; its "
                "networks are those of types, so that both must agree"
            )


def _type_axes(model: Model, section: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Return the axes of types of each array: those that are longer for one more type."""
    types = list(model.type_map)
    other = next((e for e in _ELEMENTS if e not in types), None)
    other = other if other is not None else types[0] + "+"
    larger = tree.arrays(draw_model({**section, "type_map": [*types, other]}))
    return {
        path: tuple(a for a, n in enumerate(x.shape) if larger[path].shape[a] != n)
        for path, x in tree.arrays(model).items()
    }


def _residual(model: Model) -> dict[str, Array]:
    """Return what the first layers of type embeddings add to their weights, by the paths of these."""
    return {
        f"{where}.net.layers.0.weight": _identity(embedding)
        for where, embedding in inside(model, TypeEmbedding)
        if not embedding.use_econf_tebd
    }


def _identity(embedding: TypeEmbedding) -> Array:
    """Return the matrix that stands for the input that a layer adds to what it gives.

    Raises:
        DPError: the layer adds it to what an activation gives.
    """
    n, width = embedding.net.layers[0].weight.shape
    if width not in {n, 2 * n}:
        return np.zeros((n, width))
    linear = embedding.activation_function.lower() in {"linear", "none"}
    if not linear or embedding.resnet_dt:
        raise DPError(
            f"type_embedding.neuron: {list(embedding.neuron)} with {n} types and the activation "
            f"{embedding.activation_function!r} does not let types change; choose another model"
        )
    return np.concatenate([np.eye(n)] * (width // n), axis=1)
