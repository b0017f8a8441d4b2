"""The sums of the descriptor kernels in plain NumPy, and systems to compare them on.

The definition is written from ``src/kernels.h`` alone. It takes complex numbers, so that its first
derivatives are exact to rounding: f'(x) = Im f(x + i h) / h with a tiny h.
"""

import dataclasses as dc
import math
from dataclasses import dataclass

import numpy as np

from dpcore_kernels import MomentProblem

TINY = 1e-30
RCUT_SMTH, RCUT = 1.0, 4.0
PAIR_COLUMNS = 24


@dataclass(frozen=True)
class Layer:
    weight: np.ndarray
    bias: np.ndarray
    timestep: np.ndarray | None
    residual: bool

    def __call__(self, x):
        n_in, n_out = self.weight.shape
        y = np.tanh(x @ self.weight + self.bias)
        if self.timestep is not None:
            y = y * self.timestep
        return y + np.tile(x, n_out // n_in) if self.residual else y

    def packed(self):
        n_in, n_out = self.weight.shape
        timestep = np.zeros(n_out) if self.timestep is None else self.timestep
        rows = np.vstack([self.weight, self.bias, timestep])
        header = padded(np.array([n_in, n_out, self.residual, self.timestep is not None]))
        return np.concatenate([header, padded(rows).ravel()])


@dataclass(frozen=True)
class Net:
    layers: list

    def __call__(self, x):
        y = x[:, None]
        for layer in self.layers:
            y = layer(y)
        return y

    def packed(self, start):
        parts = [padded(np.array([len(self.layers)])), *(layer.packed() for layer in self.layers)]
        return np.concatenate(parts), [start]


@dataclass(frozen=True)
class Segment:
    """Knots hold f, h f' and h² f''/2."""

    lower: float
    stride: float
    knots: np.ndarray

    def __call__(self, x):
        position = (x - self.lower) / self.stride
        last = len(self.knots) - 2
        interval = np.clip(np.floor(position.real).astype(int), 0, last)
        u = (position - interval)[:, None]
        powers = np.stack([u**k for k in range(6)], axis=1)
        inside = np.einsum("nkm,nkf->nf", powers, self._polynomials()[interval])
        left, right = self.knots[interval], self.knots[interval + 1]
        below, above = left[:, 0] + u * left[:, 1], right[:, 0] + (u - 1.0) * right[:, 1]
        return np.where(u.real < 0, below, np.where(u.real > 1, above, inside))

    def _polynomials(self):
        """Return the coefficients of the polynomials with the ends' derivatives, ``(n, 6, feature)``."""
        conditions = np.zeros((6, 6))
        for order in range(3):
            conditions[order, order] = 1.0
            conditions[3 + order] = [math.comb(k, order) for k in range(6)]
        ends = np.concatenate([self.knots[:-1], self.knots[1:]], axis=1)
        return np.linalg.solve(conditions, ends)


@dataclass(frozen=True)
class Table:
    segments: list

    def __call__(self, x):
        if len(self.segments) == 1:
            return self.segments[0](x)
        first, second = (segment(x) for segment in self.segments)
        return np.where(x.real[:, None] < self.segments[1].lower, first, second)

    def packed(self, start):
        parts, columns = [], []
        for s in self.segments:
            columns += [start, s.lower, 1.0 / s.stride, len(s.knots) - 1]
            parts.append(padded(s.knots).ravel())
            start += parts[-1].size
        return np.concatenate(parts), columns


@dataclass(frozen=True)
class Series:
    """Chebyshev series on equal intervals, ``coefficients[interval, term, feature]``."""

    lower: float
    stride: float
    coefficients: np.ndarray

    def __call__(self, x):
        position = (x - self.lower) / self.stride
        interval = np.clip(np.floor(position.real).astype(int), 0, len(self.coefficients) - 1)
        u = 2.0 * (position - interval) - 1.0
        # T_n(u) = cos(n arccos u) as a polynomial in u.
        polynomials = [
            np.polynomial.Chebyshev.basis(n).convert(kind=np.polynomial.Polynomial)
            for n in range(12)
        ]
        terms = np.stack([polynomial(u) for polynomial in polynomials], axis=1)
        return np.einsum("nt,ntf->nf", terms, self.coefficients[interval])

    def packed(self, start):
        columns = [start, self.lower, 1.0 / self.stride, len(self.coefficients)]
        return padded(self.coefficients).ravel(), columns


@dataclass(frozen=True)
class Pair:
    embedding: Net | Table | Series
    mean: np.ndarray
    scale: np.ndarray
    input_scale: float
    excluded: bool
    empty: np.ndarray


@dataclass(frozen=True)
class Block:
    pair: int
    count: np.ndarray
    width: int

    @property
    def edges(self):
        return len(self.count) * self.width


@dataclass(frozen=True)
class System:
    """Groups are lists of blocks with the same centres."""

    width: int
    pairs: list
    groups: list
    protection: float = 0.0
    rcut_smth: float = RCUT_SMTH

    @property
    def edges(self):
        return sum(block.edges for group in self.groups for block in group)

    @property
    def centres(self):
        return sum(len(group[0].count) for group in self.groups)

    def blocks(self):
        """Yield every block with its first row and first edge."""
        row = edge = 0
        for group in self.groups:
            for block in group:
                yield block, row, edge
                edge += block.edges
            row += len(group[0].count)

    def rows(self, d):
        """Return the rows before normalisation, ``(edge, 4)``."""
        r = np.sqrt((d * d).sum(axis=-1, keepdims=True))
        u = (r - self.rcut_smth) / (RCUT - self.rcut_smth)
        u = np.where(u.real < 0, 0.0, np.where(u.real > 1, 1.0, u))
        s = (1.0 - 10.0 * u**3 + 15.0 * u**4 - 6.0 * u**5) / (r + self.protection)
        return np.concatenate([s, s * d / (r + self.protection)], axis=-1)

    def terms(self, displacement):
        """Return what each edge adds to the moments, ``(edge, 4, width)``."""
        out = np.zeros((self.edges, 4, self.width), displacement.dtype)
        for block, _, first in self.blocks():
            pair = self.pairs[block.pair]
            places = (first + np.arange(block.edges))[real_places(block)]
            if pair.excluded or not len(places):
                continue
            shifted = self.rows(displacement[places]) - pair.mean
            features = pair.embedding(shifted[:, 0] * pair.input_scale)
            out[places] = (shifted * pair.scale)[:, :, None] * features[:, None, :]
        return out

    def moments(self, displacement):
        terms = self.terms(displacement)
        out = np.zeros((self.centres, 4, self.width), displacement.dtype)
        for block, row, first in self.blocks():
            n = len(block.count)
            parts = terms[first : first + block.edges].reshape(n, block.width, 4, self.width)
            out[row : row + n] += parts.sum(axis=1) + self.pairs[block.pair].empty[block.count]
        return out

    def change(self, displacement, direction):
        """Return the derivative of the terms in a direction."""
        return self.terms(displacement + 1j * TINY * direction).imag / TINY

    def first(self, displacement, weight):
        of_edge = weight[self.centre()]
        slopes = [self.change(displacement, axis) for axis in np.eye(3)]
        return np.stack([(s * of_edge).sum(axis=(1, 2)) for s in slopes], axis=-1)

    def second(self, displacement, weight, direction):
        """Return both second derivatives, that by the displacements from differences."""
        # So small a step that few pass a knot, where third derivatives of a table jump.
        h, wide = 1e-7, displacement.astype(np.longdouble)
        ends = [self.first(wide + x * direction, weight) for x in (h, -h)]
        by_displacement = ((ends[0] - ends[1]) / (2.0 * h)).astype(float)
        by_weight = np.zeros_like(weight)
        np.add.at(by_weight, self.centre(), self.change(displacement, direction))
        return by_displacement, by_weight

    def centre(self):
        """Return the centre of each edge."""
        parts = [r + np.repeat(np.arange(len(b.count)), b.width) for b, r, _ in self.blocks()]
        return np.concatenate(parts)

    def real(self):
        """Return which edges are neighbours, ``(edge,)``."""
        return np.concatenate([real_places(b) for b, _, _ in self.blocks()])

    def problem(self, displacement):
        """Return what the kernels take."""
        dtype, data, rows, empty = displacement.dtype, [], [], []
        for pair in self.pairs:
            packed, columns = pair.embedding.packed(sum(map(len, data)))
            data.append(packed)
            first = sum(map(len, empty))
            row = [*pair.mean, *pair.scale, pair.input_scale, first, pair.excluded, *columns]
            rows.append(row + [0.0] * (PAIR_COLUMNS - len(row)))
            empty.append(pair.empty)
        kind = type(self.pairs[0].embedding).__name__.lower()
        nets = [pair.embedding for pair in self.pairs if kind == "net"]
        layout = [(len(b.count), b.width, b.pair, row) for b, row, _ in self.blocks()]
        return MomentProblem(
            embedding=kind,
            width=self.width,
            widest=max((layer.weight.shape[1] for n in nets for layer in n.layers), default=0),
            rcut_smth=self.rcut_smth,
            rcut=RCUT,
            protection=self.protection,
            layout=np.array(layout, np.int64),
            count=[b.count for b, _, _ in self.blocks()],
            pairs=np.array(rows, np.float64),
            data=np.concatenate(data).astype(dtype),
            empty=np.concatenate(empty).astype(dtype),
            displacement=displacement,
        )


def padded(x):
    return np.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, -x.shape[-1] % 8)])


def real_places(block):
    return (np.arange(block.width) < block.count[:, None]).ravel()


def net(rng, widths, *, timestep=False, residual=True, bias=True):
    layers, n_in = [], 1
    for n_out in widths:
        adds = residual and n_out in {n_in, 2 * n_in}
        layers.append(
            Layer(
                rng.normal(0.0, 1.5 / math.sqrt(n_in), (n_in, n_out)),
                rng.normal(0.0, 0.7, n_out) * bias,
                rng.uniform(0.5, 1.5, n_out) if timestep else None,
                adds,
            )
        )
        n_in = n_out
    return Net(layers)


def segment(rng, lower, stride, intervals, width):
    return Segment(
        lower, stride, rng.normal(size=(intervals + 1, 3, width)) * [[[1], [0.4], [0.1]]]
    )


def table(rng, width, *, two=False, lower=-0.6, upper=1.4):
    """Return tables on part of what they are given, so that they are left at both ends."""
    if not two:
        return Table([segment(rng, lower, (upper - lower) / 9, 9, width)])
    middle = 0.5 * (lower + upper)
    near, far = segment(rng, lower, (middle - lower) / 7, 7, width), None
    far = segment(rng, middle, (upper - middle) / 3, 3, width)
    far.knots[0] = near.knots[-1] * np.array([1.0, 7 / 3, 49 / 9])[:, None]
    return Table([near, far])


def series(rng, width, *, lower=-0.7, upper=4.1):
    """Return series on all that they are given, of terms that fall off."""
    fall = 0.4 ** np.arange(12)[None, :, None]
    return Series(lower, (upper - lower) / 5, rng.normal(size=(5, 12, width)) * fall)


def system(rng, embed, width, *, centres=(9, 11), blocks=(5, 13), excluded=(), **settings):
    """Return a system of two types in which every number is away from 0 and 1."""
    ntypes, pairs, groups = len(blocks), [], []
    for number in range(ntypes * len(centres)):
        most = blocks[number % ntypes]
        pairs.append(
            Pair(
                embedding=embed(rng, width),
                mean=rng.uniform(-0.3, 0.3, 4),
                scale=rng.uniform(0.5, 1.5, 4),
                input_scale=rng.uniform(0.7, 2.0),
                excluded=number in excluded,
                empty=rng.normal(size=(most + 1, 4, width)),
            )
        )
    for kind, n in enumerate(centres):
        counts = [rng.integers(0, most + 1, n) for most in blocks]
        for most, count in zip(blocks, counts, strict=True):
            count[: min(n, 2)] = [most, 0][: min(n, 2)]
        group = enumerate(zip(counts, blocks, strict=True))
        groups.append([Block(kind * ntypes + t, count, most) for t, (count, most) in group])
    return System(width, pairs, groups, **settings)


def places(rng, system, dtype=np.float64, *, padding=np.nan):
    """Return displacements, some of them within ``rcut_smth`` and some beyond ``rcut``."""
    d = rng.normal(size=(system.edges, 3))
    d *= (rng.uniform(0.6, 1.1 * RCUT, system.edges) / np.linalg.norm(d, axis=1))[:, None]
    d[~system.real()] = padding
    return d.astype(dtype)


@dataclass(frozen=True)
class Case:
    name: str
    embed: object
    width: int
    settings: dict = dc.field(default_factory=dict)

    def make(self, dtype=np.float64):
        """Return system, displacements, weight and direction."""
        rng = np.random.default_rng(sum(map(ord, self.name)))
        made = system(rng, self.embed, self.width, **self.settings)
        displacement = places(rng, made, dtype)
        weight = rng.normal(size=(made.centres, 4, made.width)).astype(dtype)
        direction = rng.normal(size=(made.edges, 3)).astype(dtype)
        direction[~made.real()] = np.nan
        return made, displacement, weight, direction


def nets(*widths, **settings):
    return lambda rng, _: net(rng, widths, **settings)


def two_tables(rng, width):
    return table(rng, width, two=True)


CASES = [
    *(Case(f"table-{n}", table, n) for n in (1, 7, 8, 13, 40, 100, 240)),
    Case("two-tables", two_tables, 13),
    *(Case(f"series-{n}", series, n) for n in (1, 8, 13, 100)),
    Case("series-many", series, 24, {"centres": (61, 83), "blocks": (40, 9)}),
    Case("series-excluded", series, 5, {"excluded": (1, 2), "protection": 0.3}),
    Case("series-no-neighbours", series, 6, {"blocks": (0, 0)}),
    Case("net-1", nets(1), 1),
    Case("net-widths", nets(1, 2, 2, 7, 14, 13), 13),
    Case("net-timesteps", nets(8, 8, 16, timestep=True), 16),
    Case("net-not-residual", nets(10, 20, 20, residual=False, timestep=True), 20),
    Case("net-no-bias", nets(5, 10, bias=False), 10),
    Case("net-wide-inside", nets(25, 240, 40, 8), 8),
    Case("net-100", nets(25, 50, 100), 100),
    Case("protected", table, 9, {"protection": 0.3}),
    Case("protected-net", nets(6, 12), 12, {"protection": 0.3}),
    Case("excluded", table, 5, {"excluded": (1, 2)}),
    Case("all-excluded-net", nets(4), 4, {"excluded": (0, 1, 2, 3)}),
    Case("no-smooth-part", table, 3, {"rcut_smth": 0.0}),
    Case("one-centre", table, 6, {"centres": (1,)}),
    Case("many-centres", two_tables, 24, {"centres": (61, 83), "blocks": (4, 9)}),
    Case("many-neighbours", nets(3, 6), 6, {"centres": (3,), "blocks": (150, 49)}),
    Case("no-neighbours", table, 6, {"blocks": (0, 0)}),
    Case("one-empty-block", nets(3), 3, {"blocks": (0, 7, 0)}),
    Case("no-centres", table, 6, {"centres": (0, 0)}),
    Case("group-without-centres", table, 6, {"centres": (0, 5, 0, 0, 4)}),
]
