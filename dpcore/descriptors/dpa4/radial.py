"""Functions of the distance."""

import math
from itertools import pairwise
from typing import Any, Self

import numpy as np

from dpcore.nn import Dense, activation
from dpcore.nn.linear import linear
from dpcore.nn.precision import numpy_dtype
from dpcore.nn.so3.norms import RMSNorm
from dpcore.tree import Module, param, setting
from dpcore.xp import namespace, shape


def envelope(distance: Any, rcut: float, exponent: int) -> Any:
    """Return a function that falls from 1 to 0 at the cutoff, with three continuous derivatives there.

    It is ``(1 - x)⁴ Σ_k (k+3 over 3) x^k`` for ``x = r/rcut``, the sum the first terms of ``(1 - x)⁻⁴``.

    Args:
        distance: r, ``(…)``, Å.
        rcut: cutoff, Å.
        exponent: number of terms, which is how flat it is at r = 0.
    """
    xp = namespace(distance)
    x = xp.minimum(distance * (1.0 / rcut), xp.ones_like(distance))
    series = xp.zeros_like(x)
    for k in reversed(range(exponent)):
        series = math.comb(k + 3, 3) + x * series
    rest = 1.0 - x
    square = rest * rest
    return square * square * series


class RadialBasis(Module, name="dpa4_radial_basis"):
    """Functions of the distance that vanish at the cutoff.

    They are ``sin(f r) / r`` (``bessel``) of trained frequencies, or Gaussians (``gaussian``) about trained
    distances, as wide as these are apart at first, times the envelope.

    Attributes:
        places: frequencies, 1/Å, or distances, Å, ``(1, basis)``.
    """

    rcut: float = setting(doc="cutoff, Å")
    kind: str = setting(doc="bessel or gaussian")
    exponent: int = setting(doc="number of terms of the envelope")
    places: Any = param()

    @classmethod
    def create(cls, rcut: float, kind: str, number: int, exponent: int, precision: str) -> Self:
        """Return a number of functions, evenly spread."""
        places = np.arange(1, number + 1) * (math.pi / rcut)
        if kind == "gaussian":
            places = np.linspace(0.0, rcut, number)
        dtype = numpy_dtype(precision)
        return cls(rcut=rcut, kind=kind, exponent=exponent, places=places[None].astype(dtype))

    def __call__(self, distance: Any) -> Any:
        """Return the functions, ``(edge, basis)``, of distances ``(edge, 1)``, Å, none of them 0."""
        xp = namespace(distance)
        if self.kind == "bessel":
            raw = xp.sin(distance * self.places) * (1.0 / distance)
        else:
            width = self.rcut / max(int(shape(self.places)[1]) - 1, 1)
            apart = distance - self.places
            raw = xp.exp(apart * apart * (-0.5 / (width * width)))
        return raw * envelope(distance, self.rcut, self.exponent)


class RadialNet(Module, name="dpa4_radial_net"):
    """Layers without bias; all but the last one are normalised, if that is asked for, and activated.

    Attributes:
        layers: the linear maps.
        norms: the normalisations, one for each layer but the last, or none at all.
    """

    activation_function: str = setting("silu", doc="activation of the layers")
    layers: tuple[Dense, ...]
    norms: tuple[RMSNorm, ...]

    @classmethod
    def create(
        cls,
        rng: np.random.Generator,
        widths: tuple[int, ...],
        *,
        activation_function: str,
        norm: bool,
        precision: str,
    ) -> Self:
        """Draw layers from one width to the next."""
        pairs = pairwise(widths)
        told: dict[str, Any] = {"bias": False, "precision": precision, "trainable": True}
        return cls(
            activation_function=activation_function,
            layers=tuple(linear(rng, a, b, **told) for a, b in pairs),
            norms=tuple(RMSNorm.create((n,), precision) for n in widths[1:-1]) if norm else (),
        )

    def __call__(self, x: Any) -> Any:
        """Return ``(edge, n_out)`` of ``(edge, n_in)``."""
        act = activation(self.activation_function)
        for i, layer in enumerate(self.layers[:-1]):
            x = layer(x)
            x = act(self.norms[i](x) if self.norms else x)
        return self.layers[-1](x)
