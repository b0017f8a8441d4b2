"""Several descriptors in one."""

from collections.abc import Collection, Mapping
from typing import Any, Self

from dpcore.batch import Batch, by_view
from dpcore.conditions import Conditions, shared_conditions
from dpcore.descriptors.descriptor import Description, Descriptor
from dpcore.descriptors.normalised import Normalised, inside
from dpcore.errors import DPError
from dpcore.neighbours.selection import Selection
from dpcore.xp import as_type_of, namespace


class Hybrid(Descriptor, name="hybrid"):
    """The features of several descriptors one after another.

    Each child asks for neighbours within its own cutoff. As DeePMD-kit does, children look at the nearest
    neighbours that any of them asks for: where one of them mixes types, that is the largest number of all
    types, otherwise the sum over types of the largest number of each.
    """

    children: tuple[Descriptor, ...]

    def __post_init__(self) -> None:
        if not self.children:
            raise DPError("descriptor.list: is empty; a hybrid descriptor needs one child at least")
        for i, child in enumerate(self.children):
            if isinstance(child, Hybrid):
                raise DPError(
                    f"descriptor.list.{i}: a hybrid descriptor inside another; list its children instead"
                )
            if child.ntypes != self.children[0].ntypes:
                raise DPError(
                    f"descriptor.list.{i}: has {child.ntypes} types, the first child "
                    f"{self.children[0].ntypes}; all must agree"
                )
        _ = self.conditions  # raises where children disagree

    @property
    def ntypes(self) -> int:
        """Number of atom types."""
        return self.children[0].ntypes

    @property
    def width(self) -> int:
        """Number of features of an atom."""
        return sum(child.width for child in self.children)

    @property
    def frame_width(self) -> int:
        """Number of vectors that rotate with the atoms; children without any add none."""
        return sum(child.frame_width for child in self.children)

    @property
    def mixed_types(self) -> bool:
        """Whether the features of any child tell the types apart."""
        return any(child.mixed_types for child in self.children)

    @property
    def conditions(self) -> Conditions:
        """What the children are told besides places."""
        each = {f"list.{number}": child.conditions for number, child in enumerate(self.children)}
        return shared_conditions(each, "descriptor")

    @property
    def magnetic(self) -> tuple[bool, ...]:
        """Whether atoms of each type have spins that a child is told of."""
        told = [child.magnetic for child in self.children if child.magnetic]
        return tuple(any(flags) for flags in zip(*told, strict=True))

    @property
    def virials_by_path(self) -> bool:
        """Whether virials of atoms follow the paths of a child's messages."""
        return any(child.virials_by_path for child in self.children)

    @property
    def selections(self) -> tuple[Selection, ...]:
        """The neighbours of all children."""
        asked = [s for child in self.children for s in child.selections]
        if self.mixed_types:
            most = max(s.most for s in asked)
        else:
            most = sum(max(s.sel[t] for s in asked) for t in range(self.ntypes))
        return tuple(s.within(most) if s.total is None else s for s in asked)

    @property
    def normalised_rows(self) -> Mapping[str, Normalised]:
        """The rows of all children, each from the neighbours that it asks for alone."""
        return {
            path: rows
            for i, child in enumerate(self.children)
            for path, rows in inside(f"children.{i}", child.normalised_rows).items()
        }

    @property
    def reach(self) -> float:
        """Distance below which a neighbour is beyond the tables of a child, Å."""
        return max(child.reach for child in self.children)

    @property
    def is_fused(self) -> bool:
        """Whether fused kernels evaluate a child."""
        return any(child.is_fused for child in self.children)

    def prepared(self, *, tables: bool | None = False, kernels: Collection[str] = ()) -> Self:
        """Return the descriptor with every child made ready."""
        return self.with_(
            children=tuple(c.prepared(tables=tables, kernels=kernels) for c in self.children)
        )

    def __call__(self, batch: Batch, displacement: Any) -> Description:
        """Describe the centres of a batch."""
        shares = by_view(batch, displacement, [len(c.selections) for c in self.children])
        parts = [child(*share) for child, share in zip(self.children, shares, strict=True)]
        xp, like = namespace(displacement), parts[0].features
        features = [as_type_of(part.features, like) for part in parts]
        frames = [as_type_of(part.frames, like) for part in parts if part.frames is not None]
        return Description(
            xp.concat(features, axis=1), xp.concat(frames, axis=1) if frames else None
        )
