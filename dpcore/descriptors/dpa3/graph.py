"""The edges and angles that all layers of a repflow see."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from dpcore.batch import Batch, by_view
from dpcore.descriptors.dpa3.settings import RepflowNeighbours, RepflowSettings
from dpcore.descriptors.neighbourhood import neighbourhood
from dpcore.nn.nearest import Nearest
from dpcore.nn.neighbourhood import Neighbourhood
from dpcore.xp import namespace, shape

# The exponential switch function is 0 to rounding where its exponent is beyond this.
_FAR = 20.0

# What directions that angles are between are divided by less, Å, and how much cosines fall short of 1.
_SHORT, _BLUNT = 1e-6, 1e-6


@dataclass(frozen=True)
class Graph:
    """What does not change from layer to layer.

    Attributes:
        settings: what the repflow is told.
        edges: the neighbours of each atom.
        vectors: normalised directional parts of their environment rows, times the switch function,
            ``(..., 3)``.
        near: the neighbours that angles are made of; None where there are no angles.
    """

    settings: RepflowSettings
    edges: Neighbourhood
    vectors: Any
    near: Nearest | None

    def moments(self, features: Any) -> Any:
        """Return the moments of features of the neighbours, ``(centre, 3, n)``, of ``(..., n)``."""
        scale = self.settings.neighbours.edges**-0.5
        return self.edges.moments(self.vectors, features) * scale

    def received(self, messages: Any) -> Any:
        """Return the mean message of the neighbours, ``(centre, n)``, of ``(..., n)``."""
        scale = 1.0 / self.settings.neighbours.edges
        return self.edges.moments(self.edges.switch, messages)[:, 0, :] * scale

    def received_of_angles(self, messages: Any) -> Any:
        """Return the mean message of their angles to edges, ``(centre, near, n)``."""
        assert self.near is not None
        return self.near.received(messages) * self.settings.neighbours.angles**-0.5

    @cached_property
    def without_angles(self) -> Any:
        """Return 1 for edges that no angles are made of and 0 for the others, ``(..., 1)``."""
        assert self.near is not None
        return 1.0 - self.near.on_edges(self.near.rows.there)


def graph_of(
    batch: Batch, displacement: Any, told: RepflowSettings, exclude: Collection[tuple[int, int]]
) -> tuple[Neighbourhood, Nearest | None]:
    """Return the edges of a batch, and those that angles are made of.

    Args:
        batch: the batch, with a view of the edges and, where there are angles, another.
        displacement: vectors to the neighbours on its edge axis, ``(edge, 3)``, Å.
        told: what the repflow is told.
        exclude: pairs of types, centre first, that do not interact.
    """
    asked = told.neighbours
    (of_edges, vectors), *rest = by_view(batch, displacement, [1] * len(batch.views))
    edges = _switched(
        neighbourhood(of_edges, vectors, asked.e_rcut_smth, asked.e_rcut, exclude), asked, "e"
    )
    if not rest:
        return edges, None
    ((of_angles, vectors),) = rest
    rows = _switched(
        neighbourhood(of_angles, vectors, asked.a_rcut_smth, asked.a_rcut, exclude), asked, "a"
    )
    return edges, Nearest.among(edges, rows, of_edges.view.blocks[0][0])


def cosines(rows: Neighbourhood) -> Any:
    """Return the cosines of the angles between neighbours over √π, ``(centre, k, j, 1)``."""
    xp, there = namespace(rows.displacement), rows.there
    units = rows.displacement * (there / (rows.length + _SHORT))
    found = xp.matmul(units, xp.permute_dims(units, (0, 2, 1))) * (
        (1.0 - _BLUNT) * _INVERSE_ROOT_PI
    )
    return found[..., None]


_INVERSE_ROOT_PI = 0.5641895835477563


def exponential_switch(length: Any, rcut_smth: float) -> Any:
    """Return ``exp(-exp(20 (r - rcut_smth) / rcut_smth))`` of distances r in Å."""
    xp = namespace(length)
    exponent = (length - rcut_smth) * (20.0 / rcut_smth)
    # Beyond, the derivative would be 0 times infinity.
    exponent = xp.where(exponent < _FAR, exponent, _FAR * xp.ones_like(exponent))
    return xp.exp(-xp.exp(exponent))


def _switched(around: Neighbourhood, asked: RepflowNeighbours, kind: str) -> Neighbourhood:
    """Return a neighbourhood with the switch function that settings ask for."""
    if not asked.use_exp_switch:
        return around
    smooth = getattr(asked, f"{kind}_rcut_smth")
    return replace(around, switch=exponential_switch(around.length, smooth) * around.there)


def environment_rows(edges: Neighbourhood, protection: float) -> Any:
    """Return the rows ``w/r (1, d/r)`` of edges, ``(..., 4)``, 1/Å.

    Args:
        edges: the edges.
        protection: added to distances that are divided by, Å.
    """
    inverse = 1.0 / (edges.length + protection)
    radial = edges.switch * inverse
    return namespace(radial).concat([radial, radial * inverse * edges.displacement], axis=-1)


def in_places(statistics: Any, types: Any, place: Any) -> Any:
    """Return the statistics of edges in a list, ``(edge, 4)``.

    Args:
        statistics: by type and place, ``(type, place, 4)``.
        types: types of the edges' centres, ``(edge,)``.
        place: how many neighbours are before each, ``(edge,)``.
    """
    xp, (ntypes, places, columns) = namespace(statistics), shape(statistics)
    flat = xp.reshape(statistics, (ntypes * places, columns))
    return xp.take(flat, types * places + place, axis=0)
