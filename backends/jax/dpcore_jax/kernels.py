"""The fused kernels as XLA custom calls with two derivatives."""

import ctypes
from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from dpcore.batch import Batch, blocks, neighbour_index, places
from dpcore.fused.moments import (
    EMBEDDINGS,
    FusedMoments,
    fused_moments,
    layout,
    series_moments,
)
from dpcore.models.forces import fused_forces
from dpcore.registry import kernels

_SUFFIXES = {"float64": "f64", "float32": "f32"}
_NAMES = (
    "moments",
    "moments_first",
    "moments_second",
    "moments_learn",
    "moments_learn_first",
    "forces",
)

# Settings as sorted pairs of names and values: they are part of what is compiled.
_Settings = tuple[tuple[str, int | float], ...]


def available() -> bool:
    """Return whether the library was built for JAX, after making its functions known to JAX."""
    library = kernels()
    if library is None or not hasattr(library.cdll, "dpk_jax_moments_f64"):
        return False
    for name in _NAMES:
        for suffix in _SUFFIXES.values():
            symbol = f"dpk_jax_{name}_{suffix}"
            capsule = jax.ffi.pycapsule(ctypes.cast(library.cdll[symbol], ctypes.c_void_p).value)
            jax.ffi.register_ffi_target(symbol, capsule, platform="cpu")
    return True


def _call(name: str, settings: _Settings, arrays: Sequence[Any], *shapes: Any) -> Any:
    dtype = arrays[-1].dtype
    results = tuple(jax.ShapeDtypeStruct(sizes, dtype) for sizes in shapes)
    function = jax.ffi.ffi_call(f"dpk_jax_{name}_{_SUFFIXES[dtype.name]}", results)
    attributes = {
        key: np.int64(value) if isinstance(value, int) else np.float64(value)
        for key, value in settings
    }
    return function(*arrays, **attributes)


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _moments(settings: _Settings, rows: int, constants: Any, displacement: Any) -> Any:
    sizes = (rows, 4, dict(settings)["width"])
    return _call("moments", settings, [*constants, displacement], sizes)[0]


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _first(settings: _Settings, constants: Any, displacement: Any, weight: Any) -> Any:
    arrays = [*constants, displacement, weight]
    return _call("moments_first", settings, arrays, displacement.shape)[0]


def _second(settings: _Settings, kept: Any, direction: Any) -> Any:
    constants, displacement, weight = kept
    arrays = [*constants, displacement, weight, direction]
    slopes = _call("moments_second", settings, arrays, displacement.shape, weight.shape)
    return (None, *slopes)


def _moments_forward(settings: _Settings, rows: int, constants: Any, displacement: Any) -> Any:
    return _moments(settings, rows, constants, displacement), (constants, displacement)


def _moments_backward(settings: _Settings, _rows: int, kept: Any, weight: Any) -> Any:
    constants, displacement = kept
    return None, _first(settings, constants, displacement, weight)


def _first_forward(settings: _Settings, constants: Any, displacement: Any, weight: Any) -> Any:
    kept = (constants, displacement, weight)
    return _first(settings, constants, displacement, weight), kept


_moments.defvjp(_moments_forward, _moments_backward)
_first.defvjp(_first_forward, _second)


# Of series: everything is linear in the data and in the weight. `constants` are all that comes before the data.
@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _of_series(settings: _Settings, rows: int, constants: Any, displacement: Any, data: Any) -> Any:
    sizes = (rows, 4, dict(settings)["width"])
    return _call("moments", settings, _arrays(constants, displacement, data), sizes)[0]


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _series_first(
    settings: _Settings, constants: Any, displacement: Any, data: Any, weight: Any
) -> Any:
    arrays = [*_arrays(constants, displacement, data), weight]
    return _call("moments_first", settings, arrays, displacement.shape)[0]


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _learn(settings: _Settings, constants: Any, displacement: Any, data: Any, weight: Any) -> Any:
    arrays = [*_arrays(constants, displacement, data), weight]
    return _call("moments_learn", settings, arrays, data.shape)[0]


def _arrays(constants: Any, displacement: Any, data: Any) -> list[Any]:
    layout_, counts, pairs, empty = constants
    return [layout_, counts, pairs, data, empty, displacement]


def _of_series_forward(
    settings: _Settings, rows: int, constants: Any, displacement: Any, data: Any
) -> Any:
    kept = (constants, displacement, data)
    return _of_series(settings, rows, *kept), kept


def _of_series_backward(settings: _Settings, _rows: int, kept: Any, weight: Any) -> Any:
    # XLA leaves out what is not asked for.
    return None, _series_first(settings, *kept, weight), _learn(settings, *kept, weight)


def _series_first_forward(settings: _Settings, *kept: Any) -> Any:
    return _series_first(settings, *kept), kept


def _series_first_backward(settings: _Settings, kept: Any, direction: Any) -> Any:
    constants, displacement, data, weight = kept
    arrays = [*_arrays(constants, displacement, data), weight, direction]
    shapes = (weight.shape, data.shape)
    by_weight, by_data = _call("moments_learn_first", settings, arrays, *shapes)
    return None, jnp.full_like(displacement, jnp.nan), by_data, by_weight


def _learn_forward(settings: _Settings, *kept: Any) -> Any:
    return _learn(settings, *kept), kept


def _learn_backward(settings: _Settings, kept: Any, data: Any) -> Any:
    constants, displacement, before, weight = kept
    return (
        None,
        _series_first(settings, constants, displacement, data, weight),
        jnp.zeros_like(before),
        _of_series(settings, weight.shape[0], constants, displacement, data),
    )


_of_series.defvjp(_of_series_forward, _of_series_backward)
_series_first.defvjp(_series_first_forward, _series_first_backward)
_learn.defvjp(_learn_forward, _learn_backward)


@fused_forces.register(jax.Array)
@fused_forces.register(jax.core.Tracer)
def _(slope: Any, displacement: Any, batch: Batch) -> tuple[Any, Any]:
    dtype, atoms = displacement.dtype, batch.frame.shape[0]
    results = tuple(jax.ShapeDtypeStruct((atoms, n), dtype) for n in (3, 9))
    function = jax.ffi.ffi_call(f"dpk_jax_forces_{_SUFFIXES[dtype.name]}", results)
    counts = jnp.concatenate([block.count for block in blocks(batch)])
    given = (jnp.array(layout(batch)), counts, neighbour_index(batch), places(batch))
    force, virial = function(*given, displacement, slope.astype(dtype))
    return force, virial


@fused_moments.register(jax.Array)
@fused_moments.register(jax.core.Tracer)
def _(displacement: Any, moments: FusedMoments, batch: Batch) -> Any:
    settings, constants, centres = _given(moments, batch)
    rows, counts, pairs, empty = constants
    return _moments(settings, centres, (rows, counts, pairs, moments.data, empty), displacement)


@series_moments.register(jax.Array)
@series_moments.register(jax.core.Tracer)
def _(displacement: Any, data: Any, moments: FusedMoments, batch: Batch) -> Any:
    settings, constants, centres = _given(moments, batch)
    return _of_series(settings, centres, constants, displacement, data)


def _given(moments: FusedMoments, batch: Batch) -> tuple[_Settings, tuple[Any, ...], int]:
    """Return the settings, what is not differentiated by but the data, and the number of centres."""
    settings: _Settings = (
        ("embedding", EMBEDDINGS.index(moments.embedding)),
        ("width", moments.width),
        ("widest", moments.widest),
        ("rcut_smth", float(moments.rcut_smth)),
        ("rcut", float(moments.rcut)),
        ("protection", float(moments.protection)),
    )
    counts = jnp.concatenate([block.count for block in blocks(batch)])
    rows = jnp.array(layout(batch, moments.ntypes))
    centres = sum(group.place.shape[0] for group in batch.groups)
    return settings, (rows, counts, moments.pairs, moments.empty), centres
