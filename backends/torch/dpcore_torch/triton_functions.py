"""The device functions of the fused kernels, in Triton: environment rows and tables.

Formulae are those of the CPU kernels; numbers are in the precision of the displacements throughout. Settings come
from memory, because an argument that is a Python number would be rounded to single precision. Vectors and other
small sets of numbers are tuples with one entry for each component, which holds the numbers of some edges.
"""

# mypy: disable-error-code="untyped-decorator"

from typing import Any

import triton
import triton.language as tl

# Columns of the settings of a pair of types. The second segment of a table follows the first.
MEAN = tl.constexpr(0)
SCALE = tl.constexpr(4)
INPUT_SCALE = tl.constexpr(8)
EMPTY = tl.constexpr(9)
EXCLUDED = tl.constexpr(10)
START = tl.constexpr(11)
LOWER = tl.constexpr(12)
INVERSE_STRIDE = tl.constexpr(13)
INTERVALS = tl.constexpr(14)
SEGMENT = tl.constexpr(4)
PAIR_COLUMNS = tl.constexpr(24)


# The neighbours of a centre


@triton.jit
def group(groups: tl.tensor, ngroups: tl.tensor, centre: tl.tensor) -> Any:
    """Return the first block of a centre's group, the one after the last, and the place in the group."""
    found = 0
    for g in range(1, ngroups):
        found = tl.where(tl.load(groups + 3 * g) <= centre, g, found)
    at = groups + 3 * found
    return tl.load(at + 1), tl.load(at + 2), centre - tl.load(at)


@triton.jit
def block(
    blocks: tl.tensor, b: tl.tensor, count: tl.tensor, pairs: tl.tensor, local: tl.tensor
) -> Any:
    """Return the first edge of a centre in a block, the number of its neighbours, and their settings."""
    at = blocks + 4 * b
    edge = tl.load(at + 1) + local * tl.load(at)
    neighbours = tl.load(count + tl.load(at + 3) + local)
    return edge, neighbours, pairs + tl.load(at + 2) * PAIR_COLUMNS


@triton.jit
def interacting(neighbours: tl.tensor, pair: tl.tensor) -> Any:
    """Return the number of neighbours that contribute more than constants."""
    return tl.where(tl.load(pair + EXCLUDED) != 0.0, 0, neighbours)


@triton.jit
def vectors(at: tl.tensor, real: tl.tensor, other: tl.constexpr) -> Any:
    """Return the three components of vectors."""
    x = tl.load(at, mask=real, other=other)
    y = tl.load(at + 1, mask=real, other=other)
    z = tl.load(at + 2, mask=real, other=other)
    return x, y, z


@triton.jit
def put(at: tl.tensor, stride: tl.tensor, values: tl.tuple, real: tl.tensor) -> Any:
    """Store some values of each edge, ``stride`` apart, and return where the next one goes."""
    for i in tl.static_range(len(values)):
        tl.store(at, values[i], mask=real)
        at += stride
    return at


# Environment rows


@triton.jit
def _root(x: tl.tensor) -> Any:
    """Return the correctly rounded square root."""
    return tl.sqrt(x) if x.dtype == tl.float64 else tl.sqrt_rn(x)


@triton.jit
def _inverse(x: tl.tensor) -> Any:
    """Return the correctly rounded inverse."""
    one = tl.full(x.shape, 1.0, x.dtype)
    return one / x if x.dtype == tl.float64 else tl.div_rn(one, x)


@triton.jit
def dot(a: tl.tuple, b: tl.tuple) -> Any:
    """Return the product of two vectors."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@triton.jit
def of_distance(d: tl.tuple, radii: tl.tensor) -> Any:
    """Return 1/r, and value, slope and curvature of the radial component and of the factor of d next to it."""
    r = _root(dot(d, d))
    scale = tl.load(radii + 1).to(r.dtype)
    u = (r - tl.load(radii).to(r.dtype)) * scale
    u = tl.minimum(tl.maximum(u, 0.0), 1.0)
    v = 1.0 - u
    q = _inverse(r + tl.load(radii + 2).to(r.dtype))
    s0 = (u * u * u * (u * (15.0 - 6.0 * u) - 10.0) + 1.0) * q
    s1 = (-30.0 * scale * u * u * v * v - s0) * q
    s2 = (-60.0 * scale * scale * u * v * (v - u) - 2.0 * s1) * q
    a0 = s0 * q
    a1 = (s1 - a0) * q
    a2 = (s2 - 2.0 * a1) * q
    return _inverse(r), (s0, s1, s2), (a0, a1, a2)


@triton.jit
def settings(pair: tl.tensor, column: tl.tensor, like: tl.tensor) -> Any:
    """Return four settings of a pair of types."""
    at = pair + column
    return (
        tl.load(at).to(like.dtype),
        tl.load(at + 1).to(like.dtype),
        tl.load(at + 2).to(like.dtype),
        tl.load(at + 3).to(like.dtype),
    )


@triton.jit
def environment_row(d: tl.tuple, radial: tl.tensor, angular: tl.tensor, pair: tl.tensor) -> Any:
    """Return the normalised environment rows."""
    mean = settings(pair, MEAN, radial)
    scale = settings(pair, SCALE, radial)
    return (
        (radial - mean[0]) * scale[0],
        (angular * d[0] - mean[1]) * scale[1],
        (angular * d[1] - mean[2]) * scale[2],
        (angular * d[2] - mean[3]) * scale[3],
    )


@triton.jit
def row_slope(
    d: tl.tuple, t: tl.tuple, along: tl.tensor, s: tl.tuple, a: tl.tuple, pair: tl.tensor
) -> Any:
    """Return the derivative of the rows in the direction ``t``, in which r grows by ``along``."""
    scale = settings(pair, SCALE, along)
    angular = a[1] * along
    return (
        s[1] * along * scale[0],
        (angular * d[0] + a[0] * t[0]) * scale[1],
        (angular * d[1] + a[0] * t[1]) * scale[2],
        (angular * d[2] + a[0] * t[2]) * scale[3],
    )


@triton.jit
def embedding_input(radial: tl.tensor, pair: tl.tensor) -> Any:
    """Return what the embedding is a function of, and its slope by the radial component."""
    scale = tl.load(pair + INPUT_SCALE).to(radial.dtype)
    return (radial - tl.load(pair + MEAN).to(radial.dtype)) * scale, scale


@triton.jit
def gradient(
    d: tl.tuple, inverse: tl.tensor, s: tl.tuple, a: tl.tuple, p: tl.tuple, by_radial: tl.tensor
) -> Any:
    """Return by_radial ∇s + ∇(a p·d) for constant p, where a is the factor of d."""
    by_d = (by_radial * s[1] + a[1] * dot(p, d)) * inverse
    return by_d * d[0] + p[0] * a[0], by_d * d[1] + p[1] * a[0], by_d * d[2] + p[2] * a[0]


@triton.jit
def gradient_slope(
    d: tl.tuple,
    t: tl.tuple,
    inverse: tl.tensor,
    s: tl.tuple,
    a: tl.tuple,
    p: tl.tuple,
    by_radial: tl.tensor,
) -> Any:
    """Return the derivative of `gradient` in the direction ``t`` for constant by_radial and p."""
    along = dot(d, t) * inverse
    by_t = (by_radial * s[1] + a[1] * dot(p, d)) * inverse
    by_p = a[1] * along
    bent = by_radial * s[2] + a[2] * dot(p, d)
    by_d = ((bent - by_t) * along + a[1] * dot(p, t)) * inverse
    return (
        by_d * d[0] + by_t * t[0] + by_p * p[0],
        by_d * d[1] + by_t * t[1] + by_p * p[1],
        by_d * d[2] + by_t * t[2] + by_p * p[2],
    )


# Tables


@triton.jit
def interval(x: tl.tensor, pair: tl.tensor, row: tl.constexpr) -> Any:
    """Return where the interval of ``x`` begins, in eights of numbers, the place in it, and 1 / its length."""
    two = tl.load(pair + INTERVALS + SEGMENT) > 0.0
    end = tl.where(two, tl.load(pair + LOWER + SEGMENT), float("inf")).to(x.dtype)
    segment = pair + tl.where(x >= end, SEGMENT, 0)
    lower = tl.load(segment + LOWER).to(x.dtype)
    inverse_stride = tl.load(segment + INVERSE_STRIDE).to(x.dtype)
    position = (x - lower) * inverse_stride
    last = tl.load(segment + INTERVALS).to(x.dtype) - 1.0
    place = tl.where(position > 0.0, tl.where(position < last, position, last), 0.0)
    interval = place.to(tl.int64)
    start = (tl.load(segment + START) * 0.125).to(tl.int64)
    return start + interval * (3 * row // 8), position - interval.to(x.dtype), inverse_stride


@triton.jit
def value_weights(u: tl.tensor) -> Any:
    """Return the weights of an interval's six rows for the value; beyond a table it is a straight line."""
    w = tl.minimum(tl.maximum(u, 0.0), 1.0)
    v = 1.0 - w
    w3 = w * w * w
    v3 = v * v * v
    below = tl.minimum(u - w, 0.0)
    above = tl.maximum(u - w, 0.0)
    return (
        v3 * (1.0 + 3.0 * w + 6.0 * w * w),
        w * v3 * (1.0 + 3.0 * w) + below,
        w * w * v3,
        w3 * (1.0 + 3.0 * v + 6.0 * v * v),
        above - v * w3 * (1.0 + 3.0 * v),
        v * v * w3,
    )


@triton.jit
def slope_weights(u: tl.tensor, k: tl.tensor) -> Any:
    """Return the weights for the slope."""
    u = tl.minimum(tl.maximum(u, 0.0), 1.0)
    v = 1.0 - u
    middle = 30.0 * u * u * v * v * k
    return (
        -middle,
        v * v * (1.0 - 3.0 * u) * (1.0 + 5.0 * u) * k,
        u * v * v * (2.0 - 5.0 * u) * k,
        middle,
        u * u * (1.0 - 3.0 * v) * (1.0 + 5.0 * v) * k,
        -v * u * u * (2.0 - 5.0 * v) * k,
    )


@triton.jit
def curvature_weights(u: tl.tensor, k: tl.tensor) -> Any:
    """Return the weights for the curvature, which is zero beyond a table."""
    v = 1.0 - u
    k2 = tl.where((u < 0.0) | (u > 1.0), 0.0, k * k)
    middle = 60.0 * u * v * (v - u) * k2
    return (
        -middle,
        -12.0 * u * v * (3.0 - 5.0 * u) * k2,
        2.0 * v * (v * v - 6.0 * u * v + 3.0 * u * u) * k2,
        middle,
        12.0 * u * v * (3.0 - 5.0 * v) * k2,
        2.0 * u * (u * u - 6.0 * u * v + 3.0 * v * v) * k2,
    )


@triton.jit
def knot_rows(
    data: tl.tensor, knot: tl.tensor, m: tl.tensor, real: tl.tensor, row: tl.constexpr
) -> Any:
    """Return the six rows of some intervals at the features ``m``."""
    # Where the compiler can see that rows begin at multiples of eight, it reads several numbers at once.
    at = data + 8 * knot[:, None] + m[None, :]
    mask = real[:, None] & (m < row)[None, :]
    return (
        tl.load(at, mask=mask, other=0.0),
        tl.load(at + row, mask=mask, other=0.0),
        tl.load(at + 2 * row, mask=mask, other=0.0),
        tl.load(at + 3 * row, mask=mask, other=0.0),
        tl.load(at + 4 * row, mask=mask, other=0.0),
        tl.load(at + 5 * row, mask=mask, other=0.0),
    )


@triton.jit
def blend(f: tl.tuple, w: tl.tuple) -> Any:
    """Return the features, or a derivative, of some edges from the rows of their intervals."""
    total = f[0] * w[0][:, None] + f[1] * w[1][:, None] + f[2] * w[2][:, None]
    return total + f[3] * w[3][:, None] + f[4] * w[4][:, None] + f[5] * w[5][:, None]
