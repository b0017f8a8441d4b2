"""The two-body embedding descriptor with full directional information."""

from collections.abc import Collection
from typing import Any, Self

import numpy as np

from dpcore.batch import Batch, Group, Neighbours, by_block
from dpcore.descriptors.environment import environment_matrix
from dpcore.errors import DPError
from dpcore.fused.moments import FusedMoments, PairSettings
from dpcore.fused.table import TabulatedNet
from dpcore.fused.tabulate import tabulated
from dpcore.neighbours.selection import Selection
from dpcore.nn import MLP, activation
from dpcore.nn.precision import numpy_dtype
from dpcore.tree import Module, buffer, setting
from dpcore.xp import as_type_of, namespace, shape

# Tables reach down to this distance, Å; closer neighbours are for the networks themselves.
SHORTEST = 0.5


class SeE2A(Module, name="se_e2_a"):
    """Smooth edition of the Deep Potential descriptor, ``D = (Gᵀ R)(Rᵀ G<) / N²``.

    R are the normalised environment rows of the neighbours, G an embedding network of their radial part,
    ``G<`` its first ``axis_neuron`` columns, and N the sum of ``sel``.
    Source: Zhang et al., NeurIPS 2018, arXiv:1805.09003.
    """

    sel: tuple[int, ...] = setting(
        doc="largest number of neighbours of each type within the cutoff"
    )
    rcut: float = setting(6.0, doc="cutoff, Å")
    rcut_smth: float = setting(0.5, doc="where the switch function begins to fall, Å")
    neuron: tuple[int, ...] = setting((10, 20, 40), doc="widths of the embedding network")
    axis_neuron: int = setting(4, doc="number of axis columns", aliases=("n_axis_neuron",))
    activation_function: str = setting("tanh", doc="activation of the embedding network")
    resnet_dt: bool = setting(False, doc="scale residual layers by a trained timestep")
    type_one_side: bool = setting(False, doc="embed by the neighbour's type alone")
    precision: str = setting("default", doc="precision of the parameters")
    trainable: bool = setting(True, doc="whether the parameters are trained")
    exclude_types: tuple[tuple[int, int], ...] = setting((), doc="type pairs that do not interact")
    env_protection: float = setting(0.0, doc="added to distances that are divided by, Å")
    set_davg_zero: bool = setting(False, doc="keep the mean of the environment rows at zero")
    nets: tuple[MLP | TabulatedNet, ...]
    davg: Any = buffer()
    dstd: Any = buffer()
    empty: Any = buffer(default=None)
    fused: FusedMoments | None = None

    def __post_init__(self) -> None:
        _check_settings(self)
        _check_arrays(self)

    @classmethod
    def create(
        cls, rng: np.random.Generator, *, neuron: tuple[int, ...] = (10, 20, 40), **settings: Any
    ) -> Self:
        """Draw a descriptor with random networks and neutral statistics."""
        ntypes, precision = len(settings["sel"]), settings.get("precision", "default")
        shared = {
            "resnet_dt": settings.get("resnet_dt", False),
            "activation_function": settings.get("activation_function", "tanh"),
            "precision": precision,
            "trainable": settings.get("trainable", True),
        }
        count = ntypes if settings.get("type_one_side", False) else ntypes**2
        rows = (ntypes, sum(settings["sel"]), 4)
        return cls(
            neuron=neuron,
            nets=tuple(MLP.create(1, neuron, rng, **shared) for _ in range(count)),
            davg=np.zeros(rows, numpy_dtype(precision)),
            dstd=np.ones(rows, numpy_dtype(precision)),
            **settings,
        )

    @property
    def ntypes(self) -> int:
        """Number of atom types."""
        return len(self.sel)

    @property
    def width(self) -> int:
        """Number of features of an atom."""
        return self.neuron[-1] * self.axis_neuron

    @property
    def selection(self) -> Selection:
        """The neighbours this descriptor asks for."""
        return Selection(rcut=self.rcut, sel=self.sel)

    def net_number(self, centre: int, neighbour: int) -> int:
        """Return which network embeds a pair of types."""
        return neighbour if self.type_one_side else centre + neighbour * self.ntypes

    def prepared(self, *, tables: bool = False, kernels: Collection[str] = ()) -> Self:
        """Return the descriptor with everything computed that no input changes.

        Args:
            tables: replace networks by tables that agree with them to rounding, where there are such.
            kernels: embeddings to evaluate by fused kernels, of ``table`` and ``net``.
        """
        nets = tabulated(self.nets, self.ranges()) if tables else self.nets
        ready = self.with_(nets=nets).with_empty_places()
        return ready.fuse(kernels) if kernels else ready

    def with_empty_places(self) -> Self:
        """Return the descriptor with what the empty places of ``sel`` add computed ahead."""
        empty = [
            np.concatenate([self._sum_empty(c, t) for t in range(self.ntypes)])
            for c in range(self.ntypes)
        ]
        # Some products of low-precision numbers come back wider.
        return self.with_(empty=np.stack(empty).astype(self.davg.dtype))

    @property
    def reach(self) -> float:
        """Distance below which a neighbour is beyond the tables, Å; 0 where there are none."""
        closest = 0.0
        for pair in self._interacting:
            net = self.nets[self.net_number(*pair)]
            if isinstance(net, TabulatedNet):
                radial = np.min(
                    net.upper * self._rows(self.dstd, *pair) + self._rows(self.davg, *pair)
                )
                nearest = 1.0 / max(float(radial), 1.0 / self.rcut)
                closest = max(closest, nearest - self.env_protection)
        return closest

    @property
    def _pairs(self) -> list[tuple[int, int]]:
        """Pairs of types, centre first, that have places in ``sel``."""
        types = range(self.ntypes)
        return [(c, n) for c in types for n in types if self.sel[n]]

    @property
    def _interacting(self) -> list[tuple[int, int]]:
        """Pairs of types, centre first, that contribute more than constants."""
        excluded = {(a, b) for pair in self.exclude_types for a, b in (pair, pair[::-1])}
        return [pair for pair in self._pairs if pair not in excluded]

    def _rows(self, statistics: Any, centre: int, neighbour: int, column: int = 0) -> Any:
        """Return a column of ``davg`` or ``dstd`` in the places of a pair of types, ``(sel,)``."""
        first = sum(self.sel[:neighbour])
        return statistics[centre, first : first + self.sel[neighbour], column]

    def ranges(self, shortest: float = SHORTEST) -> list[tuple[float, float]]:
        """Return the lower and upper end of what each network is given.

        Args:
            shortest: distance of the closest neighbours, Å.
        """
        largest = 1.0 / (shortest + self.env_protection)
        ends: dict[int, list[float]] = {}
        # Excluded pairs too: their networks are evaluated for the empty places of `sel`.
        for pair in self._pairs:
            mean, std = self._rows(self.davg, *pair), self._rows(self.dstd, *pair)
            given = ends.setdefault(self.net_number(*pair), [])
            given += [float(np.min(-mean / std)), float(np.max((largest - mean) / std))]
        return [(min(ends.get(i, [0.0])), max(ends.get(i, [1.0]))) for i in range(len(self.nets))]

    def fuse(self, kernels: Collection[str]) -> Self:
        """Return the descriptor evaluated by kernels, or itself where its settings are not for them."""
        pairs = [self._pair(c, t) for c in range(self.ntypes) for t in range(self.ntypes)]
        known = [pair for pair in pairs if pair is not None]
        if len(known) < len(pairs) or self.empty is None:
            return self
        empty = self.empty.reshape(-1, *self.empty.shape[2:]).transpose(0, 2, 1) / sum(self.sel)
        fused = FusedMoments.create(
            self.nets,
            known,
            kernels,
            empty.astype(self.davg.dtype),
            rcut=self.rcut,
            rcut_smth=self.rcut_smth,
            protection=self.env_protection,
            ntypes=self.ntypes,
        )
        return self.with_(fused=fused)

    def _pair(self, centre: int, neighbour: int) -> PairSettings | None:
        """Return the kernels' settings of a pair of types, or None if its statistics vary by place."""
        first, n = sum(self.sel[:neighbour]), self.sel[neighbour]
        mean, std = (x[centre, first : first + n].astype(float) for x in (self.davg, self.dstd))
        if n and (np.ptp(mean, axis=0).any() or np.ptp(std, axis=0).any()):
            return None
        inverse = 1.0 / std[0] if n else np.ones(4)
        return PairSettings(
            net=self.net_number(centre, neighbour),
            mean=mean[0] if n else np.zeros(4),
            scale=inverse / sum(self.sel),
            input_scale=float(inverse[0]),
            empty=centre * (sum(self.sel) + self.ntypes) + first + neighbour,
            excluded=(centre, neighbour) not in self._interacting,
        )

    def __call__(self, batch: Batch, displacement: Any) -> list[Any]:
        """Describe the atoms of a batch.

        Args:
            batch: the atoms and their neighbours.
            displacement: vectors to the neighbours on the batch's edge axis, ``(edge, 3)``, Å.

        Returns:
            features by group, ``(centre, width)`` each.
        """
        xp = namespace(displacement)
        if self.fused is not None:
            moments = self.fused(batch, displacement)
        else:
            rows = environment_matrix(displacement, self.rcut_smth, self.rcut, self.env_protection)
            parts = zip(batch.groups, by_block(batch, rows), strict=True)
            moments = xp.concat([self._moments(group, part) for group, part in parts], axis=0)
        rest = self.neuron[-1] - self.axis_neuron
        axis = xp.split(moments, [self.axis_neuron, rest], axis=2)[0]
        features = xp.matmul(xp.permute_dims(moments, (0, 2, 1)), axis)
        features = xp.reshape(features, (shape(moments)[0], self.width))
        return list(xp.split(features, [shape(group.place)[0] for group in batch.groups]))

    def _moments(self, group: Group, parts: list[Any]) -> Any:
        """Return ``Rᵀ G / N`` of a group from its environment rows by block, ``(centre, 4, neuron)``."""
        total: Any = sum(
            (
                self._embed(group.type, t, block, rows)
                for t, (block, rows) in enumerate(zip(group.blocks, parts, strict=True))
            ),
            start=0.0,
        )
        return namespace(parts[0]).permute_dims(total / sum(self.sel), (0, 2, 1))

    def _embed(self, centre: int, neighbour: int, block: Neighbours, rows: Any) -> Any:
        """Return ``Gᵀ R`` over the neighbours of one type, ``(centre, neuron, 4)``."""
        xp = namespace(rows)
        padding = xp.take(self._empty_places(centre, neighbour), block.count, axis=0)
        width = shape(rows)[1]
        excluded = {(centre, neighbour), (neighbour, centre)} & set(self.exclude_types)
        if excluded or (isinstance(width, int) and width == 0):
            return padding
        first = sum(self.sel[:neighbour])
        davg = as_type_of(self.davg[centre, first : first + width, :], rows)
        dstd = as_type_of(self.dstd[centre, first : first + width, :], rows)
        real = as_type_of(block.mask(), rows)[:, :, None]
        rows = as_type_of((rows - davg) / dstd * real, self.davg)
        embedding = self.nets[self.net_number(centre, neighbour)](rows[:, :, :1])
        return xp.matmul(xp.permute_dims(embedding, (0, 2, 1)), rows) + padding

    def _empty_places(self, centre: int, neighbour: int) -> Any:
        """Return what the empty places of ``sel`` add, by number of neighbours, ``(sel + 1, neuron, 4)``."""
        if self.empty is None:
            return self._sum_empty(centre, neighbour)
        first = sum(self.sel[:neighbour]) + neighbour
        return self.empty[centre, first : first + self.sel[neighbour] + 1, :, :]

    def _sum_empty(self, centre: int, neighbour: int) -> Any:
        """Sum the contributions of the empty places of ``sel``.

        DeePMD-kit normalises empty places like any other, so that they contribute the constant rows
        ``-davg/dstd``.
        """
        xp = namespace(self.davg)
        first, n = sum(self.sel[:neighbour]), self.sel[neighbour]
        davg = self.davg[centre, first : first + n, :]
        rows = -davg / self.dstd[centre, first : first + n, :]
        embedding = self.nets[self.net_number(centre, neighbour)](rows[:, :1])
        places = embedding[:, :, None] * rows[:, None, :]
        none = xp.zeros((1, *shape(places)[1:]), like=places)
        partial = xp.concat([none, xp.cumulative_sum(places, axis=0)], axis=0)
        return partial[-1:, :, :] - partial


def _check_arrays(descriptor: SeE2A) -> None:
    """Raise a one-line error for networks or statistics that do not fit the settings."""
    ntypes = descriptor.ntypes
    expected = ntypes if descriptor.type_one_side else ntypes**2
    if len(descriptor.nets) != expected:
        raise DPError(
            f"descriptor.nets: {len(descriptor.nets)} networks; these settings need {expected}"
        )
    for i, net in enumerate(descriptor.nets):
        if net.widths != (1, descriptor.neuron[-1]):
            raise DPError(
                f"descriptor.nets.{i}: from {net.widths[0]} to {net.widths[1]}; these settings need "
                f"from 1 to {descriptor.neuron[-1]}"
            )
    rows = (ntypes, sum(descriptor.sel), 4)
    for key in ("davg", "dstd"):
        found = shape(getattr(descriptor, key))
        if found != rows:
            raise DPError(f"descriptor.{key}: shape {found}; these settings need {rows}")


def _check_settings(settings: SeE2A) -> None:
    """Raise a one-line error for settings that have no meaning."""
    if not 0 <= settings.rcut_smth < settings.rcut:
        raise DPError(
            f"descriptor.rcut_smth: {settings.rcut_smth} must lie between 0 and rcut = {settings.rcut}"
        )
    if not settings.sel or min(settings.sel) < 0 or sum(settings.sel) == 0:
        raise DPError(
            f"descriptor.sel: {list(settings.sel)} must hold a neighbour count for each type"
        )
    if not settings.neuron or min(settings.neuron) < 1:
        raise DPError(f"descriptor.neuron: {list(settings.neuron)} must hold positive widths")
    if not 1 <= settings.axis_neuron <= settings.neuron[-1]:
        raise DPError(
            f"descriptor.axis_neuron: {settings.axis_neuron} must lie between 1 and the last width "
            f"of neuron, {settings.neuron[-1]}"
        )
    for pair in settings.exclude_types:
        if not all(0 <= t < settings.ntypes for t in pair):
            raise DPError(
                f"descriptor.exclude_types: {list(pair)} names a type outside 0 … {settings.ntypes - 1}"
            )
    activation(settings.activation_function)
    numpy_dtype(settings.precision)
