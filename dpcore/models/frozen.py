"""A model from a file, used as it is."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np

from dpcore.batch import Batch
from dpcore.conditions import Conditions
from dpcore.frames import Frame, Prediction
from dpcore.models.children import as_seen_by, is_of_frames, selections_in, types_in
from dpcore.models.model import Evaluate, Model
from dpcore.neighbours.selection import Selection
from dpcore.output import Output
from dpcore.tree import setting


class FrozenModel(Model, name="frozen"):
    """A model from a file; its parameters are not trained."""

    trainable: ClassVar[bool] = False

    type_map: tuple[str, ...] = setting(doc="names of the atom types; by default those of the file")
    model_file: str = setting(doc="file of the model, of any kind that dpcore reads")
    model: Model

    def __post_init__(self) -> None:
        self.types  # noqa: B018  # refuses types that the model lacks

    @classmethod
    def of(cls, model: Model, model_file: str, type_map: tuple[str, ...] = ()) -> Self:
        """Return a model as it is.

        Args:
            model: the model.
            model_file: the file that it comes from.
            type_map: names of the atom types, some or all of the model's; by default all of them.

        Raises:
            DPError: the model lacks a type.
        """
        names = type_map or model.type_map
        inside = {model.type_map[t] for t in model.atom_exclude_types}
        excluded = tuple(t for t, name in enumerate(names) if name in inside)
        return cls(model_file=model_file, type_map=names, atom_exclude_types=excluded, model=model)

    @property
    def types(self) -> tuple[int, ...]:
        """The type of the file's model that each type is."""
        where = f"model.type_map: the type_map of {self.model_file}"
        return types_in(self.model, self.type_map, where)

    @property
    def output(self) -> Output:
        """What the file's model predicts."""
        return self.model.output

    @property
    def conditions(self) -> Conditions:
        """What the file's model is told besides places."""
        return self.model.conditions

    @property
    def magnetic(self) -> tuple[bool, ...]:
        """Whether atoms of each type have spins that the file's model is differentiated by."""
        told = self.model.magnetic
        return tuple(told[t] for t in self.types) if told else ()

    @property
    def virials_by_path(self) -> bool:
        """Whether virials of atoms follow the paths of messages."""
        return self.model.virials_by_path

    @property
    def selections(self) -> tuple[Selection, ...]:
        """The neighbours that the file's model asks for."""
        return selections_in(self.model, self.types, ())

    @property
    def reach(self) -> float:
        """Distance below which a neighbour is beyond the tables, Å."""
        return self.model.reach

    @property
    def is_fused(self) -> bool:
        """Whether fused kernels evaluate the model."""
        return self.model.is_fused

    def prepared(self, *, tables: bool | None = False, kernels: Collection[str] = ()) -> Self:
        """Return the model with the file's model made ready."""
        return self.with_(model=self.model.prepared(tables=tables, kernels=kernels))

    def atomic(self, batch: Batch, displacement: Any) -> Any:
        """Return the property of each centre, ``(centre, *output.shape)``."""
        return self.model.atomic(as_seen_by(self.model, self.types, batch), displacement)

    def features(self, batch: Batch, displacement: Any) -> Any:
        """Return the descriptors of the centres, ``(centre, width)``."""
        return self.model.features(as_seen_by(self.model, self.types, batch), displacement)

    @property
    def parts(self) -> Mapping[str, Model]:
        """The models that are evaluated on batches: itself, or what the file's model is made of."""
        return self.model.parts if is_of_frames(self.model) else super().parts

    def run(self, frames: Sequence[Frame], evaluate: Evaluate) -> list[Prediction]:
        """Return the predictions for frames."""
        if not is_of_frames(self.model):
            return super().run(frames, evaluate)
        return self.model.run(self._as_seen(frames), evaluate)

    def run_features(self, frames: Sequence[Frame], describe: Evaluate) -> list[Prediction]:
        """Return the descriptors of frames."""
        if not is_of_frames(self.model):
            return super().run_features(frames, describe)
        return self.model.run_features(self._as_seen(frames), describe)

    def _as_seen(self, frames: Sequence[Frame]) -> list[Frame]:
        to = np.array([*self.types, -1])
        return [replace(frame, types=to[frame.types]) for frame in frames]
