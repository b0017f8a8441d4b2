"""The trained arrays of models as one vector: what optimizers, clipping, averages and workers act on."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from dpcore.train.low_rank import LowRank, Thin
from dpcore.tree import Leaf, Tree, leaves, rebuild
from dpcore.xp import dtype_name, namespace


@dataclass(frozen=True)
class Slot:
    """One trained array.

    Attributes:
        path: where it is in the model; of several models, behind the name of the model and a slash. What an
            array that stays is changed by has the path of that one, and ``down`` or ``up`` behind it.
        sizes: its shape.
        dtype: its precision.
    """

    path: str
    sizes: tuple[int, ...]
    dtype: str

    @property
    def length(self) -> int:
        """Number of parameters."""
        return math.prod(self.sizes)


@dataclass(frozen=True)
class Layout:
    """Which part of the vector belongs to which array.

    Attributes:
        slots: the trained arrays, in the order of the vector.
        dtype: precision of the vector: the highest of the arrays.
        owners: for each array that a model takes from another one, the path of the slot.
        changed: how arrays change that stay themselves.
    """

    slots: tuple[Slot, ...]
    dtype: str
    owners: Mapping[str, str] = field(default_factory=dict, hash=False)
    changed: Mapping[str, Thin] = field(default_factory=dict, hash=False)

    @classmethod
    def of(cls, model: Tree) -> Self:
        """Return the layout of a model's trained arrays."""
        return cls.of_several({"": model})

    @classmethod
    def of_several(
        cls,
        models: Mapping[str, Tree],
        owners: Mapping[str, str] | None = None,
        low_rank: LowRank | None = None,
    ) -> Self:
        """Return the layout of the trained arrays of models, each array once.

        Args:
            models: the models by name; that of one alone is empty.
            owners: for each array that is another's, the path of the other (see :func:`full_path`).
            low_rank: which arrays stay, and how they change; None to train all of them.
        """
        shared, low = owners or {}, low_rank or LowRank()
        found = {
            full_path(name, path): leaf.value
            for name, model in models.items()
            for path, leaf in leaves(model).items()
            if leaf.trainable
        }
        own = {p: x for p, x in found.items() if p not in shared and p not in low.fixed}
        slots = tuple(slot for p, x in own.items() for slot in _slots(p, x, low.changed.get(p)))
        wide = any(slot.dtype == "float64" for slot in slots)
        kept = {path: owner for path, owner in shared.items() if path in found}
        return cls(slots, "float64" if wide else "float32", kept, low.changed)

    @property
    def length(self) -> int:
        """Number of parameters."""
        return sum(slot.length for slot in self.slots)

    def vector(self, model: Tree) -> NDArray[Any]:
        """Return the trained arrays of a NumPy model as one vector."""
        return self.vector_of({"": model})

    def vector_of(self, models: Mapping[str, Tree]) -> NDArray[Any]:
        """Return the trained arrays of NumPy models as one vector."""
        values = {
            full_path(name, path): leaf.value
            for name, model in models.items()
            for path, leaf in leaves(model).items()
        }
        for path, thin in self.changed.items():
            start = thin.start(values[path].shape)
            values |= {f"{path}.{part}": x for part, x in start.items()}
        parts = [values[slot.path].reshape(-1) for slot in self.slots]
        return np.concatenate([np.zeros(0, self.dtype), *parts], dtype=self.dtype, casting="unsafe")

    def arrays(self, vector: Any) -> dict[str, Any]:
        """Return the arrays of a vector by path, in their own precision."""
        xp = namespace(vector)
        parts = xp.split(vector, [slot.length for slot in self.slots])
        each = zip(self.slots, parts, strict=True)
        return {s.path: xp.astype(xp.reshape(x, s.sizes), s.dtype) for s, x in each}

    def model(self, like: Any, vector: Any, name: str = "") -> Any:
        """Return a model with the arrays of a vector in place of its trained ones.

        Args:
            like: the model.
            vector: the vector.
            name: which of the models it is.
        """
        values = self.arrays(vector)

        def leaf(path: str, leaf: Leaf) -> Any:
            full = full_path(name, path)
            full = self.owners.get(full, full)
            if full in self.changed:
                down, up = (values[f"{full}.{part}"] for part in ("down", "up"))
                return self.changed[full].added(leaf.value, down, up)
            return values.get(full, leaf.value)

        return rebuild(like, leaf)

    def path(self, number: int) -> str:
        """Return which array a place in the vector belongs to."""
        ends = np.cumsum([slot.length for slot in self.slots])
        return self.slots[int(np.searchsorted(ends, number, side="right"))].path


def _slots(path: str, x: Any, thin: Thin | None) -> list[Slot]:
    """Return what of the vector an array is made of."""
    sizes, dtype = tuple(x.shape), dtype_name(x)
    if thin is None:
        return [Slot(path, sizes, dtype)]
    return [Slot(f"{path}.{part}", each, dtype) for part, each in thin.sizes(sizes).items()]


def full_path(name: str, path: str) -> str:
    """Return what an array of a model is called among those of several models."""
    return f"{name}/{path}" if name else path


def trained(model: Tree) -> Mapping[str, Any]:
    """Return the trained arrays of a model by path."""
    return {path: leaf.value for path, leaf in leaves(model).items() if leaf.trainable}
