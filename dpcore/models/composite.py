"""Energies put together from those of other models."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np

from dpcore.batch import Batch, by_view
from dpcore.conditions import Conditions, shared_conditions
from dpcore.errors import DPError
from dpcore.frames import Frame
from dpcore.models.biased import BiasedEnergy
from dpcore.models.children import as_seen_by, is_of_frames, selections_in, types_in
from dpcore.models.model import Model
from dpcore.neighbours.selection import Selection
from dpcore.output import ENERGY, Output
from dpcore.xp import as_type_of


class Composite(BiasedEnergy):
    """Base of energies put together from those of other models, the parts.

    Each part has its own cutoff and its own names of types, among them all of the whole. Parts that take
    frame or atomic parameters take the same. The output bias of the whole is added to those of the parts.
    """

    models: tuple[Model, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.models:
            raise DPError("model.models: no models; one at least is needed")
        for number, model in enumerate(self.models):
            where = f"model.models.{number}"
            types_in(model, self.type_map, f"{where}.type_map")
            if model.output != ENERGY:
                raise DPError(f"{where}: predicts the {model.output.total}; parts predict energies")
            if is_of_frames(model):
                raise DPError(f"{where}: a model of type {model.type_name!r} is no part of others")
        _ = self.conditions  # raises where parts disagree

    @property
    def types(self) -> tuple[tuple[int, ...], ...]:
        """For each part, the type that each type of the whole is to it."""
        return tuple(
            types_in(model, self.type_map, f"model.models.{number}.type_map")
            for number, model in enumerate(self.models)
        )

    @property
    def output(self) -> Output:
        """The energy."""
        return replace(ENERGY, magnetic=bool(self.magnetic))

    @property
    def magnetic(self) -> tuple[bool, ...]:
        """Whether atoms of each type have spins that a part is told of."""
        each = zip(self.models, self.types, strict=True)
        told = [[model.magnetic[t] for t in types] for model, types in each if model.magnetic]
        return tuple(any(flags) for flags in zip(*told, strict=True))

    @property
    def selections(self) -> tuple[Selection, ...]:
        """The neighbours of each part, less the excluded pairs."""
        each = zip(self.models, self.types, strict=True)
        return tuple(
            s for model, types in each for s in selections_in(model, types, self.pair_exclude_types)
        )

    @property
    def conditions(self) -> Conditions:
        """What the parts are told besides places."""
        each = {f"models.{number}": m.conditions for number, m in enumerate(self.models)}
        return shared_conditions(each, "model.models")

    @property
    def virials_by_path(self) -> bool:
        """Whether virials of atoms follow the paths of messages of a part."""
        return any(model.virials_by_path for model in self.models)

    @property
    def reach(self) -> float:
        """Distance below which a neighbour is beyond the tables of a part, Å."""
        return max(model.reach for model in self.models)

    @property
    def is_fused(self) -> bool:
        """Whether fused kernels evaluate a part."""
        return any(model.is_fused for model in self.models)

    def prepared(self, *, tables: bool | None = False, kernels: Collection[str] = ()) -> Self:
        """Return the model with its parts made ready."""
        ready = (model.prepared(tables=tables, kernels=kernels) for model in self.models)
        return self.with_(models=tuple(ready))

    def frames_inside(self, frames: Sequence[Frame]) -> dict[str, list[Frame]]:
        """Return the frames with the types called as each part calls them."""
        found = {}
        for number, types in enumerate(self.types):
            to = np.array([*types, -1])
            found[f"models.{number}"] = [replace(f, types=to[f.types]) for f in frames]
        return found

    def shares(self, batch: Batch, displacement: Any) -> list[tuple[Batch, Any]]:
        """Return each part's share of a batch and of the displacements on its edge axis."""
        views = [len(model.selections) for model in self.models]
        each = zip(self.models, self.types, by_view(batch, displacement, views), strict=True)
        return [(as_seen_by(model, types, part), share) for model, types, (part, share) in each]

    def energies(self, shares: list[tuple[Batch, Any]]) -> list[Any]:
        """Return the energy of each centre by each part, ``(centre, 1)`` each, eV."""
        each = zip(self.models, shares, strict=True)
        return [as_type_of(model.atomic(*share), self.out_bias) for model, share in each]
