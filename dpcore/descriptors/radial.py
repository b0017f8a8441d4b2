"""Descriptors that sum over single neighbours, each embedded by its distance."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from dpcore.batch import Batch, Neighbours, by_block
from dpcore.descriptors.descriptor import Descriptor
from dpcore.descriptors.local import SHORTEST, Range
from dpcore.descriptors.typed import TypedDescriptor
from dpcore.fused.moments import FusedMoments, PairSettings
from dpcore.fused.series import SeriesMoments
from dpcore.fused.table import TabulatedNet
from dpcore.tree import buffer, setting
from dpcore.xp import as_type_of, namespace, shape

Array = NDArray[Any]


class RadialDescriptor(TypedDescriptor):
    """Base of descriptors made of sums over neighbours, ``Σ_j G(R_j0) ⊗ V_j / N``.

    G is an embedding network of the radial part of a neighbour's normalised row R, N the sum of ``sel``;
    what V is, the row or just 1, is for the subclass to say.

    Attributes:
        terms: number of components of V.
        first_term: the first of the four sums of fused kernels that is a component of V.
    """

    terms: ClassVar[int]
    first_term: ClassVar[int] = 0

    type_one_side: bool = setting(False, doc="embed by the neighbour's type alone")
    empty: Any = buffer(default=None)
    fused: FusedMoments | None = None
    series: SeriesMoments | None = None

    @classmethod
    def number_of_nets(cls, ntypes: int, settings: Mapping[str, Any]) -> int:
        """Return how many networks the settings ask for."""
        return ntypes if settings.get("type_one_side", False) else ntypes**2

    def factors(self, rows: Any, real: Any) -> Any:
        """Return V, ``(…, neighbour, terms)``, which is 0 in places that do not count.

        Args:
            rows: normalised rows, ``(…, neighbour, column)``; 0 in places that do not count.
            real: 1 in places that count, else 0, ``(…, neighbour, 1)``.
        """
        raise NotImplementedError

    def kernel_factors(self, mean: Array, inverse: Array) -> tuple[Array, Array]:
        """Return what kernels subtract from rows, and multiply them by, to get V, ``(4,)`` each.

        Args:
            mean: mean of the rows, ``(column,)``.
            inverse: inverse of their deviation, ``(column,)``.
        """
        raise NotImplementedError

    @property
    def is_fused(self) -> bool:
        """Whether fused kernels evaluate the descriptor."""
        return self.fused is not None

    @property
    def rows(self) -> int:
        """How many rows are held for an atom at most; 0 where kernels hold none."""
        return 0 if self.is_fused else self.places

    def net_number(self, centre: int, neighbour: int) -> int:
        """Return which network embeds a pair of types."""
        return neighbour if self.type_one_side else centre + neighbour * self.ntypes

    def net_of(self, centre: int, neighbour: int) -> Callable[[Any], Any]:
        """Return the network that embeds a pair of types."""
        return self.nets[self.net_number(centre, neighbour)]

    def net_of_empty(self, centre: int, neighbour: int) -> Callable[[Any], Any]:
        """Return the network that embeds the empty places of a pair of types."""
        return self.net_of(centre, neighbour)

    def prepared(self, *, tables: bool | None = False, kernels: Collection[str] = ()) -> Descriptor:
        """Return the descriptor with everything computed that no input changes.

        Args:
            tables: replace networks by tables that agree with them to rounding, where there are such; None
                for those that kernels evaluate.
            kernels: embeddings to evaluate by fused kernels, of ``table`` and ``net``.
        """
        wanted = "table" in kernels if tables is None else tables
        ready = self.with_tables() if wanted else self
        ready = ready.with_empty_places() if self.empty is None else ready
        return ready.fuse(kernels) if kernels else ready

    def with_empty_places(self) -> Self:
        """Return the descriptor with what the empty places of ``sel`` add computed ahead."""
        types = range(self.ntypes)
        empty = [np.concatenate([self.sum_empty(c, t) for t in types]) for c in types]
        # Some products of low-precision numbers come back wider.
        return self.with_(empty=np.stack(empty).astype(self.davg.dtype))

    @property
    def reach(self) -> float:
        """Distance below which a neighbour is beyond the tables, Å; 0 where there are none."""
        closest = 0.0
        for pair in self.interacting:
            net = self.net_of(*pair)
            if isinstance(net, TabulatedNet):
                mean, std = (x[:, 0] for x in self.statistics(*pair))
                radial = np.min(net.upper * std + mean)
                nearest = 1.0 / max(float(radial), 1.0 / self.rcut)
                closest = max(closest, nearest - self.env_protection)
        return closest

    def ranges(self, shortest: float = SHORTEST) -> list[Range]:
        """Return the lower and upper end of what each network is given.

        Args:
            shortest: distance of the closest neighbours, Å.
        """
        largest = 1.0 / (shortest + self.env_protection)
        ends: dict[int, list[float]] = {}
        # Excluded pairs too: their networks are evaluated for the empty places of `sel`.
        for pair in self.pairs:
            mean, std = (x[:, 0] for x in self.statistics(*pair))
            given = ends.setdefault(self.net_number(*pair), [])
            given += [float(np.min(-mean / std)), float(np.max((largest - mean) / std))]
        return [(min(ends.get(i, [0.0])), max(ends.get(i, [1.0]))) for i in range(len(self.nets))]

    def fuse(self, kernels: Collection[str]) -> Self:
        """Return the descriptor evaluated by kernels, or itself where its settings are not for them."""
        pairs = [self._pair(c, t) for c in range(self.ntypes) for t in range(self.ntypes)]
        known = [pair for pair in pairs if pair is not None]
        if len(known) < len(pairs) or self.empty is None:
            return self
        empty = self.empty.reshape(-1, *self.empty.shape[2:]).transpose(0, 2, 1) / self.places
        others = (self.first_term, 4 - self.first_term - self.terms)
        empty = np.pad(empty, ((0, 0), others, (0, 0)))
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

    def with_series(
        self, shortest: float, *, least: Sequence[int] = (), known: Sequence[int] = ()
    ) -> Self | None:
        """Return the descriptor for training with kernels, or None where its settings are not for them.

        Args:
            shortest: distance of the closest neighbours, Å.
            least: intervals that the series of each network is to have at least; nothing for any number.
            known: intervals that it is to have; nothing to choose them.
        """
        types = range(self.ntypes)
        pairs = [self._pair(c, t) for c in types for t in types]
        plain = [pair for pair in pairs if pair is not None]
        if len(plain) < len(pairs) or not self.has_series:
            return None
        series = SeriesMoments.create(
            self.nets,
            self.ranges(shortest),
            plain,
            np.stack([self._empty_factors(c, t) for c in types for t in types]),
            least=least,
            known=known,
            rcut=self.rcut,
            rcut_smth=self.rcut_smth,
            protection=self.env_protection,
            ntypes=self.ntypes,
        )
        return None if series is None else self.with_(series=series)

    def with_sums(self) -> tuple[Self, Any]:
        """Return the descriptor with the series of its networks, and how accurate they are."""
        assert self.series is not None
        fused, doubt = self.series.of(self.nets)
        return self.with_(fused=fused, series=None), doubt

    @property
    def has_series(self) -> bool:
        """Whether its sums are those of series of its networks, with the same in all empty places of a pair."""
        return True

    def _empty_factors(self, centre: int, neighbour: int) -> Array:
        """Return what the embedding of an empty place is multiplied by in fused sums, ``(4,)``."""
        found = np.zeros(4)
        if self.sel[neighbour]:
            davg, dstd = (x[:1].astype(float) for x in self.statistics(centre, neighbour))
            last = self.first_term + self.terms
            factors = self.factors(-davg / dstd, np.ones((1, 1)))
            found[self.first_term : last] = factors[0] / self.places
        return found

    def _pair(self, centre: int, neighbour: int) -> PairSettings | None:
        """Return the kernels' settings of a pair of types, or None if its statistics vary by place."""
        mean, std = (x.astype(float) for x in self.statistics(centre, neighbour))
        if not self.sel[neighbour]:
            mean, std = np.zeros((1, self.columns)), np.ones((1, self.columns))
        if np.ptp(mean, axis=0).any() or np.ptp(std, axis=0).any():
            return None
        inverse = 1.0 / std[0]
        subtracted, scale = self.kernel_factors(mean[0], inverse)
        return PairSettings(
            net=self.net_number(centre, neighbour),
            mean=subtracted,
            scale=scale / self.places,
            input_scale=float(inverse[0]),
            empty=centre * (self.places + self.ntypes) + self.first_place(neighbour) + neighbour,
            excluded=(centre, neighbour) in self.excluded,
        )

    def moments(self, batch: Batch, displacement: Any) -> Any:
        """Return the sums over the neighbours of all centres, ``(centre, terms, neuron)``."""
        if self.fused is not None:
            first = self.first_term
            found = self.fused(batch, displacement)
            if self.fused.blank is not None:
                found = found + self._sum_blank(batch, self.fused.blank)
            return found[:, first : first + self.terms, :]
        rows = self.environment(displacement)
        each = [
            self._of_group(group.type or 0, blocks, parts)
            for group, blocks, parts in zip(
                batch.groups, batch.view.blocks, by_block(batch.view, rows), strict=True
            )
        ]
        return namespace(rows).concat(each, axis=0)

    def _sum_blank(self, batch: Batch, blank: Any) -> Any:
        """Return what the empty places of all centres add, ``(centre, 4, feature)``.

        Args:
            batch: the batch.
            blank: what each place of a pair of types adds, ``(pair, 4, feature)``.
        """
        xp, (_, four, width) = namespace(blank), shape(blank)
        flat, parts = xp.reshape(blank, (-1, four * width)), []
        for group, blocks in zip(batch.groups, batch.view.blocks, strict=True):
            first = (group.type or 0) * self.ntypes
            each = zip(self.sel, blocks, strict=True)
            empty = xp.stack([sel - as_type_of(block.count, flat) for sel, block in each], axis=1)
            parts.append(xp.matmul(empty, flat[first : first + self.ntypes, :]))
        return xp.reshape(xp.concat(parts, axis=0), (-1, four, width))

    def _of_group(self, centre: int, blocks: Sequence[Neighbours], parts: list[Any]) -> Any:
        """Return the sums of a group from its environment rows by block, ``(centre, terms, neuron)``."""
        total: Any = sum(
            (
                self._of_block(centre, t, block, rows)
                for t, (block, rows) in enumerate(zip(blocks, parts, strict=True))
            ),
            start=0.0,
        )
        return namespace(parts[0]).permute_dims(total / self.places, (0, 2, 1))

    def _of_block(self, centre: int, neighbour: int, block: Neighbours, rows: Any) -> Any:
        """Return the sum over the neighbours of one type, ``(centre, neuron, terms)``."""
        xp, width = namespace(rows), shape(rows)[1]
        padding = xp.take(self._empty_places(centre, neighbour), block.count, axis=0)
        if (centre, neighbour) in self.excluded or (isinstance(width, int) and width == 0):
            return padding
        real = as_type_of(block.mask(), rows)[:, :, None]
        rows = as_type_of(self.normalised(centre, neighbour, rows) * real, self.davg)
        embedding = self.net_of(centre, neighbour)(rows[:, :, :1])
        factors = self.factors(rows, real)
        return xp.matmul(xp.permute_dims(embedding, (0, 2, 1)), factors) + padding

    def _empty_places(self, centre: int, neighbour: int) -> Any:
        """Return what the empty places of ``sel`` add, by number of neighbours, ``(sel + 1, neuron, terms)``."""
        if self.empty is None:
            return self.sum_empty(centre, neighbour)
        first = self.first_place(neighbour) + neighbour
        return self.empty[centre, first : first + self.sel[neighbour] + 1, :, :]

    def sum_empty(self, centre: int, neighbour: int) -> Any:
        """Sum the contributions of the empty places of ``sel``.

        DeePMD-kit normalises empty places like any other, so that they contribute the constant rows
        ``-davg/dstd``.
        """
        xp = namespace(self.davg)
        davg, dstd = self.statistics(centre, neighbour)
        rows = -davg / dstd
        embedding = self.net_of_empty(centre, neighbour)(rows[:, :1])
        factors = self.factors(rows, xp.ones_like(rows[:, :1]))
        places = embedding[:, :, None] * factors[:, None, :]
        none = xp.zeros((1, *shape(places)[1:]), like=places)
        partial = xp.concat([none, xp.cumulative_sum(places, axis=0)], axis=0)
        return partial[-1:, :, :] - partial
