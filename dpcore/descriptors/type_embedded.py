"""``se_e2_a`` with networks that are told the types by a type embedding."""

import dataclasses as dc
from collections.abc import Callable, Mapping
from typing import Any, Self

import numpy as np

from dpcore.batch import Batch
from dpcore.descriptors.descriptor import Description, Descriptor
from dpcore.descriptors.se_e2_a import SeE2A
from dpcore.descriptors.with_types import WithTypes, with_types
from dpcore.errors import DPError
from dpcore.fused.table import TabulatedNet
from dpcore.nn import MLP
from dpcore.nn.type_embedding import TypeEmbedding

Nets = tuple[MLP | TabulatedNet, ...]


class TypeEmbedded(SeE2A):
    """Base of ``se_e2_a`` descriptors whose networks serve all types.

    Statistics, places and sums are those of ``se_e2_a``. The features of the centre's type follow those of
    the surroundings, so that one fitting network serves all types as well.

    Attributes:
        type_embedding: gives the features of the types.
        appended: whether these follow the features of the surroundings.
    """

    type_embedding: TypeEmbedding
    appended: bool = True
    by_type: bool = True

    def __post_init__(self) -> None:
        found = len(self.type_embedding.type_map)
        if found != self.ntypes:
            raise DPError(
                f"descriptor.sel: has numbers for {self.ntypes} types, the type embedding has {found}"
            )
        super().__post_init__()

    @classmethod
    def create(
        cls,
        rng: np.random.Generator,
        *,
        type_map: tuple[str, ...] = (),
        type_embedding: TypeEmbedding | None = None,
        appended: bool = True,
        **settings: Any,
    ) -> Self:
        """Draw a descriptor with random networks and neutral statistics.

        Args:
            rng: source of the random numbers.
            type_map: names of the atom types.
            type_embedding: the type embedding; by default one is drawn.
            appended: whether the features of the types follow those of the surroundings.
            settings: the settings.
        """
        if type_embedding is None:
            type_embedding = TypeEmbedding.create(
                rng, type_map=type_map, **cls.embedding_settings(settings)
            )
        sel, inputs = settings["sel"], cls.inputs(type_embedding.width, settings)
        return cls(
            nets=tuple(net for n in inputs for net in cls.draw_nets(rng, 1, n, settings)),
            type_embedding=type_embedding,
            appended=appended,
            **cls.neutral_statistics(len(sel), sum(sel), settings),
            **settings,
        )

    @classmethod
    def embedding_settings(cls, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Return the settings of the type embedding where none is given."""
        raise NotImplementedError

    @classmethod
    def inputs(cls, width: int, settings: Mapping[str, Any]) -> tuple[int, ...]:
        """Return how many numbers each network is given, for type embeddings of some width."""
        raise NotImplementedError

    @property
    def net_inputs(self) -> tuple[int, ...]:
        """How many numbers each network is given."""
        return self.inputs(self.type_embedding.width, vars(self))

    @property
    def width(self) -> int:
        """Number of features of an atom."""
        return super().width + (self.type_embedding.width if self.appended else 0)

    @property
    def mixed_types(self) -> bool:
        """Whether the type of the centre is among the features."""
        return self.appended

    @property
    def has_series(self) -> bool:
        """Whether its sums are those of series of its networks: they are told the types, too."""
        return False

    def net_number(self, centre: int, neighbour: int) -> int:  # noqa: ARG002
        """Return which network is given the environment of a pair of types: the first."""
        return 0

    def net_of(self, centre: int, neighbour: int) -> Callable[[Any], Any]:
        """Return the network of one number that embeds a pair of types."""
        raise NotImplementedError

    def by_pairs(self, nets: Nets, **changes: Any) -> SeE2A:
        """Return the ``se_e2_a`` descriptor that has a network for each pair, or neighbour type."""
        settings: dict[str, Any] = {f.name: getattr(self, f.name) for f in dc.fields(SeE2A)}
        settings |= {"nets": nets} | changes
        return SeE2A(**settings)

    def pairs_of_nets(self) -> list[tuple[int, int]]:
        """Return the pair of types, or one of the pairs, that each network of :meth:`by_pairs` embeds."""
        types = range(self.ntypes)
        return [(c, n) for n in types for c in (types[:1] if self.type_one_side else types)]

    def untyped(self) -> Descriptor:
        """Return the same descriptor with networks of one number alone."""
        raise NotImplementedError

    def completed(self, descriptor: SeE2A) -> Descriptor:
        """Return a descriptor with the features of the types behind its own, if this one has them."""
        if not self.appended:
            return descriptor
        return WithTypes(descriptor=descriptor, table=self.type_embedding())

    def __call__(self, batch: Batch, displacement: Any) -> Description:
        """Describe the centres of a batch.

        Args:
            batch: the atoms and their neighbours.
            displacement: vectors to the neighbours on the batch's edge axis, ``(edge, 3)``, Å.
        """
        description = super().__call__(batch, displacement)
        return (
            with_types(description, self.type_embedding(), batch) if self.appended else description
        )
