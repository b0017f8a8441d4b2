"""The closed function set on jax arrays."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp

from dpcore.xp import STANDARD, closed, namespace


def _softplus(x: Any) -> Any:
    return jnp.log1p(jnp.exp(-jnp.abs(x))) + jnp.maximum(x, 0.0)


def _split(x: Any, sizes: Sequence[Any], axis: int = 0) -> list[Any]:
    # The derivative of a split is one concatenation, that of slices a sum of arrays as long as all of them.
    return list(jax.lax.split(x, tuple(sizes), axis=axis))


XP = closed(
    **{name: getattr(jnp, name) for name in STANDARD if name != "cumulative_sum"},
    arange=lambda n, like: jnp.arange(n, dtype=like.dtype),
    astype=lambda x, dtype: x.astype(dtype),
    below=lambda x, bound, inside, outside: jnp.where(x < bound, inside(x), outside(x)),
    cumulative_sum=jnp.cumsum,
    segment_sum=lambda x, segment, n: jax.ops.segment_sum(x, segment, num_segments=n),
    sigmoid=jax.nn.sigmoid,
    silu=jax.nn.silu,
    softplus=_softplus,
    split=_split,
    stop_gradient=jax.lax.stop_gradient,
    zeros=lambda sizes, like: jnp.zeros(tuple(sizes), like.dtype),
)


@namespace.register(jax.Array)
@namespace.register(jax.core.Tracer)  # claims to be a jax.Array, but is no subclass of it
def _namespace(_: Any) -> SimpleNamespace:
    return XP
