"""The moments of an environment, ``Σ_j R(d_ij) G(R_0(d_ij))``, by one kernel."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from functools import singledispatch
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from dpcore.batch import Batch
from dpcore.fused.table import TabulatedNet
from dpcore.fused.tabulate import is_tabulable
from dpcore.nn import MLP
from dpcore.tree import Module, buffer, setting
from dpcore.xp import as_type_of, shape

Array = NDArray[Any]

# How the embedding is evaluated, in the order of the kernels' own numbers.
EMBEDDINGS = ("table", "net", "series")

ROW = 8
"""Rows of features are padded to a multiple of this in tables, nets and series."""

_PAIR_COLUMNS = 24


@dataclass(frozen=True)
class PairSettings:
    """How the environment rows of a pair of types are normalised and embedded.

    Attributes:
        net: number of its network.
        mean: mean of a row, ``(4,)``.
        scale: what a row less its mean is multiplied by, ``(4,)``.
        input_scale: what the radial component less its mean is multiplied by for the network.
        empty: first row of the pair in what empty places add.
        excluded: whether the pair does not interact.
    """

    net: int
    mean: Array
    scale: Array
    input_scale: float
    empty: int
    excluded: bool

    @property
    def of_empty(self) -> float:
        """What the network is given for an empty place."""
        return -self.input_scale * float(self.mean[0])

    def row(self, place: Sequence[float]) -> Array:
        """Return what kernels are told of the pair, whose network is at that place of the data."""
        row = np.zeros(_PAIR_COLUMNS)
        row[0:4], row[4:8] = self.mean, self.scale
        row[8:11] = self.input_scale, self.empty, self.excluded
        row[11 : 11 + len(place)] = place
        return row


@dataclass(frozen=True)
class MomentSettings:
    """The plain values that a kernel is given, as the fields of :class:`FusedMoments` explain them."""

    embedding: str
    width: int
    widest: int
    rcut_smth: float
    rcut: float
    protection: float


class FusedMoments(Module, name="fused_moments"):
    """Everything that a kernel needs to sum environment row times embedding over the neighbours.

    It is made when a model is made ready and never stored.

    Attributes:
        pairs: settings of the pairs of types, ``(pair, 24)``.
        data: tables, nets or series, ``(n,)``.
        empty: what the empty places of a centre add, by how many there are, ``(row, 4, feature)``; no rows where
            ``blank`` tells it.
        blank: what each empty place of a pair adds, ``(pair, 4, feature)``, or None.
    """

    rcut: float = setting(doc="cutoff, Å")
    rcut_smth: float = setting(doc="where the switch function begins to fall, Å")
    protection: float = setting(doc="added to distances that are divided by, Å")
    embedding: str = setting(doc="table, net or series")
    width: int = setting(doc="number of features of the embedding")
    widest: int = setting(doc="width of the widest layer of a net")
    ntypes: int = setting(doc="number of atom types")
    pairs: Any = buffer(exact=True)
    data: Any = buffer()
    empty: Any = buffer()
    blank: Any = buffer(default=None)

    @classmethod
    def create(
        cls,
        nets: Sequence[MLP | TabulatedNet],
        pairs: Sequence[PairSettings],
        kernels: Collection[str],
        empty: Array,
        **settings: Any,
    ) -> Self | None:
        """Pack what a kernel needs, or return None for networks that it does not know.

        Args:
            nets: networks of one number.
            pairs: settings of all pairs of types, those of the first centre type first.
            kernels: embeddings that there are kernels for.
            empty: what empty places add, ``(row, 4, feature)``.
            settings: ``rcut``, ``rcut_smth``, ``protection`` and ``ntypes``.
        """
        packed = _pack(nets)
        if packed is None or packed.embedding not in kernels:
            return None
        rows = np.stack([pair.row(packed.places[pair.net]) for pair in pairs])
        return cls(
            embedding=packed.embedding,
            width=nets[0].widths[1],
            widest=packed.widest,
            pairs=rows,
            data=packed.data,
            empty=np.ascontiguousarray(empty),
            **settings,
        )

    @property
    def settings(self) -> MomentSettings:
        """The plain values that a kernel is given."""
        return MomentSettings(
            self.embedding, self.width, self.widest, self.rcut_smth, self.rcut, self.protection
        )

    @property
    def constants(self) -> list[Any]:
        """The arrays that a kernel is given."""
        return [self.pairs, self.data, self.empty]

    def __call__(self, batch: Batch, displacement: Any) -> Any:
        """Return the moments of all centres, group by group, ``(centre, 4, feature)``."""
        displacement = as_type_of(displacement, self.data)
        if self.embedding != "series":
            return fused_moments(displacement, self, batch)
        return series_moments(displacement, self.data, self, batch)


@singledispatch
def fused_moments(displacement: Any, moments: FusedMoments, batch: Batch) -> Any:  # noqa: ARG001
    """Return the moments of a batch; backends that have the kernel register themselves."""
    raise TypeError(f"there are no kernels for arrays of {type(displacement)}")


@singledispatch
def series_moments(displacement: Any, data: Any, moments: FusedMoments, batch: Batch) -> Any:  # noqa: ARG001
    """Return the moments from series, which can be differentiated by the data, too.

    A derivative by the displacements may be differentiated by the data and by what it is multiplied by; its
    derivative by the displacements is NaN. Backends that have the kernels register themselves.
    """
    raise TypeError(f"there are no kernels for arrays of {type(displacement)}")


def layout(batch: Batch, ntypes: int = 0) -> list[tuple[Any, Any, int, Any]]:
    """Return centres, width, pair of ``ntypes`` types and first row of each block of a batch."""
    rows: list[tuple[Any, Any, int, Any]] = []
    for view in batch.views:
        first: Any = 0
        for group, row in zip(batch.groups, view.blocks, strict=not view.mixed):
            for kind, block in enumerate(row):
                rows.append((*shape(block.index), (group.type or 0) * ntypes + kind, first))
            first = first + shape(group.place)[0]
    return rows


def library() -> Any:
    """Return the kernels' functions on NumPy arrays, which must be installed."""
    from dpcore.registry import kernels

    found = kernels()
    assert found is not None
    return found


def problem(
    settings: MomentSettings,
    constants: Sequence[Array],
    rows: Array,
    count: Sequence[Array],
    displacement: Array,
) -> Any:
    """Return what the kernels take, from NumPy arrays.

    Args:
        settings: the plain values of the :class:`FusedMoments`.
        constants: its arrays ``pairs``, ``data`` and ``empty``.
        rows: the :func:`layout`, ``(block, 4)``.
        count: neighbours of the centres of each block.
        displacement: ``(edge, 3)``, Å, in the dtype of the data.
    """
    pairs, data, empty = constants
    return library().moments.problem(
        **asdict(settings),
        layout=rows,
        count=count,
        pairs=pairs,
        data=data,
        empty=empty,
        displacement=displacement,
    )


@dataclass(frozen=True)
class _Packed:
    """Hold networks as the kernels read them, with the ``DPK_START`` columns of each."""

    embedding: str
    widest: int
    data: Array
    places: Sequence[Sequence[float]]


def _pack(nets: Sequence[MLP | TabulatedNet]) -> _Packed | None:
    """Return networks as the kernels read them, or None for what they do not know."""
    tables = [net for net in nets if isinstance(net, TabulatedNet)]
    if len(tables) == len(nets):
        return _pack_tables(tables)
    layers = [net for net in nets if isinstance(net, MLP)]
    known = all(_known(net) for net in layers) and len(layers) == len(nets)
    return _pack_nets(layers) if known else None


def _pack_tables(nets: Sequence[TabulatedNet]) -> _Packed:
    parts: list[Array] = []
    places, start = [], 0
    for net in nets:
        place: list[float] = []
        for table in net.segments:
            place += [start, table.lower, 1.0 / table.stride, table.intervals]
            parts.append(_padded(table.knots).ravel())
            start += parts[-1].size
        places.append([*place, 0.0, 0.0, 0.0, 0.0][:8])
    return _Packed("table", 0, np.concatenate(parts), places)


def _known(net: MLP) -> bool:
    """Return whether the kernels can evaluate a network."""
    known = all(layer.activation_function == "tanh" for layer in net.layers)
    return known and is_tabulable(net)


def _pack_nets(nets: Sequence[MLP]) -> _Packed:
    parts: list[Array] = []
    places, start = [], 0
    for net in nets:
        number = _padded(np.array([len(net.layers)]))
        packed = np.concatenate([number, *map(_pack_layer, net.layers)])
        parts.append(packed.astype(net.layers[0].weight.dtype))
        places.append([start] + [0.0] * 7)
        start += packed.size
    widest = max(layer.weight.shape[1] for net in nets for layer in net.layers)
    return _Packed("net", widest, np.concatenate(parts), places)


def _pack_layer(layer: Any) -> Array:
    n_in, n_out = layer.weight.shape
    zeros = np.zeros(n_out, layer.weight.dtype)
    adds = layer.resnet and n_out in {n_in, 2 * n_in}
    bias = zeros if layer.bias is None else layer.bias
    timestep = zeros if layer.timestep is None else layer.timestep
    header = _padded(np.array([n_in, n_out, adds, layer.timestep is not None], zeros.dtype))
    rows = _padded(np.concatenate([layer.weight, bias[None], timestep[None]]))
    return np.concatenate([header, rows.ravel()])


def _padded(x: Array) -> Array:
    return np.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, -x.shape[-1] % ROW)])
