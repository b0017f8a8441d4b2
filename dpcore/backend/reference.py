"""The reference backend: NumPy arrays, differentiated by HIPS autograd."""

import importlib
import math
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from types import SimpleNamespace
from typing import Any

import autograd
import autograd.numpy as anp
import numpy as np
from autograd.extend import defvjp, primitive
from autograd.numpy.numpy_boxes import ArrayBox
from autograd.tracer import getval, isbox

from dpcore import registry
from dpcore import xp as xp_module
from dpcore.backend.adapter import Capabilities
from dpcore.errors import DPError
from dpcore.fused.moments import EMBEDDINGS
from dpcore.nn.precision import numpy_dtype
from dpcore.xp import closed, namespace


@primitive  # type: ignore[untyped-decorator, unused-ignore]
def segment_sum(x: Any, segment: Any, n: int) -> Any:
    """Sum the rows of ``x`` that share a segment."""
    flat = x.reshape(x.shape[0], math.prod(x.shape[1:]))
    out = np.empty((n, flat.shape[1]), x.dtype)
    for column in range(flat.shape[1]):
        out[:, column] = np.bincount(segment, flat[:, column], n)
    return out.reshape(n, *x.shape[1:])


defvjp(segment_sum, lambda _out, _x, segment, _n: lambda g: take(g, segment), argnums=(0,))


@primitive  # type: ignore[untyped-decorator, unused-ignore]
def take(x: Any, index: Any, axis: int = 0) -> Any:
    """Return the rows of ``x`` at ``index``."""
    return np.take(x, index, axis=axis)


def _take_vjp(_out: Any, x: Any, index: Any, axis: int = 0) -> Callable[[Any], Any]:
    if axis != 0 or np.ndim(index) != 1:
        raise NotImplementedError("take is differentiated along the first axis by a 1-d index only")
    return lambda g: segment_sum(g, index, x.shape[0])


defvjp(take, _take_vjp, argnums=(0,))


@primitive  # type: ignore[untyped-decorator, unused-ignore]
def broadcast_to(x: Any, sizes: tuple[int, ...]) -> Any:
    """Return ``x`` repeated to the shape ``sizes``."""
    return np.broadcast_to(x, sizes)


defvjp(
    broadcast_to,
    lambda _out, x, sizes: lambda g: _sum_to(g, np.shape(x), len(sizes)),
    argnums=(0,),
)


@primitive  # type: ignore[untyped-decorator, unused-ignore]
def tanh(x: Any) -> Any:
    """Return the hyperbolic tangent; its derivative, unlike autograd's own, never overflows."""
    return np.tanh(x)


defvjp(tanh, lambda out, _x: lambda g: g * (1.0 - out * out))


def _sum_to(g: Any, sizes: tuple[int, ...], ndim: int) -> Any:
    extra = ndim - len(sizes)
    axes = (*range(extra), *(extra + i for i, n in enumerate(sizes) if n == 1))
    return anp.reshape(anp.sum(g, axis=axes), sizes)


def _where(condition: Any, a: Any, b: Any) -> Any:
    # autograd's own derivative is wrong for arguments that are broadcast.
    sizes = np.broadcast_shapes(np.shape(condition), np.shape(a), np.shape(b))
    whole = (x if np.shape(x) in {(), sizes} else broadcast_to(x, sizes) for x in (a, b))
    return anp.where(condition, *whole)


def _sigmoid(x: Any) -> Any:
    return 0.5 * (tanh(0.5 * x) + 1.0)


def _below(
    x: Any, bound: float, inside: Callable[[Any], Any], outside: Callable[[Any], Any]
) -> Any:
    values = getval(x)
    if values.size and values.max() < bound:
        return inside(x)
    return _where(values < bound, inside(x), outside(x))


def _softplus(x: Any) -> Any:
    return anp.log1p(anp.exp(-anp.abs(x))) + anp.maximum(x, 0.0)


@primitive  # type: ignore[untyped-decorator, unused-ignore]
def _part(x: Any, start: int, stop: int, axis: int) -> Any:
    return x[(*(slice(None),) * axis, slice(start, stop))]


@primitive  # type: ignore[untyped-decorator, unused-ignore]
def _widened(x: Any, start: int, n: int, axis: int) -> Any:
    """Return an array of zeros, ``n`` long along an axis, with ``x`` in it from ``start`` on."""
    out = np.zeros((*x.shape[:axis], n, *x.shape[axis + 1 :]), x.dtype)
    out[(*(slice(None),) * axis, slice(start, start + x.shape[axis]))] = x
    return out


defvjp(
    _part,
    lambda _out, x, start, _stop, axis: lambda g: _widened(g, start, np.shape(x)[axis], axis),
    argnums=(0,),
)
defvjp(
    _widened,
    lambda _out, x, start, _n, axis: lambda g: _part(g, start, start + np.shape(x)[axis], axis),
    argnums=(0,),
)


def _split(x: Any, sizes: Sequence[int], axis: int = 0) -> list[Any]:
    ends = [int(end) for end in np.cumsum(sizes)]
    # autograd's own derivative of a slice adds number by number.
    return [_part(x, end - size, end, axis) for end, size in zip(ends, sizes, strict=True)]


_OWN = {"broadcast_to", "concat", "cumulative_sum", "permute_dims", "take", "tanh", "where"}
XP = closed(
    **{name: getattr(anp, name) for name in xp_module.STANDARD if name not in _OWN},
    arange=lambda n, like: np.arange(n, dtype=like.dtype),
    astype=lambda x, dtype: x.astype(numpy_dtype(dtype) if "float" in dtype else dtype),
    below=_below,
    broadcast_to=broadcast_to,
    concat=anp.concatenate,
    cumulative_sum=anp.cumsum,
    permute_dims=anp.transpose,
    segment_sum=segment_sum,
    sigmoid=_sigmoid,
    silu=lambda x: x * _sigmoid(x),
    softplus=_softplus,
    split=_split,
    stop_gradient=getval,
    take=take,
    tanh=tanh,
    where=_where,
    zeros=lambda sizes, like: np.zeros(tuple(sizes), like.dtype),
)


@namespace.register(np.ndarray)
@namespace.register(np.generic)
@namespace.register(ArrayBox)
def _namespace(_: Any) -> SimpleNamespace:
    return XP


class NumpyAdapter:
    """Evaluate models with nothing but NumPy."""

    name = "numpy"
    capabilities = Capabilities()

    def version(self) -> str:
        """Return NumPy's version."""
        return np.__version__

    def device(self, name: str | None) -> None:
        """Check that the device is the CPU."""
        if name not in {None, "cpu"}:
            raise DPError(f"device {name!r}: the numpy backend runs on 'cpu' only")

    def kernels(self, device: None) -> Collection[str]:  # noqa: ARG002
        """Return the embeddings that fused kernels evaluate, if they are installed."""
        if registry.kernels() is None:
            return ()
        importlib.import_module("dpcore.backend.reference_kernels")
        return EMBEDDINGS

    def scope(self) -> AbstractContextManager[Any]:
        """Return a context that does nothing."""
        return nullcontext()

    def asarray(self, x: np.ndarray, device: Any = None) -> np.ndarray:  # noqa: ARG002
        """Return the array itself."""
        return x

    def to_numpy(self, x: Any) -> np.ndarray:
        """Return the array itself."""
        return np.asarray(x)

    def compile(
        self, function: Callable[..., Any], *, requested: bool | None = None
    ) -> Callable[..., Any]:
        """Return the function itself."""
        if requested:
            raise DPError("the numpy backend does not compile")
        return function

    def jacobian(
        self,
        function: Callable[[Any], tuple[Any, Any]],
        size: int,
        *,
        again: bool = False,  # noqa: ARG002  # always possible
    ) -> Callable[[Any], tuple[tuple[Any, Any], list[Any]]]:
        """Return a function giving ``((values, auxiliary), gradients)``."""

        def with_gradients(x: Any) -> tuple[tuple[Any, Any], list[Any]]:
            kept: list[Any] = []

            def values_of(y: Any) -> Any:
                values, auxiliary = function(y)
                # The tracer wants to see the input, even where the values do not depend on it.
                values = values + 0.0 * anp.sum(_part(y, 0, 1, 0))
                kept.append(_unboxed(auxiliary, y._trace))  # noqa: SLF001
                return values

            vjp, values = autograd.core.make_vjp(values_of, x)
            return (values, kept[0]), [vjp(row) for row in np.eye(size, dtype=values.dtype)]

        return with_gradients


def _unboxed(found: Any, trace: int) -> Any:
    """Return arrays without the boxes of a tracer; boxes of others stay."""
    if isinstance(found, dict):
        return {name: _unboxed(value, trace) for name, value in found.items()}
    own = isbox(found) and found._trace == trace  # noqa: SLF001
    return found._value if own else found  # noqa: SLF001


adapter = NumpyAdapter()
