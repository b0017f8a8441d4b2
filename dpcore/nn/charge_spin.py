"""The charge and spin multiplicity of a frame as features."""

from typing import Any, Self

import numpy as np

from dpcore.batch import Batch, places
from dpcore.errors import DPError
from dpcore.nn.dense import Dense
from dpcore.nn.type_embedding import TypeEmbedding
from dpcore.tree import Module, buffer
from dpcore.xp import namespace, shape

# Charges from the first number on, and how many there are; multiplicities alike.
CHARGES = (-100, 200)
MULTIPLICITIES = (0, 100)


class ChargeSpinEmbedding(Module, name="charge_spin_embedding"):
    """A network of the features of the charge and of the spin multiplicity.

    Attributes:
        charge: gives the features of the charges.
        spin: gives those of the multiplicities.
        mix: makes one vector of both.
        tables: features of both, ``(charge + multiplicity, width)``, where they were computed ahead.
    """

    charge: TypeEmbedding
    spin: TypeEmbedding
    mix: Dense
    tables: Any = buffer(default=None)

    def __post_init__(self) -> None:
        width = shape(self.mix.weight)[1]
        needed = ((CHARGES[1], width), (MULTIPLICITIES[1], width), 2 * width)
        found = tuple((len(e.type_map), e.width) for e in (self.charge, self.spin))
        if (*found, shape(self.mix.weight)[0]) != needed:
            raise DPError(
                f"charge_spin: tables of {found[0]} and {found[1]} numbers, mixed by a layer of "
                f"{shape(self.mix.weight)[0]}; {needed[0]}, {needed[1]} and {needed[2]} are needed"
            )

    @classmethod
    def create(
        cls, rng: np.random.Generator, width: int, activation_function: str, **settings: Any
    ) -> Self:
        """Draw an embedding.

        Args:
            rng: source of the random numbers.
            width: number of features.
            activation_function: activation of the layer that mixes both.
            settings: ``precision`` and ``trainable``.
        """
        linear = {"neuron": (width,), "activation_function": "none", **settings}
        names = [tuple(map(str, range(n))) for _, n in (CHARGES, MULTIPLICITIES)]
        charge, spin = (TypeEmbedding.create(rng, type_map=each, **linear) for each in names)
        told = {"activation_function": activation_function, "resnet": False, **settings}
        mix = Dense.create(2 * width, width, rng, timestep=False, **told)
        return cls(charge=charge, spin=spin, mix=mix)

    def prepared(self) -> Self:
        """Return the embedding with its tables computed."""
        return self.with_(tables=self.of_all())

    def of_all(self) -> Any:
        """Return the features of the charges and, behind them, of the multiplicities."""
        if self.tables is not None:
            return self.tables
        parts = [embedding()[:-1, :] for embedding in (self.charge, self.spin)]
        return namespace(parts[0]).concat(parts, axis=0)

    def __call__(self, states: Any) -> Any:
        """Return the features of frames, ``(frame, width)``.

        Args:
            states: charge and spin multiplicity of each, whole numbers, ``(frame, 2)``.
        """
        xp, tables = namespace(states), self.of_all()
        rows = xp.astype(states, "int64")
        charge = xp.take(tables, rows[:, 0] - CHARGES[0], axis=0)
        spin = xp.take(tables, rows[:, 1] - MULTIPLICITIES[0] + CHARGES[1], axis=0)
        return self.mix(xp.concat([charge, spin], axis=1))

    def of_centres(self, batch: Batch) -> Any:
        """Return the features of the frames that a batch's centres are in, ``(centre, width)``."""
        xp = namespace(batch.frame)
        frame = xp.take(batch.frame, places(batch), axis=0)
        return xp.take(self(batch.charge_spin), frame, axis=0)


def check_state(state: tuple[float, ...], where: str) -> None:
    """Raise a one-line error for a charge and a spin multiplicity that have no features.

    Args:
        state: both.
        where: what gives them, for the message.
    """
    if len(state) != 2:
        raise DPError(f"{where}: {list(state)} must be a charge and a spin multiplicity")
    for what, value, (low, n) in zip(
        ("charge", "spin multiplicity"), state, (CHARGES, MULTIPLICITIES), strict=True
    ):
        if not (float(value).is_integer() and low <= value < low + n):
            raise DPError(
                f"{where}: the {what} {value} must be a whole number from {low} to {low + n - 1}"
            )
