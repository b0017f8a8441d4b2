"""Self-attention among the neighbours of an atom (Zhang et al., arXiv:2208.08236)."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from dpcore.errors import DPError
from dpcore.nn.dense import Dense
from dpcore.nn.layer_norm import LayerNorm
from dpcore.tree import Module
from dpcore.xp import as_type_of, dtype_name, namespace, shape

# Added to logits that are switched off smoothly: a neighbour at the cutoff counts for exp(-SHIFT) of one
# nearby.
SHIFT = 20.0
# The exponential of logits up to this size is finite in all precisions but float16.
_MODERATE = 40.0
# Below all logits, and finite in all precisions.
LOWEST = -3e4
# Added to squares of lengths: it is lost in any that is not zero.
_TINY = 1e-24


@dataclass(frozen=True)
class Gates:
    """What all attention layers of a descriptor are told of the neighbours.

    Attributes:
        weight: weight of each neighbour, 0 in places that do not count, ``(centre, neighbour, 1)``.
        shift: what is added to the logits, which the weights switch off, ``(centre, neighbour, neighbour)``;
            None where the weights are 0 or 1 and switch nothing off.
        absent: with ``shift``, number of places that are not there; each counts as a logit of 0.
        angle: factor of each pair of neighbours, ``(centre, neighbour, neighbour)``, or None for 1.
        scaling: what the products of queries and keys are multiplied by.
        normalize: whether queries, keys and values have unit length.
    """

    weight: Any
    shift: Any | None
    absent: Any
    angle: Any | None
    scaling: float
    normalize: bool


def gates_of(
    weight: Any, units: Any | None, *, smooth: bool, diagonal: bool, places: int, **settings: Any
) -> Gates:
    """Return what attention layers are told of some neighbours.

    Args:
        weight: weight of each neighbour, ``(centre, neighbour, 1)``; 0 or 1 unless ``smooth``.
        units: unit vectors to the neighbours, ``(centre, neighbour, 3)``; attention between two is multiplied
            by the cosine of their angle. None for no such factor.
        smooth: whether logits are switched off by the weights.
        diagonal: whether a neighbour attends to itself.
        places: number of places for neighbours.
        settings: ``scaling`` and ``normalize``.
    """
    xp, across = namespace(weight), namespace(weight).permute_dims(weight, (0, 2, 1))
    angle = None if units is None else xp.matmul(units, xp.permute_dims(units, (0, 2, 1)))
    if not diagonal:
        place = xp.arange(shape(weight)[1], like=weight)
        others = as_type_of(place[:, None] != place[None, :], weight)[None, :, :]
        angle = others * (xp.ones_like(weight * across) if angle is None else angle)
    shift = SHIFT * weight * across if smooth else None
    absent = places - xp.sum(xp.ones_like(weight), axis=1, keepdims=True)
    return Gates(weight, shift, absent, angle, **settings)


class AttentionLayer(Module, name="attention_layer"):
    """Attention with a residual: ``LayerNorm(x + (A ⊙ C) V)``.

    ``A = softmax(Q Kᵀ c)`` over the neighbours that are there, C a factor of the pair. With smooth
    gates of weights w the logits are ``(Q Kᵀ c + 20) w wᵀ``, those of empty places included, and A is
    multiplied by ``w wᵀ``.
    """

    in_proj: Dense
    out_proj: Dense
    norm: LayerNorm

    def __post_init__(self) -> None:
        hidden, width = shape(self.out_proj.weight)
        needed = (width, 3 * hidden)
        if shape(self.in_proj.weight) != needed:
            raise DPError(
                f"attention_layer.in_proj: shape {shape(self.in_proj.weight)}; an out_proj of shape "
                f"{(hidden, width)} needs {needed}"
            )
        if shape(self.norm.scale) != (width,):
            raise DPError(
                f"attention_layer.norm: {shape(self.norm.scale)} features, not {(width,)}"
            )

    @classmethod
    def create(
        cls,
        width: int,
        hidden: int,
        rng: np.random.Generator,
        *,
        eps: float,
        trainable_norm: bool,
        precision: str,
        trainable: bool,
    ) -> Self:
        """Draw a layer.

        Args:
            width: number of features of a neighbour.
            hidden: length of queries, keys and values.
            rng: source of the random numbers.
            eps: what the normalisation adds to the variance.
            trainable_norm: whether the normalisation is trained.
            precision: precision of the parameters.
            trainable: whether the other parameters are trained.
        """
        linear: dict[str, Any] = {"activation_function": "none", "resnet": False}
        linear |= {"precision": precision, "trainable": trainable, "timestep": False}
        return cls(
            in_proj=Dense.create(width, 3 * hidden, rng, **linear),
            out_proj=Dense.create(hidden, width, rng, **linear),
            norm=LayerNorm.create(width, eps=eps, precision=precision, trainable=trainable_norm),
        )

    def __call__(self, x: Any, gates: Gates) -> Any:
        """Let the neighbours attend to each other.

        Args:
            x: features of the neighbours, ``(centre, neighbour, width)``.
            gates: what else is known of them.
        """
        return self.of_empty(x + self._attended(x, gates))

    def of_empty(self, x: Any) -> Any:
        """Return what the layer gives for places that attend to nothing."""
        bias = self.out_proj.bias
        return self.norm(x if bias is None else x + bias)

    def _attended(self, x: Any, gates: Gates) -> Any:
        """Return ``(A ⊙ C) V``, projected, ``(centre, neighbour, width)``."""
        xp, weight = namespace(x), gates.weight
        query, key, value = self._projected(x)
        by_query, by_key, by_value = (
            self._inverse(part) if gates.normalize else xp.ones_like(weight)
            for part in (query, key, value)
        )
        if gates.shift is not None:
            by_query, by_key = by_query * weight, by_key * weight
        # Factors of rows come in where they meet the smallest arrays.
        factor = (gates.scaling * by_query) * xp.permute_dims(by_key, (0, 2, 1))
        logits = xp.matmul(query, xp.permute_dims(key, (0, 2, 1))) * factor
        if gates.shift is not None:
            logits = logits + gates.shift
        odds, total = self._odds(logits, gates)
        if gates.angle is not None:
            odds = odds * gates.angle
        hidden, width = shape(self.out_proj.weight)
        projected_first = width <= hidden
        if projected_first:
            value = xp.matmul(value, self.out_proj.weight)
        found = xp.matmul(odds, value * (by_value * weight)) * (weight / total)
        return found if projected_first else xp.matmul(found, self.out_proj.weight)

    def _projected(self, x: Any) -> list[Any]:
        """Return queries, keys and values, ``(centre, neighbour, hidden)``."""
        xp, sizes = namespace(x), [shape(self.out_proj.weight)[0]] * 3
        parts = [xp.matmul(x, part) for part in xp.split(self.in_proj.weight, sizes, axis=1)]
        if self.in_proj.bias is None:
            return parts
        biases = xp.split(self.in_proj.bias, sizes, axis=0)
        return [part + bias for part, bias in zip(parts, biases, strict=True)]

    @staticmethod
    def _inverse(x: Any) -> Any:
        """Return the inverse lengths of rows, ``(centre, neighbour, 1)``."""
        xp = namespace(x)
        square = xp.sum(x * x, axis=-1, keepdims=True)
        return 1.0 / xp.sqrt(square + _TINY)

    def _odds(self, logits: Any, gates: Gates) -> tuple[Any, Any]:
        """Return the exponentials of logits and, as softmax divides by, their sums over the keys.

        In places that do not count, sums are only sure to be no zeros.
        """
        xp, smooth = namespace(logits), gates.shift is not None
        moderate = gates.normalize and abs(gates.scaling) <= _MODERATE
        if moderate and dtype_name(logits) != "float16":
            odds, absent = xp.exp(logits), gates.absent
        else:
            if not smooth:
                there = xp.permute_dims(gates.weight, (0, 2, 1)) > 0.0
                logits = xp.where(there, logits, LOWEST * xp.ones_like(logits))
            top = self._top(logits, gates)
            odds = xp.exp(logits - top)
            # Where places are absent the top is not below their logits of 0.
            absent = gates.absent * xp.exp(-xp.maximum(top, xp.zeros_like(top)))
        if smooth:
            return odds, xp.sum(odds, axis=2, keepdims=True) + absent
        return odds, xp.matmul(odds, gates.weight) + (1.0 - gates.weight)

    def _top(self, logits: Any, gates: Gates) -> Any:
        """Return the largest logit of each query, ``(centre, neighbour, 1)``."""
        xp, lowest = namespace(logits), LOWEST * namespace(logits).ones_like(gates.weight)
        if gates.shift is not None:
            lowest = xp.where(gates.absent > 0.0, xp.zeros_like(lowest), lowest)
        # The column more is for blocks without neighbours.
        every = xp.concat([logits, lowest], axis=2)
        return xp.stop_gradient(xp.max(every, axis=2, keepdims=True))
