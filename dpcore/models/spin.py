"""Spins as virtual atoms (DeepSPIN: Yang et al., Phys. Rev. B 110, 064427 (2024))."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Self

import numpy as np

from dpcore.conditions import Conditions
from dpcore.frames import Frame, Prediction
from dpcore.models.model import Evaluate, Model
from dpcore.models.spin_poses import Pose, folded, poses, protection_of, stand_in, weighted
from dpcore.models.spin_types import SpinTypes
from dpcore.models.stand_ins import StandIn
from dpcore.models.standard import StandardModel
from dpcore.neighbours.selection import Selection
from dpcore.output import ENERGY, Output
from dpcore.tree import setting


class SpinModel(Model, name="spin"):
    """The energy of atoms that carry spins.

    Each magnetic atom has a virtual partner of a type of its own, displaced by its scaled spin. A model
    without spins, the backbone, is evaluated on both.
    """

    type_map: tuple[str, ...] = setting(doc="names of the atom types")
    atom_exclude_types: tuple[int, ...] = setting((), doc="types whose atomic property is zero")
    use_spin: tuple[bool, ...] = setting(doc="whether each type is magnetic")
    virtual_scale: tuple[float, ...] = setting(
        doc="displacement of a virtual atom over the spin, for each type, Å"
    )
    backbone: StandardModel

    def __post_init__(self) -> None:
        self._types.check(self.backbone, self.virtual_scale)

    @classmethod
    def of(
        cls, backbone: StandardModel, use_spin: Sequence[bool], virtual_scale: Sequence[float]
    ) -> Self:
        """Return the model of a backbone whose second half of types are the virtual ones."""
        ntypes = len(use_spin)
        return cls(
            type_map=backbone.type_map[:ntypes],
            atom_exclude_types=tuple(t for t in backbone.atom_exclude_types if t < ntypes),
            use_spin=tuple(use_spin),
            virtual_scale=tuple(float(scale) for scale in virtual_scale),
            backbone=backbone,
        )

    @property
    def _types(self) -> SpinTypes:
        return SpinTypes(self.type_map, self.use_spin)

    @property
    def output(self) -> Output:
        """The energy."""
        return ENERGY

    @property
    def conditions(self) -> Conditions:
        """What the backbone is told, and spins."""
        return replace(self.backbone.conditions, spin=True)

    @property
    def selections(self) -> tuple[Selection, ...]:
        """The neighbours that the backbone asks for."""
        return self.backbone.selections

    @property
    def parts(self) -> Mapping[str, Model]:
        """The backbone."""
        return {"backbone": self.backbone}

    def run(self, frames: Sequence[Frame], evaluate: Evaluate) -> list[Prediction]:
        """Return energies, forces, magnetic forces and virials at fixed spins.

        Args:
            frames: the frames, with spins.
            evaluate: returns the predictions of the backbone.

        Raises:
            DPError: a frame without spins, or with spins that are not usable.
        """
        return self._posed(frames, evaluate, folded)

    def frames_inside(self, frames: Sequence[Frame]) -> dict[str, list[Frame]]:
        """Return the frames with their virtual atoms."""
        each = [several[0].frame for several in self._poses(frames)]
        return {"backbone": each}

    def stand_ins(self, frames: Sequence[Frame]) -> dict[str, list[StandIn]]:
        """Return the frames with their virtual atoms."""
        flat = [(i, pose) for i, several in enumerate(self._poses(frames)) for pose in several]
        return {"backbone": [stand_in(pose, number) for number, pose in flat]}

    def run_features(self, frames: Sequence[Frame], describe: Evaluate) -> list[Prediction]:
        """Return the descriptors of the atoms, and behind them those of their virtual atoms."""
        return self._posed(frames, describe, lambda prediction, _: prediction)

    def _poses(self, frames: Sequence[Frame]) -> list[list[Pose]]:
        scales = np.array(self.virtual_scale) * self.use_spin
        protection = protection_of(self.backbone.descriptor)
        return [list(poses(frame, scales, protection, i)) for i, frame in enumerate(frames)]

    def _posed(
        self,
        frames: Sequence[Frame],
        evaluate: Evaluate,
        fold: Callable[[Prediction, Pose], Prediction],
    ) -> list[Prediction]:
        each = self._poses(frames)
        flat = [pose for several in each for pose in several]
        found = evaluate("backbone", [pose.frame for pose in flat])
        results = iter([fold(p, pose) for p, pose in zip(found, flat, strict=True)])
        return [
            weighted([next(results) for _ in several], [pose.weight for pose in several])
            for several in each
        ]
