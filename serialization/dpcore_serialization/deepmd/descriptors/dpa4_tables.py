"""The tables of rows and weights that DeePMD-kit keeps beside the arrays of DPA-4, though settings tell them."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from dpcore.descriptors.dpa4.cartesian import CartesianLayer
from dpcore.descriptors.dpa4.dpa4 import DPA4
from dpcore.descriptors.dpa4.feed import FeedForward
from dpcore.descriptors.dpa4.messages import FrameMessage
from dpcore.nn.precision import numpy_dtype
from dpcore.nn.so3.gates import Gated
from dpcore.nn.so3.linear import DegreeLinear
from dpcore.nn.so3.norms import RowsNorm
from dpcore.nn.so3.rows import Rows
from dpcore.tree import Module, inside


def tables(descriptor: DPA4, keys: Mapping[str, str], sizes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tables by key.

    Args:
        descriptor: the descriptor, of which arrays are not looked at.
        keys: the keys of its arrays by path.
        sizes: their shapes by path.
    """
    found = dict(_of_whole(descriptor))
    weight = numpy_dtype(descriptor.networks.precision)
    for path, module in inside(descriptor, Module):
        found |= dict(_of_module(path, module, keys, sizes, weight))
    return found


def _of_whole(descriptor: DPA4) -> Iterator[tuple[str, Any]]:
    top = descriptor.degrees.degrees[0] + descriptor.degrees.extra_node_l
    dtype = numpy_dtype(descriptor.networks.precision)
    yield "version_tensor", np.array(1.2)
    yield "mean", np.zeros(0, dtype)
    yield "stddev", np.ones(0, dtype)
    sign = np.array([-1.0, -1.0, 1.0])
    seeded = descriptor.seed is not None and top > 0
    for key in ("", "gie_zonal_") if seeded and descriptor.degrees.extra_node_l else ("",):
        yield f"{key}wigner_calc.l1_perm", np.array([1, 2, 0])
        yield f"{key}wigner_calc.l1_sign_outer", np.outer(sign, sign)
    if seeded:
        degrees = np.array(Rows.by_degree(top).degrees[1:])
        yield "gie.non_scalar_row_index", np.arange(1, (top + 1) ** 2)
        yield "gie.zonal_m0_col_index_for_row", degrees * (degrees + 1)
        yield "gie.radial_slot_index_for_row", degrees - 1


def _of_module(
    path: str, module: Module, keys: Mapping[str, str], sizes: Mapping[str, Any], dtype: Any
) -> Iterator[tuple[str, Any]]:
    if isinstance(module, DegreeLinear):
        start = keys[f"{path}.weight"].removesuffix("weight")
        if not start.endswith(("frame_expand.", "frame_contract.")):
            rows = Rows.by_degree(sizes[f"{path}.weight"][0] - 1)
            yield f"{start}expand_index", np.array(rows.degrees)
    elif isinstance(module, RowsNorm) and keys[f"{path}.shift"].endswith("bias"):
        degrees, _, channels = sizes[f"{path}.scale"]
        start, rows = keys[f"{path}.shift"].removesuffix("bias"), Rows.by_degree(degrees - 1)
        yield f"{start}expand_index", np.array(rows.degrees)
        yield f"{start}balance_weight", _balance(rows, channels).astype(dtype)
    elif isinstance(module, (FeedForward, CartesianLayer)) and isinstance(module.activation, Gated):
        name = "enter" if isinstance(module, FeedForward) else "linear"
        weight = f"{path}.{name}.weight"
        key = keys[weight].replace("so3_linear_1.weight", "act.expand_index")
        key = key.replace(".linears.", ".activations.").replace(".weight", ".expand_index")
        yield key, _gates(Rows.by_degree(sizes[weight][0] - 1))
    elif isinstance(module, FrameMessage):
        yield from _of_message(path, module, keys, sizes, dtype)


def _of_message(
    path: str, message: FrameMessage, keys: Mapping[str, str], sizes: Mapping[str, Any], dtype: Any
) -> Iterator[tuple[str, Any]]:
    rows = Rows.by_order(message.lmax, message.mmax)
    if message.mixer is not None:
        start = keys[f"{path}.mixer.weight"].removesuffix("weight")
        yield from zip(
            (f"{start}kernel_compact_index", f"{start}kernel_dense_index"),
            _kernels(rows),
            strict=True,
        )
    places = [np.arange(piece.first, piece.first + piece.rows) for piece in rows.pieces]
    for i, layer in enumerate(message.layers):
        key = keys[f"{path}.layers.{i}.linear.orders.0.weight"]
        start = key.removesuffix("weight_m0")
        yield f"{start}m0_idx", places[0]
        none = np.zeros(0, np.int64)
        yield f"{start}neg_indices", np.concatenate([none, *places[1::2]])
        yield f"{start}pos_indices", np.concatenate([none, *places[2::2]])
        if isinstance(layer.activation, Gated):
            yield start.replace("so2_linears", "non_linearities") + "expand_index", _gates(rows)
        if layer.norm is not None:
            norm = start.replace("so2_linears", "so2_inter_norms")
            yield f"{norm}degree_index_m", np.array(rows.degrees)
            channels = sizes[f"{path}.layers.{i}.norm.scale"][2]
            yield f"{norm}balance_weight", _balance(rows, channels).astype(dtype)


def _gates(rows: Rows) -> Any:
    return np.array(rows.degrees[1:], np.int64) - 1


def _balance(rows: Rows, channels: int) -> Any:
    degrees = np.array(rows.degrees)
    return 1.0 / ((rows.lmax + 1) * channels) / (2 * np.minimum(degrees, rows.mmax) + 1)


def _kernels(rows: Rows) -> tuple[Any, Any]:
    """Return which number of the kernels goes to which place of a matrix among the rows."""
    compact, dense, start = list[int](), list[int](), 0
    for number, (first, n, m, _) in enumerate(rows.pieces):
        for a in range(n):
            for b in range(n):
                compact.append(start + a * n + b)
                dense.append((first + b) * rows.number + first + a)
        # The orders -m and m share kernels.
        start += n * n if m == 0 or number % 2 == 0 else 0
    return np.array(compact), np.array(dense)
