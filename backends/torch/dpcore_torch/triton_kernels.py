"""The fused kernels, in Triton. A program works on one centre and goes through its blocks of neighbours."""

# mypy: disable-error-code="untyped-decorator"

from typing import Any

import triton
import triton.language as tl

from dpcore_torch.triton_functions import (
    EMPTY,
    SCALE,
    blend,
    block,
    curvature_weights,
    dot,
    embedding_input,
    environment_row,
    gradient,
    gradient_slope,
    group,
    interacting,
    interval,
    knot_rows,
    of_distance,
    put,
    row_slope,
    settings,
    slope_weights,
    value_weights,
    vectors,
)

# Sizes that vary from batch to batch, for which the same code is to do.
_SIZES = ("ngroups", "edges")

# Sums over neighbours


@triton.jit(do_not_specialize=_SIZES)
def prepare(
    displacement: tl.tensor, direction: tl.tensor, knots: tl.tensor, factors: tl.tensor, count: tl.tensor, pairs: tl.tensor, radii: tl.tensor,
    groups: tl.tensor, blocks: tl.tensor, ngroups: tl.tensor, edges: tl.tensor,
    order: tl.constexpr, row: tl.constexpr, tile: tl.constexpr,
) -> None:  # fmt: skip
    """Store what each edge is multiplied by in the sums, one edge next to the other.

    Order 0 is for the moments: the row, and the weights for the value. Order 1 is for their derivative in a
    direction: the derivative of the row and the row times that of the input, and the weights for value and slope.
    """
    centre = tl.program_id(0).to(tl.int64)
    first_block, end, local = group(groups, ngroups, centre)
    for b in range(first_block, end):
        edge, neighbours, pair = block(blocks, b, count, pairs, local)
        number = interacting(neighbours, pair)
        for start in range(0, number, tile):
            j = start + tl.arange(0, tile)
            real = j < number
            e = edge + j
            d = vectors(displacement + 3 * e, real, 1.0)
            inverse, s, a = of_distance(d, radii)
            x, scale = embedding_input(s[0], pair)
            knot, u, k = interval(x, pair, row)
            rows = environment_row(d, s[0], a[0], pair)
            tl.store(knots + e, knot, mask=real)
            at = factors + e
            if order == 0:
                at = put(at, edges, rows, real)
                put(at, edges, value_weights(u), real)
            else:
                t = vectors(direction + 3 * e, real, 0.0)
                along = dot(d, t) * inverse
                at = put(at, edges, row_slope(d, t, along, s, a, pair), real)
                dx = scale * s[1] * along
                at = put(at, edges, (dx * rows[0], dx * rows[1], dx * rows[2], dx * rows[3]), real)
                at = put(at, edges, value_weights(u), real)
                put(at, edges, slope_weights(u, k), real)


@triton.jit
def _take(at: tl.tensor, stride: tl.tensor, real: tl.tensor) -> Any:
    """Return one stored value of each edge, as a column, and where the next one is."""
    return tl.load(at, mask=real, other=0.0)[:, None], at + stride


@triton.jit
def _take_four(at: tl.tensor, stride: tl.tensor, real: tl.tensor) -> Any:
    x0, at = _take(at, stride, real)
    x1, at = _take(at, stride, real)
    x2, at = _take(at, stride, real)
    x3, at = _take(at, stride, real)
    return x0, x1, x2, x3, at


@triton.jit
def _take_blend(at: tl.tensor, stride: tl.tensor, real: tl.tensor, f: tl.tuple) -> Any:
    """Return the features of some edges from stored weights, and where the next value is."""
    w, at = _take(at, stride, real)
    total = f[0] * w
    for i in tl.static_range(1, 6):
        w, at = _take(at, stride, real)
        total += f[i] * w
    return total, at


@triton.jit
def _add_empty(sums: tl.tuple, empty: tl.tensor, m: tl.tensor, width: tl.constexpr) -> Any:
    """Add what the empty places of a centre in one block add."""
    real = m < width
    return (
        sums[0] + tl.load(empty + m, mask=real, other=0.0),
        sums[1] + tl.load(empty + width + m, mask=real, other=0.0),
        sums[2] + tl.load(empty + 2 * width + m, mask=real, other=0.0),
        sums[3] + tl.load(empty + 3 * width + m, mask=real, other=0.0),
    )


@triton.jit(do_not_specialize=_SIZES)
def sums(
    out: tl.tensor, knots: tl.tensor, factors: tl.tensor, data: tl.tensor, empty: tl.tensor, count: tl.tensor, pairs: tl.tensor, groups: tl.tensor,
    blocks: tl.tensor, ngroups: tl.tensor, edges: tl.tensor, order: tl.constexpr, width: tl.constexpr,
    row: tl.constexpr, tile: tl.constexpr, features: tl.constexpr,
) -> None:  # fmt: skip
    """Sum features times prepared factors over the neighbours, for some features of a centre."""
    centre = tl.program_id(0).to(tl.int64)
    m = tl.program_id(1) * features + tl.arange(0, features)
    first_block, end, local = group(groups, ngroups, centre)
    zeros = tl.zeros((features,), out.dtype.element_ty)
    constant = (zeros, zeros, zeros, zeros)
    s0 = tl.zeros((tile, features), out.dtype.element_ty)
    s1, s2, s3 = s0, s0, s0
    for b in range(first_block, end):
        edge, neighbours, pair = block(blocks, b, count, pairs, local)
        if order == 0:
            place = tl.load(pair + EMPTY).to(tl.int64) + neighbours
            constant = _add_empty(constant, empty + place * 4 * width, m, width)
        number = interacting(neighbours, pair)
        for start in range(0, number, tile):
            j = start + tl.arange(0, tile)
            real = j < number
            at = factors + edge + j
            f = knot_rows(data, tl.load(knots + edge + j, mask=real, other=0), m, real, row)
            p0, p1, p2, p3, at = _take_four(at, edges, real)
            if order == 1:
                q0, q1, q2, q3, at = _take_four(at, edges, real)
            g, at = _take_blend(at, edges, real, f)
            s0 += g * p0
            s1 += g * p1
            s2 += g * p2
            s3 += g * p3
            if order == 1:
                g, at = _take_blend(at, edges, real, f)
                s0 += g * q0
                s1 += g * q1
                s2 += g * q2
                s3 += g * q3
    at = out + centre * 4 * width + m
    tl.store(at, constant[0] + tl.sum(s0, 0), mask=m < width)
    tl.store(at + width, constant[1] + tl.sum(s1, 0), mask=m < width)
    tl.store(at + 2 * width, constant[2] + tl.sum(s2, 0), mask=m < width)
    tl.store(at + 3 * width, constant[3] + tl.sum(s3, 0), mask=m < width)


# Sums over features


@triton.jit
def _weights(weight: tl.tensor, m: tl.tensor, width: tl.constexpr) -> Any:
    """Return a centre's weights of the features ``m``."""
    real = m < width
    return (
        tl.load(weight + m, mask=real, other=0.0)[None, :],
        tl.load(weight + width + m, mask=real, other=0.0)[None, :],
        tl.load(weight + 2 * width + m, mask=real, other=0.0)[None, :],
        tl.load(weight + 3 * width + m, mask=real, other=0.0)[None, :],
    )


@triton.jit
def _four(a: tl.tuple, b: tl.tuple) -> Any:
    """Return the product of two sets of four."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2] + a[3] * b[3]


@triton.jit
def _columns(r: tl.tuple) -> Any:
    """Return four numbers of each edge as columns."""
    return r[0][:, None], r[1][:, None], r[2][:, None], r[3][:, None]


@triton.jit
def _first_products(
    at: tl.tensor, data: tl.tensor, weight: tl.tensor, rows: tl.tuple, real: tl.tensor,
    width: tl.constexpr, row: tl.constexpr, features: tl.constexpr,
) -> Any:  # fmt: skip
    """Return the sums over features of weight times features, and of weight times slope along the row."""
    knot, u, k = at
    value, slopes = value_weights(u), slope_weights(u, k)
    columns = _columns(rows)
    p0 = tl.zeros((u.shape[0], features), u.dtype)
    p1, p2, p3, by_input = p0, p0, p0, p0
    for start in range(0, width, features):
        m = start + tl.arange(0, features)
        f = knot_rows(data, knot, m, real, row)
        w = _weights(weight, m, width)
        g = blend(f, value)
        p0 += g * w[0]
        p1 += g * w[1]
        p2 += g * w[2]
        p3 += g * w[3]
        by_input += blend(f, slopes) * _four(columns, w)
    return (tl.sum(p0, 1), tl.sum(p1, 1), tl.sum(p2, 1), tl.sum(p3, 1)), tl.sum(by_input, 1)


@triton.jit(do_not_specialize=_SIZES[:1])
def first(
    slope: tl.tensor, displacement: tl.tensor, weight: tl.tensor, data: tl.tensor, count: tl.tensor, pairs: tl.tensor, radii: tl.tensor,
    groups: tl.tensor, blocks: tl.tensor, ngroups: tl.tensor, width: tl.constexpr, row: tl.constexpr,
    tile: tl.constexpr, features: tl.constexpr,
) -> None:  # fmt: skip
    """Store the derivative of sum(moments * weight) by the displacements of a centre's neighbours."""
    centre = tl.program_id(0).to(tl.int64)
    first_block, end, local = group(groups, ngroups, centre)
    weight += centre * 4 * width
    for b in range(first_block, end):
        edge, neighbours, pair = block(blocks, b, count, pairs, local)
        number = interacting(neighbours, pair)
        for start in range(0, number, tile):
            j = start + tl.arange(0, tile)
            real = j < number
            d = vectors(displacement + 3 * (edge + j), real, 1.0)
            inverse, s, a = of_distance(d, radii)
            x, input_scale = embedding_input(s[0], pair)
            at = interval(x, pair, row)
            rows = environment_row(d, s[0], a[0], pair)
            p, by_input = _first_products(at, data, weight, rows, real, width, row, features)
            scale = settings(pair, SCALE, x)
            by_radial = by_input * input_scale + p[0] * scale[0]
            p = (p[1] * scale[1], p[2] * scale[2], p[3] * scale[3])
            put(slope + 3 * (edge + j), 1, gradient(d, inverse, s, a, p, by_radial), real)


@triton.jit
def _second_products(
    at: tl.tensor, data: tl.tensor, weight: tl.tensor, rows: tl.tuple, real: tl.tensor,
    width: tl.constexpr, row: tl.constexpr, features: tl.constexpr,
) -> Any:  # fmt: skip
    """Return the sums over features of weight times features and slope, and weight times curvature along the row."""
    knot, u, k = at
    value, slopes, curvatures = value_weights(u), slope_weights(u, k), curvature_weights(u, k)
    columns = _columns(rows)
    p0 = tl.zeros((u.shape[0], features), u.dtype)
    p1, p2, p3 = p0, p0, p0
    q0, q1, q2, q3, bent = p0, p0, p0, p0, p0
    for start in range(0, width, features):
        m = start + tl.arange(0, features)
        f = knot_rows(data, knot, m, real, row)
        w = _weights(weight, m, width)
        g = blend(f, value)
        p0 += g * w[0]
        p1 += g * w[1]
        p2 += g * w[2]
        p3 += g * w[3]
        g = blend(f, slopes)
        q0 += g * w[0]
        q1 += g * w[1]
        q2 += g * w[2]
        q3 += g * w[3]
        bent += blend(f, curvatures) * _four(columns, w)
    p = (tl.sum(p0, 1), tl.sum(p1, 1), tl.sum(p2, 1), tl.sum(p3, 1))
    q = (tl.sum(q0, 1), tl.sum(q1, 1), tl.sum(q2, 1), tl.sum(q3, 1))
    return p, q, tl.sum(bent, 1)


@triton.jit(do_not_specialize=_SIZES[:1])
def second(
    slope: tl.tensor, displacement: tl.tensor, weight: tl.tensor, direction: tl.tensor, data: tl.tensor, count: tl.tensor, pairs: tl.tensor,
    radii: tl.tensor, groups: tl.tensor, blocks: tl.tensor, ngroups: tl.tensor, width: tl.constexpr, row: tl.constexpr,
    tile: tl.constexpr, features: tl.constexpr,
) -> None:  # fmt: skip
    """Store the derivative of sum(first * direction) by the displacements of a centre's neighbours."""
    centre = tl.program_id(0).to(tl.int64)
    first_block, end, local = group(groups, ngroups, centre)
    weight += centre * 4 * width
    for b in range(first_block, end):
        edge, neighbours, pair = block(blocks, b, count, pairs, local)
        number = interacting(neighbours, pair)
        for start in range(0, number, tile):
            j = start + tl.arange(0, tile)
            real = j < number
            d = vectors(displacement + 3 * (edge + j), real, 1.0)
            t = vectors(direction + 3 * (edge + j), real, 0.0)
            inverse, s, a = of_distance(d, radii)
            x, input_scale = embedding_input(s[0], pair)
            at = interval(x, pair, row)
            rows = environment_row(d, s[0], a[0], pair)
            p, q, bent = _second_products(at, data, weight, rows, real, width, row, features)
            along = dot(d, t) * inverse
            r = row_slope(d, t, along, s, a, pair)
            dx = input_scale * s[1] * along
            scale = settings(pair, SCALE, x)
            # The derivative of the gradient's coefficients, and that of the gradient with these constant.
            by_radial = (dx * bent + _four(q, r)) * input_scale + dx * q[0] * scale[0]
            pushed = (dx * q[1] * scale[1], dx * q[2] * scale[2], dx * q[3] * scale[3])
            moved = gradient(d, inverse, s, a, pushed, by_radial)
            by_radial = _four(q, rows) * input_scale + p[0] * scale[0]
            p = (p[1] * scale[1], p[2] * scale[2], p[3] * scale[3])
            turned = gradient_slope(d, t, inverse, s, a, p, by_radial)
            out = (moved[0] + turned[0], moved[1] + turned[1], moved[2] + turned[2])
            put(slope + 3 * (edge + j), 1, out, real)
