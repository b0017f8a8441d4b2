"""Descriptors with the centre's type among their features."""

from collections.abc import Collection, Mapping
from typing import Any, Self

from dpcore.batch import Batch, centre_types
from dpcore.descriptors.descriptor import Description, Descriptor
from dpcore.descriptors.normalised import Normalised, inside
from dpcore.errors import DPError
from dpcore.neighbours.selection import Selection
from dpcore.nn.type_embedding import TypeEmbedding
from dpcore.tree import buffer
from dpcore.xp import as_type_of, namespace, shape


def with_types(description: Description, table: Any, batch: Batch) -> Description:
    """Return a description with the features of the centres' types behind its own.

    Args:
        description: what a descriptor says of the centres.
        table: features of the types, ``(type, width)``.
        batch: the batch.
    """
    xp, features = namespace(table), description.features
    of_types = as_type_of(xp.take(table, centre_types(batch), axis=0), features)
    vacuum = xp.concat([xp.zeros_like(features), of_types], axis=1)
    return Description(xp.concat([features, of_types], axis=1), description.frames, vacuum=vacuum)


class WithTypes(Descriptor, name="with_types", listed=False):
    """The features of a descriptor and, behind them, those of the type of the centre.

    Attributes:
        descriptor: the descriptor.
        type_embedding: gives the features of the types; None where these are known.
        table: features of the types, ``(type, width)``.
    """

    descriptor: Descriptor
    type_embedding: TypeEmbedding | None = None
    table: Any = buffer(default=None)

    def __post_init__(self) -> None:
        if (self.type_embedding is None) == (self.table is None):
            raise DPError(
                "descriptor.type_embedding: either it or the table of its features is needed"
            )
        found = len(self.features())
        if found < self.ntypes:
            raise DPError(
                f"descriptor.type_embedding: has {found} types, the descriptor {self.ntypes}"
            )

    def features(self) -> Any:
        """Return the features of the types, ``(type, width)``."""
        return self.table if self.type_embedding is None else self.type_embedding()

    @property
    def ntypes(self) -> int:
        """Number of atom types."""
        return self.descriptor.ntypes

    @property
    def width(self) -> int:
        """Number of features of an atom."""
        embedding = self.type_embedding
        return self.descriptor.width + (
            shape(self.table)[1] if embedding is None else embedding.width
        )

    @property
    def frame_width(self) -> int:
        """Number of vectors that rotate with the atoms."""
        return self.descriptor.frame_width

    @property
    def mixed_types(self) -> bool:
        """Whether types enter the features: they do."""
        return True

    @property
    def selections(self) -> tuple[Selection, ...]:
        """The neighbours that the descriptor asks for."""
        return self.descriptor.selections

    @property
    def normalised_rows(self) -> Mapping[str, Normalised]:
        """The rows of the descriptor."""
        return inside("descriptor", self.descriptor.normalised_rows)

    @property
    def reach(self) -> float:
        """Distance below which a neighbour is beyond the tables, Å."""
        return self.descriptor.reach

    @property
    def is_fused(self) -> bool:
        """Whether fused kernels evaluate the descriptor."""
        return self.descriptor.is_fused

    def prepared(self, *, tables: bool | None = False, kernels: Collection[str] = ()) -> Self:
        """Return the descriptor made ready, with the features of the types computed."""
        ready = self.descriptor.prepared(tables=tables, kernels=kernels)
        return self.with_(descriptor=ready, type_embedding=None, table=self.features())

    def __call__(self, batch: Batch, displacement: Any) -> Description:
        """Describe the centres of a batch."""
        return with_types(self.descriptor(batch, displacement), self.features(), batch)
