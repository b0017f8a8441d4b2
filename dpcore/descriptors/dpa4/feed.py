"""Feed-forward networks of the features of an atom."""

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from dpcore.nn.so3.focus import by_focus, joined
from dpcore.nn.so3.gates import Gated
from dpcore.nn.so3.grid_net import GridNet, Operation
from dpcore.nn.so3.grids import Grid
from dpcore.nn.so3.linear import DegreeLinear
from dpcore.nn.so3.rows import Rows
from dpcore.tree import Module, setting


def operation(mlp: bool, branches: int) -> tuple[Operation, int]:
    """Return the operation of a grid network and its number of branches."""
    return ("branch" if branches else "mlp" if mlp else "glu"), max(branches, 1)


@dataclass(frozen=True)
class FeedPlan:
    """What a feed-forward network is made of.

    Attributes:
        activation_function: activation where there is no grid.
        gated: multiply half of the channels by the other half, activated.
        grid: ``sphere`` or ``rotations`` to multiply the halves as functions, or None.
        frames: highest order of the functions on rotations.
        exact: take Lebedev's grid.
        mlp: map channels before and after products on the grid.
        branches: number of products on the grid to choose from, 0 for a plain one.
        bias: give linear maps a bias.
        precision: precision of the parameters.
    """

    activation_function: str
    gated: bool
    grid: str | None
    frames: int
    exact: bool
    mlp: bool
    branches: int
    bias: bool
    precision: str

    def width(self, channels: int, given: int) -> int:
        """Return the number of channels of the hidden layer: the one given, or 8/3 or 4 times as many."""
        wide = (8.0 / 3.0 if self.gated or self.grid else 4.0) * channels
        return given or 32 * math.ceil(wide / 32.0)

    def made(self, lmax: int) -> Grid | None:
        """Make the grid of features up to a degree."""
        rows = Rows.by_degree(lmax)
        if self.grid == "rotations":
            return Grid.rotations(rows, self.frames)
        if self.grid == "sphere":
            return Grid.sphere(rows, exact=self.exact, square=True)
        return None


class FeedForward(Module, name="dpa4_feed_forward"):
    """A linear map, an activation, a linear map.

    Attributes:
        enter: the first map.
        activation: the activation.
        leave: the second map.
    """

    lmax: int = setting(doc="the highest degree")
    gated: bool = setting(doc="multiply half of the channels by the other half, activated")
    enter: DegreeLinear
    activation: Gated | GridNet
    leave: DegreeLinear

    @classmethod
    def create(
        cls, rng: np.random.Generator, lmax: int, channels: int, neurons: int, plan: FeedPlan
    ) -> Self:
        """Draw a network whose result is zero at first.

        Args:
            rng: source of the random numbers.
            lmax: the highest degree.
            channels: number of channels.
            neurons: those of the hidden layer, 0 to choose.
            plan: what it is made of.
        """
        wide, grid = plan.width(channels, neurons), plan.made(lmax)
        told: dict[str, Any] = {"precision": plan.precision, "bias": plan.bias}
        frames = 1 if grid is None else grid.frames
        doubled = 2 if grid is not None or plan.gated else 1
        activation: Gated | GridNet
        if grid is None:
            name = plan.activation_function
            activation = Gated.create(rng, lmax, 1, wide, activation_function=name, **told)
        else:
            kind, branches = operation(plan.mlp, plan.branches)
            rows = Rows.by_degree(lmax)
            activation = GridNet.create(
                rng, grid, rows, (1, wide), operation=kind, branches=branches, **told
            )
        return cls(
            lmax=lmax,
            gated=plan.gated and grid is None,
            enter=DegreeLinear.create(rng, lmax, (1, channels, doubled * frames * wide), **told),
            activation=activation,
            leave=DegreeLinear.create(rng, lmax, (1, frames * wide, channels), zero=True, **told),
        )

    def __call__(self, x: Any) -> Any:
        """Return ``(atom, row, channel)`` of features of that shape."""
        rows = Rows.by_degree(self.lmax)
        y = self.enter(by_focus(x, 1), rows)
        if isinstance(self.activation, GridNet):
            y = self.activation.halves(y, rows)
        elif self.gated:
            n = y.shape[-1] // 2
            y = self.activation(y[..., :n], rows, y[..., n:])
        else:
            y = self.activation(y, rows)
        return joined(self.leave(y, rows))

    def scalars(self, x: Any) -> Any:
        """Return the features of degree 0 alone, ``(atom, 1, channel)``, for less."""
        if not isinstance(self.activation, GridNet):
            return self(x)[:, :1, :]
        y = self.enter(by_focus(x, 1), Rows.by_degree(self.lmax))
        y = self.activation.halves(y, Rows.by_degree(self.lmax), scalar=True)
        return joined(self.leave(y, Rows.by_degree(0)))
