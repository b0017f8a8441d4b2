"""Fine-tuning of low rank: large matrices stay as they are, and products of thin ones are added to them.

Source: E. J. Hu et al., LoRA: low-rank adaptation of large language models, ICLR 2022. Matrices that act
between degrees and channels of one order are changed by matrices that do so too: what a model gives still
turns with the atoms.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from dpcore.descriptors import DPA4
from dpcore.descriptors.dpa4.attention import Attention
from dpcore.descriptors.dpa4.focus_weights import FocusWeights
from dpcore.descriptors.dpa4.radial import RadialBasis, RadialNet
from dpcore.descriptors.dpa4.seed import EnvironmentSeed, TypeTable
from dpcore.models import Model
from dpcore.nn.so3.depth import DepthMix
from dpcore.nn.so3.gates import Gated
from dpcore.nn.so3.linear import DegreeLinear, OrderLinear
from dpcore.nn.so3.norms import RMSNorm, RowsNorm
from dpcore.tree import Module, arrays, inside, leaves, replace
from dpcore.xp import as_type_of, namespace

# What the names of arrays without their changes begin with in a checkpoint.
_STAYED = "stayed."

# Modules whose weights are changed by products of thin matrices.
_CHANGED = (DegreeLinear, OrderLinear)
# Modules that stay: what they hold has converged for all elements.
_FIXED = (TypeTable, RadialBasis, Gated)
# Modules that are trained as ever: small, and what other data differ in.
_TRAINED = (RadialNet, EnvironmentSeed, Attention, DepthMix, FocusWeights, RMSNorm, RowsNorm)


@dataclass(frozen=True)
class Thin:
    """A change of an array of matrices: ``scale · down @ up`` is added to each.

    Attributes:
        rank: columns of ``down`` and rows of ``up``.
        scale: factor of the product.
        seed: decides what ``down`` is at first; ``up`` is zero.
    """

    rank: int
    scale: float
    seed: tuple[int, ...]

    def sizes(self, sizes: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
        """Return the shapes of both for an array of a shape, ``(…, row, column)``."""
        *some, rows, columns = sizes
        return {"down": (*some, rows, self.rank), "up": (*some, self.rank, columns)}

    def start(self, sizes: tuple[int, ...]) -> dict[str, np.ndarray]:
        """Return both as they are before the first step, where nothing is added."""
        shapes = self.sizes(sizes)
        drawn = np.random.default_rng(self.seed).normal(0.0, self.rank**-0.5, shapes["down"])
        return {"down": drawn, "up": np.zeros(shapes["up"])}

    def added(self, array: Any, down: Any, up: Any) -> Any:
        """Return an array with its change."""
        return array + as_type_of(self.scale * namespace(down).matmul(down, up), array)


@dataclass(frozen=True)
class LowRank:
    """How the trained arrays of a model change.

    Attributes:
        changed: by path, how arrays change that stay themselves.
        fixed: paths of arrays that stay.
    """

    changed: Mapping[str, Thin] = field(default_factory=dict)
    fixed: frozenset[str] = frozenset()

    @classmethod
    def of(cls, model: Model, rank: int, alpha: float | None, seed: int) -> Self:
        """Return how a model is fine-tuned: the fitting and what is small as ever, large matrices by thin ones.

        Args:
            model: a model with the descriptor DPA-4.
            rank: rank of the changes.
            alpha: factor of the changes times their rank; by default the rank.
            seed: decides where they begin.
        """
        owner = dict(inside(model, Module))
        descriptors = [path for path, module in owner.items() if isinstance(module, DPA4)]
        scale = 1.0 if alpha is None else alpha / rank
        changed, fixed = dict[str, Thin](), set[str]()
        for path, leaf in leaves(model).items():
            if not leaf.trainable or not any(path.startswith(f"{d}.") for d in descriptors):
                continue
            where, _, name = path.rpartition(".")
            if name == "weight" and isinstance(owner[where], _CHANGED):
                changed[path] = Thin(rank, scale, (seed, len(changed)))
            elif not _is_trained(path, owner):
                fixed.add(path)
        return cls(changed, frozenset(fixed))


def _is_trained(path: str, owner: Mapping[str, Module]) -> bool:
    """Return whether an array is trained as ever: as the innermost module that tells, else all but weights."""
    where, _, name = path.rpartition(".")
    while where:
        module = owner.get(where)
        if isinstance(module, _FIXED):
            return False
        if isinstance(module, _TRAINED):
            return True
        where = where.rpartition(".")[0]
    return name != "weight"


def stayed(model: Model, changed: Iterable[str]) -> dict[str, Any]:
    """Return arrays of a model without their changes, as a checkpoint keeps them."""
    values = arrays(model)
    return {f"{_STAYED}{path}": values[path] for path in changed}


def unchanged(model: Model, kept: Mapping[str, Any]) -> Model:
    """Return the model of a checkpoint without the changes that its arrays have.

    Args:
        model: the model.
        kept: the arrays that its run is continued from.
    """
    own = {p.removeprefix(_STAYED): x for p, x in kept.items() if p.startswith(_STAYED)}
    return replace(model, arrays(model) | own) if own else model
