"""The closed function set on tf tensors, which have no array-API namespace of their own."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import tensorflow as tf

from dpcore.xp import closed, namespace, shape


def _where(condition: Any, a: Any, b: Any) -> Any:
    dtype = next(x.dtype for x in (a, b) if tf.is_tensor(x))
    return tf.where(condition, tf.convert_to_tensor(a, dtype), tf.convert_to_tensor(b, dtype))


def _reduction(function: Any) -> Any:
    def reduce(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        return function(x, axis=axis, keepdims=keepdims)

    return reduce


def _take(x: Any, index: Any, axis: int = 0) -> Any:
    return tf.gather(x, index, axis=axis)


def _split(x: Any, sizes: Sequence[Any], axis: int = 0) -> Any:
    if not sizes:
        return []
    lengths = tf.stack([tf.cast(n, tf.int64) for n in sizes])
    return tf.split(x, lengths, axis=axis, num=len(sizes))


def _zeros(sizes: Sequence[Any], like: Any) -> Any:
    return tf.zeros(tf.stack([tf.cast(n, tf.int64) for n in sizes]), like.dtype)


def _softplus(x: Any) -> Any:
    return tf.math.log1p(tf.exp(-tf.abs(x))) + tf.nn.relu(x)


XP = closed(
    abs=tf.abs,
    cos=tf.cos,
    exp=tf.exp,
    log=tf.math.log,
    log1p=tf.math.log1p,
    maximum=tf.maximum,
    minimum=tf.minimum,
    sin=tf.sin,
    sqrt=tf.sqrt,
    tanh=tf.tanh,
    where=_where,
    all=_reduction(tf.reduce_all),
    any=_reduction(tf.reduce_any),
    cumulative_sum=lambda x, axis=0: tf.cumsum(x, axis=axis),
    max=_reduction(tf.reduce_max),
    mean=_reduction(tf.reduce_mean),
    min=_reduction(tf.reduce_min),
    sum=_reduction(tf.reduce_sum),
    broadcast_to=tf.broadcast_to,
    concat=lambda arrays, axis=0: tf.concat(list(arrays), axis=axis),
    expand_dims=tf.expand_dims,
    permute_dims=tf.transpose,
    reshape=tf.reshape,
    stack=lambda arrays, axis=0: tf.stack(list(arrays), axis=axis),
    matmul=tf.matmul,
    take=_take,
    zeros_like=tf.zeros_like,
    ones_like=tf.ones_like,
    arange=lambda n, like: tf.range(tf.cast(n, like.dtype), dtype=like.dtype),
    astype=tf.cast,
    below=lambda x, bound, inside, outside: tf.where(x < bound, inside(x), outside(x)),
    segment_sum=tf.math.unsorted_segment_sum,
    sigmoid=tf.sigmoid,
    silu=lambda x: x * tf.sigmoid(x),
    softplus=_softplus,
    split=_split,
    stop_gradient=tf.stop_gradient,
    zeros=_zeros,
)


@namespace.register(tf.Tensor)
def _namespace(_: Any) -> SimpleNamespace:
    return XP


@shape.register(tf.Tensor)
def _shape(x: Any) -> tuple[Any, ...]:
    """Return sizes, as scalar tensors where the traced program does not know them."""
    return tuple(tf.shape(x)[i] if n is None else n for i, n in enumerate(x.shape))
