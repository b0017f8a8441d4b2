"""Descriptors made of the environment rows of the neighbours within a cutoff."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np

from dpcore.descriptors.descriptor import Descriptor
from dpcore.descriptors.environment import environment_matrix
from dpcore.descriptors.normalised import Normalised, environment
from dpcore.errors import DPError
from dpcore.fused.table import TabulatedNet
from dpcore.fused.tabulate import ScalarNet, tabulated
from dpcore.nn import MLP, activation
from dpcore.nn.precision import numpy_dtype
from dpcore.tree import buffer, setting
from dpcore.xp import shape

# Tables reach down to this distance, Å; closer neighbours are for the networks themselves.
SHORTEST = 0.5

# How far rounding may put the ends of tables, and how often the distance that they reach is halved.
_SLACK, _BISECTIONS = 1e-12, 60

Range = tuple[float, float]


class LocalDescriptor(Descriptor):
    """Base of descriptors of environment rows: what they all are told, their statistics and networks.

    Attributes:
        columns: number of columns of the rows: 4, or 1 where they are radial.
        two_sided: whether what networks are given grows to both sides as neighbours come closer.
        nets: the embedding networks.
    """

    columns: ClassVar[int] = 4
    two_sided: ClassVar[bool] = False

    rcut: float = setting(6.0, doc="cutoff, Å")
    rcut_smth: float = setting(0.5, doc="where the switch function begins to fall, Å")
    neuron: tuple[int, ...] = setting((10, 20, 40), doc="widths of the embedding network")
    activation_function: str = setting("tanh", doc="activation of the embedding network")
    resnet_dt: bool = setting(False, doc="scale residual layers by a trained timestep")
    precision: str = setting("default", doc="precision of the parameters")
    trainable: bool = setting(True, doc="whether the parameters are trained")
    exclude_types: tuple[tuple[int, int], ...] = setting((), doc="type pairs that do not interact")
    env_protection: float = setting(0.0, doc="added to distances that are divided by, Å")
    set_davg_zero: bool = setting(False, doc="keep the mean of the environment rows at zero")
    nets: tuple[MLP | TabulatedNet, ...]
    davg: Any = buffer()
    dstd: Any = buffer()

    def __post_init__(self) -> None:
        check_settings(self)
        check_statistics(self)
        check_nets(self)

    @classmethod
    def number_of_nets(cls, ntypes: int, settings: Mapping[str, Any]) -> int:
        """Return how many embedding networks the settings ask for."""
        raise NotImplementedError

    @property
    def net_inputs(self) -> tuple[int, ...]:
        """How many numbers each of the embedding networks is given."""
        return (1,) * self.number_of_nets(self.ntypes, vars(self))

    @property
    def places(self) -> int:
        """Largest number of neighbours of an atom, whatever their types."""
        raise NotImplementedError

    @property
    def excluded(self) -> frozenset[tuple[int, int]]:
        """Pairs of types that do not interact, in both orders."""
        return frozenset((a, b) for pair in self.exclude_types for a, b in (pair, pair[::-1]))

    def untyped(self) -> Descriptor:
        """Return the same descriptor in the form whose networks tables can take the place of."""
        return self

    @property
    def scalar_nets(self) -> tuple[ScalarNet, ...]:
        """The embedding networks as networks of one number, that tables can take the place of."""
        return self.nets

    def ranges(self, shortest: float = SHORTEST) -> list[Range]:
        """Return the lower and upper end of what each of :attr:`scalar_nets` is given.

        Args:
            shortest: distance of the closest neighbours, Å.
        """
        raise NotImplementedError

    def with_tables(self) -> Self:
        """Return the descriptor with accurate tables in place of its networks, where there are such."""
        nets = self.scalar_nets
        found = tabulated(nets, self.ranges())
        return self if found == nets else self.with_(nets=found)

    @property
    def reach(self) -> float:
        """Distance below which a neighbour may be beyond the tables, Å; 0 where there are none."""
        return reach_of(self.nets, self.ranges, self.rcut)

    @property
    def normalised_rows(self) -> Mapping[str, Normalised]:
        """The environment rows."""
        (selection,) = self.selections
        rows = environment(
            replace(selection, full=False),
            self.places,
            self.rcut_smth,
            self.env_protection,
            columns=self.columns,
            excluded=self.excluded,
            with_mean=not self.set_davg_zero,
        )
        return {"": rows}

    def environment(self, displacement: Any) -> Any:
        """Return the environment rows before normalisation, ``(edge, 4)``, 1/Å."""
        return environment_matrix(displacement, self.rcut_smth, self.rcut, self.env_protection)

    @classmethod
    def network_settings(cls, settings: dict[str, Any]) -> dict[str, Any]:
        """Return what the networks of a descriptor with some settings are told."""
        keys = ("activation_function", "resnet_dt", "precision", "trainable")
        return {key: settings.get(key, getattr(cls, key)) for key in keys}

    @classmethod
    def draw_nets(
        cls, rng: np.random.Generator, count: int, n_in: int, settings: dict[str, Any]
    ) -> tuple[MLP, ...]:
        """Draw embedding networks of ``n_in`` numbers."""
        told, neuron = cls.network_settings(settings), settings.get("neuron", cls.neuron)
        return tuple(MLP.create(n_in, neuron, rng, **told) for _ in range(count))

    @classmethod
    def neutral_statistics(
        cls, ntypes: int, places: int, settings: dict[str, Any]
    ) -> dict[str, Any]:
        """Return statistics that leave the environment rows as they are."""
        dtype = numpy_dtype(settings.get("precision", cls.precision))
        sizes = (ntypes, places, cls.columns)
        return {"davg": np.zeros(sizes, dtype), "dstd": np.ones(sizes, dtype)}


def check_settings(settings: LocalDescriptor) -> None:
    """Raise a one-line error for settings that have no meaning."""
    if not 0 <= settings.rcut_smth < settings.rcut:
        raise DPError(
            f"descriptor.rcut_smth: {settings.rcut_smth} must lie between 0 and rcut = {settings.rcut}"
        )
    if not settings.neuron or min(settings.neuron) < 1:
        raise DPError(f"descriptor.neuron: {list(settings.neuron)} must hold positive widths")
    if settings.env_protection < 0:
        raise DPError(f"descriptor.env_protection: {settings.env_protection} must not be negative")
    for pair in settings.exclude_types:
        if not all(0 <= t < settings.ntypes for t in pair):
            raise DPError(
                f"descriptor.exclude_types: {list(pair)} names a type outside 0 … {settings.ntypes - 1}"
            )
    activation(settings.activation_function)
    numpy_dtype(settings.precision)


def check_statistics(settings: LocalDescriptor) -> None:
    """Raise a one-line error for statistics that do not fit the settings."""
    needed = (settings.ntypes, settings.places, settings.columns)
    for key in ("davg", "dstd"):
        found = shape(getattr(settings, key))
        if found != needed:
            raise DPError(f"descriptor.{key}: shape {found}; these settings need {needed}")


def check_nets(settings: LocalDescriptor) -> None:
    """Raise a one-line error for embedding networks that do not fit the settings."""
    needed = settings.net_inputs
    if len(settings.nets) != len(needed):
        raise DPError(
            f"descriptor.nets: {len(settings.nets)} networks; these settings need {len(needed)}"
        )
    for i, (net, inputs) in enumerate(zip(settings.nets, needed, strict=True)):
        n_in = 1 if isinstance(net, TabulatedNet) else inputs
        if net.widths != (n_in, settings.neuron[-1]):
            raise DPError(
                f"descriptor.nets.{i}: from {net.widths[0]} to {net.widths[1]}; these settings need "
                f"from {n_in} to {settings.neuron[-1]}"
            )


def reach_of(
    nets: Sequence[ScalarNet], ranges: Callable[[float], Sequence[Range]], farthest: float
) -> float:
    """Return the distance below which what tables are given may be beyond them, Å; 0 without tables.

    Args:
        nets: networks of one number, or tables.
        ranges: returns the ends of what each is given if no neighbour is closer than a distance, Å.
        farthest: cutoff, Å.
    """
    tables = {i: net for i, net in enumerate(nets) if isinstance(net, TabulatedNet)}

    def within(distance: float) -> bool:
        ends = ranges(distance)
        return all(
            table.lower - _SLACK * abs(table.lower) <= ends[i][0]
            and ends[i][1] <= table.upper + _SLACK * abs(table.upper)
            for i, table in tables.items()
        )

    near, far = 0.0, farthest if tables else 0.0
    for _ in range(_BISECTIONS if tables else 0):
        middle = 0.5 * (near + far)
        near, far = (near, middle) if within(middle) else (middle, far)
    return far
