"""Pairwise range corrections of QM/MM energies (Zeng et al., J. Chem. Theory Comput. 17, 6993 (2021))."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpcore.conditions import Conditions
from dpcore.errors import DPError
from dpcore.frames import Frame, Prediction
from dpcore.models.children import is_of_frames
from dpcore.models.model import Evaluate, Model
from dpcore.models.stand_ins import StandIn
from dpcore.neighbours.selection import Selection
from dpcore.output import ENERGY, Output
from dpcore.tree import setting

Ints = NDArray[np.int64]

# The residue of the QM region, and that of atoms that take no part.
_QM, _IGNORED = 0, -1

# Which of the regions of a frame each model is evaluated on.
_CHOSEN = {"qm": slice(0, 1), "qmmm": slice(1, None)}


class PairwiseDPRcModel(Model, name="pairwise_dprc"):
    """The energy of a QM region by one model, and of the region with each MM residue alone by another.

    The atomic parameter is the number of an atom's residue: 0 for the QM region, -1 for an atom that takes
    no part.
    """

    type_map: tuple[str, ...] = setting(doc="names of the atom types")
    qm_model: Model
    qmmm_model: Model

    def __post_init__(self) -> None:
        for part, model in self.parts.items():
            _check(f"{part}_model", model, self.type_map)

    @property
    def output(self) -> Output:
        """The energy."""
        return ENERGY

    @property
    def conditions(self) -> Conditions:
        """One atomic parameter: the residue."""
        return Conditions(numb_aparam=1)

    @property
    def selections(self) -> tuple[Selection, ...]:
        """The neighbours that both models ask for."""
        return self.qm_model.selections + self.qmmm_model.selections

    @property
    def parts(self) -> Mapping[str, Model]:
        """The models of the QM region, and of its pairs with residues."""
        return {"qm": self.qm_model, "qmmm": self.qmmm_model}

    def run(self, frames: Sequence[Frame], evaluate: Evaluate) -> list[Prediction]:
        """Return sums over the QM region and its pairs with residues.

        Args:
            frames: the frames, with the residue of each atom as its parameter.
            evaluate: returns the predictions of one of the two models.

        Raises:
            DPError: residues that are no whole numbers from -1 on, no QM region, or an atom of a type that
                the model it is for does not know.
        """
        totals = [_nothing(len(frame.types)) for frame in frames]
        for part, each in self.stand_ins(frames).items():
            found = evaluate(part, [one.frame for one in each]) if each else []
            for one, prediction in zip(each, found, strict=True):
                _add(totals[one.of], one.atoms, prediction)
        return totals

    def frames_inside(self, frames: Sequence[Frame]) -> dict[str, list[Frame]]:
        """Return the QM regions, and these with each residue."""
        each = self.stand_ins(frames)
        return {f"{part}_model": [one.frame for one in found] for part, found in each.items()}

    def stand_ins(self, frames: Sequence[Frame]) -> dict[str, list[StandIn]]:
        """Return the QM regions, and these with each residue."""
        regions = [_regions(frame, number) for number, frame in enumerate(frames)]
        return {
            part: [
                StandIn(self._region(part, frame, atoms, number), number, atoms)
                for number, (frame, each) in enumerate(zip(frames, regions, strict=True))
                for atoms in each[chosen]
            ]
            for part, chosen in _CHOSEN.items()
        }

    def run_features(self, frames: Sequence[Frame], describe: Evaluate) -> list[Prediction]:  # noqa: ARG002
        """Refuse: an atom has a descriptor for each residue."""
        raise DPError("a pairwise_dprc model has no single descriptor; open the models inside it")

    def _region(self, part: str, frame: Frame, atoms: Ints, number: int) -> Frame:
        known, types = self.parts[part].type_map, frame.types[atoms]
        own = np.array([known.index(n) if n in known else -1 for n in self.type_map])[types]
        if (own < 0).any():
            atom = atoms[own < 0][0]
            raise DPError(
                f"frame {number}: atom {atom} is of type {self.type_map[frame.types[atom]]!r}, which "
                f"{part}_model does not know; its type_map is {list(known)}"
            )
        return replace(frame, coord=frame.coord[atoms], types=own, aparam=None)


def _check(key: str, model: Model, type_map: tuple[str, ...]) -> None:
    """Raise a one-line error for a model that cannot be inside another."""
    if is_of_frames(model):
        raise DPError(f"{key}: a model of type {model.type_name!r} is not possible inside another")
    if model.output.total != ENERGY.total:
        raise DPError(f"{key}: it predicts {model.output.total!r}; allowed: {ENERGY.total!r}")
    for numb in ("numb_fparam", "numb_aparam"):
        if found := getattr(model.conditions, numb):
            raise DPError(
                f"{key}.fitting_net.{numb}: {found}, but the atomic parameter of a "
                "pairwise_dprc model is the residue and there are no others; leave it out"
            )
    if model.conditions.spin:
        raise DPError(f"{key}.spin: a pairwise_dprc model takes no spins; leave it out")
    unknown = [name for name in model.type_map if name not in type_map]
    if unknown:
        raise DPError(f"{key}.type_map: {unknown[0]!r} is none of the types {list(type_map)}")


def _regions(frame: Frame, number: int) -> list[Ints]:
    """Return the atoms of the QM region, then those of the region with each residue."""
    given, there = frame.aparam, frame.types >= 0
    if given is None:
        raise DPError(f"frame {number}: the model needs the residue of each atom; pass aparam=")
    residue = np.where(there, given[:, 0], _IGNORED)
    wrong = (residue != np.round(residue)) | (residue < _IGNORED)
    if wrong.any():
        atom = np.flatnonzero(wrong)[0]
        raise DPError(
            f"frame {number}: aparam {residue[atom]:g} of atom {atom} is no residue; give 0 for QM, 1, 2, … "
            "for MM residues and -1 for atoms to leave out"
        )
    region = residue == _QM
    if not region.any():
        raise DPError(f"frame {number}: aparam has no residue {_QM}; give {_QM} to the atoms of QM")
    others = np.unique(residue[residue > _QM])
    return [np.flatnonzero(region), *(np.flatnonzero(region | (residue == r)) for r in others)]


def _nothing(natoms: int) -> Prediction:
    shapes: dict[str, tuple[int, ...]] = {
        name: shape if name in ENERGY.per_frame else (natoms, *shape)
        for name, shape in ENERGY.shapes().items()
    }
    zero: dict[str, NDArray[Any]] = {name: np.zeros(shape) for name, shape in shapes.items()}
    return zero | {"mask": np.zeros(natoms, np.int64)}


def _add(total: Prediction, atoms: Ints, found: Prediction) -> None:
    """Add what one model says of some atoms of a frame."""
    for name, value in found.items():
        if name == "mask":
            total[name][atoms] |= value
        elif name in ENERGY.per_frame:
            total[name] += value
        else:
            total[name][atoms] += value
