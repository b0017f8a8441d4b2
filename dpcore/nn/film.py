"""Gated layers that a vector of the data set scales and shifts (FiLM: Perez et al., arXiv:1709.07871)."""

import math
from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from dpcore.errors import DPError
from dpcore.nn.dense import Dense
from dpcore.nn.glu import GLUNet
from dpcore.nn.linear import linear
from dpcore.nn.precision import numpy_dtype
from dpcore.tree import Module, param, setting
from dpcore.xp import namespace, shape

# Strength of factors and shifts at first.
STRENGTH = 0.01


class Film(Module, name="film"):
    """Factors and shifts ``x (1 + e^a tanh c) + e^b tanh d`` of several vectors x.

    Attributes:
        code: two layers that make a code of the vector of the data set.
        targets: make c and d of the code, one layer for each x.
        factor: a, ``(x,)``.
        shift: b, ``(x,)``.
    """

    code: tuple[Dense, Dense]
    targets: tuple[Dense, ...]
    factor: Any = param()
    shift: Any = param()

    @classmethod
    def create(
        cls,
        rng: np.random.Generator,
        n_case: int,
        width: int,
        targets: Sequence[int],
        *,
        activation_function: str,
        precision: str,
        trainable: bool,
    ) -> Self:
        """Draw factors and shifts that change nothing at first.

        Args:
            rng: source of the random numbers.
            n_case: length of the vector of the data set.
            width: number of features of the descriptor.
            targets: widths of what is scaled and shifted.
            activation_function: activation of the code's first layer.
            precision: precision of the parameters.
            trainable: whether they are trained.
        """
        told: dict[str, Any] = {"bias": False, "precision": precision, "trainable": trainable}
        hidden = 32 * math.ceil(4 * n_case / 32)
        first = linear(rng, n_case, hidden, **told)
        layers = [linear(rng, 4 * width, 2 * n, **told) for n in targets]
        strength = np.full(len(targets), math.log(STRENGTH), numpy_dtype(precision))
        return cls(
            code=(
                first.with_(activation_function=activation_function),
                linear(rng, hidden, 4 * width, **told),
            ),
            targets=tuple(each.with_(weight=np.zeros_like(each.weight)) for each in layers),
            factor=strength,
            shift=strength.copy(),
        )

    def __call__(self, x: Any, code: Any, number: int) -> Any:
        """Return one of the vectors, ``(centre, n)``, scaled and shifted.

        Args:
            x: the vector.
            code: the code of the data set, ``(1, m)``.
            number: which one it is.
        """
        xp, n = namespace(x), shape(x)[1]
        film = xp.tanh(self.targets[number](code))
        factor = xp.exp(self.factor[number : number + 1]) * film[:, :n]
        return x * (1.0 + factor) + xp.exp(self.shift[number : number + 1]) * film[:, n:]


class FilmNet(GLUNet, name="film_net"):
    """Gated layers, scaled and shifted as the descriptor is, and a linear one.

    The last numbers of the input are the vector of the data set, the same for all centres.

    Attributes:
        film: the factors and shifts.
    """

    described: int = setting(
        doc="number of features of the descriptor, which the input begins with"
    )
    film: Film

    def __post_init__(self) -> None:
        super().__post_init__()
        wide = [self.described, *(shape(layer.weight)[0] for layer in self.layers[1:])]
        found = [shape(layer.weight)[1] // 2 for layer in self.film.targets]
        if found != wide:
            raise DPError(f"factors for widths {found}; these layers need them for {wide}")

    @property
    def widths(self) -> tuple[int, int]:
        """Widths of the input and the output."""
        n_in, n_out = super().widths
        return n_in + self.cases, n_out

    @property
    def cases(self) -> int:
        """Length of the vector of the data set."""
        return int(shape(self.film.code[0].weight)[0])

    def hidden(self, x: Any) -> Any:
        """Return what the last gated layer gives, ``(centre, n)``."""
        xp, n = namespace(x), shape(self.layers[0].weight)[0]
        code = self.film.code[1](self.film.code[0](x[:1, n:]))
        rest = x[:, self.described : n]
        x = xp.concat([self.film(x[:, : self.described], code, 0), rest], axis=1)
        for number, layer in enumerate(self.layers[:-1], start=1):
            x = self.film(layer(x), code, number)
        return x
