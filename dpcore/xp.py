"""The closed set of array functions that the core computes with.

Core code never names a framework: it asks :func:`namespace` for the functions that belong to an array and
uses only the names listed in :data:`FUNCTIONS`. A backend registers a namespace for its array type; any
module that follows the array-API standard gets one from :func:`from_array_api`.
"""

import math
from collections.abc import Sequence
from functools import cache, singledispatch
from types import SimpleNamespace
from typing import Any

import array_api_compat

from dpcore.errors import DPError

STANDARD = (
    # elementwise
    "abs", "cos", "exp", "log", "log1p", "maximum", "minimum", "sin", "sqrt", "tanh", "where",
    # reductions
    "all", "any", "cumulative_sum", "max", "mean", "min", "sum",
    # shapes
    "broadcast_to", "concat", "expand_dims", "permute_dims", "reshape", "stack",
    # selection and products
    "matmul", "take", "zeros_like", "ones_like",
)  # fmt: skip
EXTRA = (
    "arange",
    "astype",
    "below",  # inside(x) below a bound and outside(x) from it on, which are both finite everywhere
    "segment_sum",
    "sigmoid",
    "silu",
    "softplus",
    "split",
    "stop_gradient",
    "zeros",
)
FUNCTIONS = STANDARD + EXTRA


@singledispatch
def namespace(x: Any) -> SimpleNamespace:
    """Return the functions of :data:`FUNCTIONS` for the kind of array that ``x`` is."""
    return from_array_api(array_api_compat.array_namespace(x))


@singledispatch
def shape(x: Any) -> tuple[Any, ...]:
    """Return the shape of ``x``; a backend that traces unknown sizes gives scalar arrays for them."""
    return tuple(x.shape)


def dtype_name(x: Any) -> str:
    """Return the dtype of an array as a plain name such as ``"float64"``."""
    dtype = x.dtype
    return str(getattr(dtype, "name", None) or str(dtype).rpartition(".")[2])


def as_type_of(x: Any, like: Any) -> Any:
    """Cast ``x`` to the dtype of ``like``."""
    return x if x.dtype == like.dtype else namespace(x).astype(x, dtype_name(like))


def closed(**functions: Any) -> SimpleNamespace:
    """Return a namespace after checking that it has every name of the closed set and no other."""
    if functions.keys() != set(FUNCTIONS):
        difference = sorted(functions.keys() ^ set(FUNCTIONS))
        raise TypeError(f"a namespace must have exactly the functions of FUNCTIONS: {difference}")
    return SimpleNamespace(**functions)


@cache
def from_array_api(module: Any) -> SimpleNamespace:
    """Make a namespace from any array-API module, with the non-standard names built from standard ones."""
    functions = {name: getattr(module, name) for name in STANDARD}
    return closed(**functions, **_extras(module))


def _extras(xp: Any) -> dict[str, Any]:
    def astype(x: Any, dtype: str) -> Any:
        return xp.astype(x, getattr(xp, dtype))

    def arange(n: int, like: Any) -> Any:
        return xp.arange(n, dtype=like.dtype, device=array_api_compat.device(like))

    def zeros(sizes: Sequence[int], like: Any) -> Any:
        return xp.zeros(tuple(sizes), dtype=like.dtype, device=array_api_compat.device(like))

    def below(x: Any, bound: float, inside: Any, outside: Any) -> Any:
        return xp.where(x < bound, inside(x), outside(x))

    def segment_sum(x: Any, segment: Any, n: int) -> Any:
        one_hot = segment[None, :] == arange(n, like=segment)[:, None]
        flat = xp.reshape(x, (x.shape[0], math.prod(x.shape[1:])))
        return xp.reshape(xp.matmul(xp.astype(one_hot, x.dtype), flat), (n, *x.shape[1:]))

    def split(x: Any, sizes: Sequence[int], axis: int = 0) -> list[Any]:
        ends, before = [sum(sizes[: i + 1]) for i in range(len(sizes))], (slice(None),) * axis
        return [
            x[(*before, slice(end - size, end), ...)] for end, size in zip(ends, sizes, strict=True)
        ]

    def sigmoid(x: Any) -> Any:
        return 0.5 * (xp.tanh(0.5 * x) + 1.0)

    def softplus(x: Any) -> Any:
        return xp.log1p(xp.exp(-xp.abs(x))) + xp.maximum(x, xp.zeros_like(x))

    return {
        "arange": arange,
        "astype": astype,
        "below": below,
        "segment_sum": segment_sum,
        "sigmoid": sigmoid,
        "silu": lambda x: x * sigmoid(x),
        "softplus": softplus,
        "split": split,
        "stop_gradient": lambda x: x,
        "zeros": zeros,
    }


def check_dtype(name: str) -> str:
    """Return ``name`` if it is a floating dtype that users may ask for."""
    if name not in ("float32", "float64"):
        raise DPError(f"dtype {name!r} is not supported; allowed: float32, float64")
    return name
