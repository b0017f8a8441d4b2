"""The spins of the atoms as features."""

import math
from typing import Any, Self

import numpy as np

from dpcore.batch import Batch, places
from dpcore.descriptors.dpa4.edges import Edges
from dpcore.errors import DPError
from dpcore.nn import Dense
from dpcore.nn.linear import linear
from dpcore.nn.precision import numpy_dtype
from dpcore.tree import Module, param, setting
from dpcore.xp import as_type_of, namespace, shape


class SpinFeatures(Module, name="dpa4_spin_features"):
    """Features of degree 0 of the squares of the spins, and of degree 1 of the spins themselves.

    Attributes:
        layers: make features of degree 0 of the square of a spin.
        own: what the spin of an atom is multiplied by in its own features, ``(type, channel)``.
        neighbour: what it is multiplied by in those of its neighbours, ``(type, channel)``.
    """

    use_spin: tuple[bool, ...] = setting(doc="whether atoms of each type have spins")
    layers: tuple[Dense, Dense]
    own: Any = param()
    neighbour: Any = param()

    def __post_init__(self) -> None:
        if len(self.use_spin) != shape(self.own)[0]:
            raise DPError(
                f"descriptor.use_spin: {len(self.use_spin)} flags for {shape(self.own)[0]} types; one for "
                "each is needed"
            )

    @classmethod
    def create(
        cls,
        rng: np.random.Generator,
        use_spin: tuple[bool, ...],
        ntypes: int,
        channels: int,
        *,
        activation_function: str,
        precision: str,
    ) -> Self:
        """Draw features that are zero at first.

        Args:
            rng: source of the random numbers.
            use_spin: whether atoms of each type have spins.
            ntypes: number of types.
            channels: number of channels.
            activation_function: activation of the features of degree 0.
            precision: precision of the parameters.
        """
        told: dict[str, Any] = {"bias": False, "precision": precision, "trainable": True}
        first = linear(rng, 1, channels, **told)
        last = linear(rng, channels, channels, **told)
        zeros = np.zeros((ntypes, channels), numpy_dtype(precision))
        return cls(
            use_spin=use_spin,
            layers=(
                first.with_(activation_function=activation_function),
                last.with_(weight=np.zeros_like(last.weight)),
            ),
            own=zeros,
            neighbour=zeros.copy(),
        )

    def spins(self, batch: Batch) -> Any:
        """Return the spins of the centres, ``(centre, 3)``, zero where the type has none."""
        xp, rows = namespace(self.own), places(batch)
        spins = as_type_of(xp.take(batch.spin, rows, axis=0), self.own)
        return spins * self._magnetic(xp.take(batch.types, rows, axis=0))

    def _magnetic(self, types: Any) -> Any:
        """Return 1 for atoms of types that have spins, 0 for others, ``(centre, 1)``."""
        xp, zero = namespace(self.own), namespace(self.own).zeros_like(self.own[:1, :1])
        flags = xp.concat([zero + float(flag) for flag in self.use_spin], axis=0)
        return xp.take(flags, types, axis=0)

    def scalars(self, spins: Any, types: Any) -> Any:
        """Return the features of degree 0, ``(centre, channel)``."""
        square = namespace(spins).sum(spins * spins, axis=-1, keepdims=True)
        return self.layers[1](self.layers[0](square)) * self._magnetic(types)

    def vectors(self, spins: Any, edges: Edges) -> Any:
        """Return the features of degree 1, ``(centre, 3, channel)``, of the atoms' own spins."""
        xp = namespace(spins)
        weight = xp.take(self.own, edges.pairs.centre_types, axis=0)
        return _rows(spins)[:, :, None] * weight[:, None, :]

    def told(self, spins: Any, edges: Edges) -> Any:
        """Return the features of degree 1, ``(centre, 3, channel)``, of the spins of the neighbours."""
        xp = namespace(spins)
        weight = xp.take(self.neighbour, edges.pairs.centre_types, axis=0)
        rows = edges.pairs.of_neighbours(_rows(spins)[:, :, None] * weight[:, None, :])
        messages = edges.told(edges.envelope)[:, :, None] * rows
        return edges.pairs.sum(messages) * edges.norm[:, :, None]


def _rows(spins: Any) -> Any:
    """Return spins as rows of degree 1, ``(centre, 3)``: y, z and x of the mirrored vector, of norm √2."""
    xp, norm = namespace(spins), math.sqrt(2.0)
    return xp.concat([-norm * spins[:, 1:], norm * spins[:, :1]], axis=1)
