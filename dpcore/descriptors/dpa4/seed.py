"""The first features of the atoms."""

import math
from typing import Any, Self

import numpy as np

from dpcore.descriptors.dpa4.edges import Edges
from dpcore.errors import DPError
from dpcore.nn import Dense
from dpcore.nn.linear import linear
from dpcore.nn.precision import numpy_dtype
from dpcore.nn.so3.harmonics import spherical_harmonics
from dpcore.nn.so3.norms import RMSNorm
from dpcore.nn.so3.rows import Rows
from dpcore.tree import Module, param, setting
from dpcore.xp import namespace, shape

# Strength of the modulation at first.
STRENGTH = 0.01


class TypeTable(Module, name="dpa4_type_table"):
    """Trained features of the types.

    Attributes:
        weight: ``(type + 1, width)``; the last row is that of no type.
    """

    type_map: tuple[str, ...] = setting(doc="names of the atom types")
    weight: Any = param()

    def __post_init__(self) -> None:
        if shape(self.weight)[0] != len(self.type_map) + 1:
            raise DPError(
                f"type table: {shape(self.weight)[0]} rows for {len(self.type_map)} types"
            )

    @classmethod
    def create(
        cls, rng: np.random.Generator, type_map: tuple[str, ...], width: int, precision: str
    ) -> Self:
        """Draw features of types."""
        weight = rng.normal(0.0, (len(type_map) + width) ** -0.5, (len(type_map) + 1, width))
        weight[-1] = 0.0
        return cls(type_map=type_map, weight=weight.astype(numpy_dtype(precision)))

    def __call__(self) -> Any:
        """Return the features of all types and of none, ``(type + 1, width)``."""
        return self.weight


class Sizes:
    """The widths of the networks of :class:`EnvironmentSeed` for a number of channels."""

    def __init__(self, channels: int) -> None:
        self.out = min(channels, 128)
        self.types = min(32, max(8, channels // 4))
        self.axis = min(4 if self.out < 64 else 8, max(1, self.out - 1))
        self.radial = max(32, self.out - 2 * self.types)
        self.given = self.radial + 2 * self.types
        self.hidden = min(256, max(2 * self.out, self.given))


class EnvironmentSeed(Module, name="dpa4_environment_seed"):
    """Features of types changed by the surroundings, which are described as in ``se_e2_a``.

    With rows ``R = e/r (1, x/r, y/r, z/r)`` and features ``G`` of distance and types, ``M = Σ_j R_j ⊗ G_j`` over a
    root of the sum of squared weights; ``Mᵀ M_<`` gives a factor and a shift of each feature. Where atoms
    have spins, that of ``Σ_j e S_j ⊗ G_j`` is added, times a trained number.

    Attributes:
        radial: makes features of the distance.
        types: gives the features of the types of a pair.
        pair: makes G of both.
        out: makes the factors and shifts, linearly.
        norms: normalise both, or none.
        factor: the logarithm of how strong the factors are, ``(1,)``.
        shift: that of the shifts.
        spin: how strong spins are, ``(1,)``, or None where there are none.
    """

    axis: int = setting(doc="number of axis columns")
    radial: tuple[Dense, ...]
    types: TypeTable
    pair: tuple[Dense, ...]
    out: Dense
    norms: tuple[RMSNorm, ...]
    factor: Any = param()
    shift: Any = param()
    spin: Any = param()

    @classmethod
    def create(
        cls,
        rng: np.random.Generator,
        type_map: tuple[str, ...],
        n_radial: int,
        channels: int,
        *,
        activation_function: str,
        norm: bool,
        eps: float,
        bias: bool,
        spin: bool,
        precision: str,
    ) -> Self:
        """Draw networks whose result is zero at first.

        Args:
            rng: source of the random numbers.
            type_map: names of the types.
            n_radial: number of functions of the distance.
            channels: number of channels.
            activation_function: activation of the networks.
            norm: normalise factors and shifts.
            eps: added to mean squares.
            bias: give the networks a bias.
            spin: whether atoms have spins.
            precision: precision of the parameters.
        """
        sizes = Sizes(channels)
        told: dict[str, Any] = {"precision": precision, "trainable": True}

        def network(*widths: int) -> tuple[Dense, ...]:
            first = linear(rng, *widths[:2], bias=bias, **told)
            last = linear(rng, *widths[1:], bias=bias, **told)
            return first.with_(activation_function=activation_function), last

        out = linear(rng, sizes.out * sizes.axis, 2 * channels, bias=False, **told)
        strength = np.full((1,), math.log(STRENGTH), numpy_dtype(precision))
        norms = tuple(RMSNorm.create((1, channels), precision, eps) for _ in range(2 * norm))
        return cls(
            axis=sizes.axis,
            radial=network(n_radial, sizes.radial, sizes.radial),
            types=TypeTable.create(rng, type_map, sizes.types, precision),
            pair=network(sizes.given, sizes.hidden, sizes.out),
            out=out.with_(weight=np.zeros_like(out.weight)),
            norms=norms,
            factor=strength,
            shift=strength.copy(),
            spin=np.zeros_like(strength) if spin else None,
        )

    def __call__(self, x: Any, edges: Edges, spins: Any = None) -> Any:
        """Return the features of the atoms changed, ``(atom, channel)``.

        Args:
            x: the features.
            edges: the edges.
            spins: spins of the atoms, ``(atom, 3)``, where they have some.
        """
        xp, pairs = namespace(x), edges.pairs
        own = xp.take(self.types.weight, pairs.centre_types, axis=0)
        told = pairs.of_neighbours(own), pairs.of_centres(own)
        radial = self.radial[1](self.radial[0](edges.basis))
        features = self.pair[1](self.pair[0](xp.concat([radial, *told], axis=-1)))
        weight = edges.envelope * (1.0 / edges.length)
        rows = weight * xp.concat([xp.ones_like(weight), edges.unit], axis=-1)
        invariants = self._invariants(rows, features, edges)
        if self.spin is not None:
            rows = edges.envelope * pairs.of_neighbours(spins)
            invariants = invariants + self.spin * self._invariants(rows, features, edges)
        flat = xp.reshape(invariants, (-1, shape(features)[1] * self.axis))
        changes, n = self.out(flat), shape(x)[1]
        parts = [changes[:, :n], changes[:, n:]]
        if self.norms:
            parts = [norm(part) for norm, part in zip(self.norms, parts, strict=True)]
        factor, shift = (
            xp.exp(strength) * xp.tanh(part)
            for strength, part in zip((self.factor, self.shift), parts, strict=True)
        )
        return x * (1.0 + factor) + shift

    def _invariants(self, rows: Any, features: Any, edges: Edges) -> Any:
        """Return ``Mᵀ M_<``, ``(atom, feature, axis)``, of rows and features of the edges."""
        moments = edges.pairs.moments(edges.told(rows), features) * edges.norm[:, :, None]
        turned = namespace(moments).permute_dims(moments, (0, 2, 1))
        return namespace(moments).matmul(turned, moments[:, :, : self.axis])


def directed(radial: Any, edges: Edges, lmax: int) -> Any:
    """Return the first features of degrees 1 to ``lmax``, ``(atom, row, channel)``.

    They are harmonics of the directions to the neighbours times radial features.

    Args:
        radial: ``(edge, degree, channel)``.
        edges: the edges.
        lmax: the highest degree.
    """
    harmonics = spherical_harmonics(edges.unit, lmax)[:, 1:, None]
    messages = Rows.by_degree(lmax).times(harmonics, radial[:, 1:, :], lowest=1)
    return edges.pairs.sum(edges.told(messages)) * edges.norm[:, :, None]
