"""Long-range electrostatics from Wannier centroids (DPLR: Zhang et al., J. Chem. Phys. 156, 124107 (2022))."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, Self

import numpy as np

from dpcore.conditions import Conditions
from dpcore.errors import DPError
from dpcore.fittings.dipole import DIPOLE
from dpcore.frames import Floats, Frame, Prediction
from dpcore.longrange import ChargedFrame, Electrostatics, ewald
from dpcore.longrange.ewald import check_settings
from dpcore.models.dipole_checks import (
    check_charges,
    check_dipole,
    check_energy,
    selected_types,
)
from dpcore.models.dipoles import DipolePull, DipolesAlone
from dpcore.models.frozen import FrozenModel
from dpcore.models.model import Evaluate, Model
from dpcore.models.stand_ins import StandIn
from dpcore.neighbours.selection import Selection
from dpcore.output import ENERGY, Output
from dpcore.tree import setting

log = logging.getLogger(__name__)

# A net charge below is rounding.
_NEUTRAL = 1e-6


class DipoleChargeModel(Model, name="dipole_charge"):
    """A short-range energy plus that of Gaussian charges on the nuclei and the Wannier centroids.

    A centroid is at the end of its atom's dipole, which a model of its own predicts.
    """

    type_map: tuple[str, ...] = setting(doc="names of the atom types")
    atom_exclude_types: tuple[int, ...] = setting((), doc="types whose atomic property is zero")
    model_charge_map: tuple[float, ...] = setting(
        doc="charge of the Wannier centroids of each type that has dipoles, in units of e"
    )
    sys_charge_map: tuple[float, ...] = setting(doc="charge of each type of atom, in units of e")
    ewald_beta: float = setting(0.4, doc="inverse width of the Gaussian charges, 1/Å")
    ewald_h: float = setting(1.0, doc="spacing of the mesh whose wave vectors are summed over, Å")
    ewald_method: str = setting(
        "auto",
        doc="how to sum: 'direct', by a particle 'mesh' for many atoms, or 'auto' for the faster",
    )
    energy: Model
    dipole: FrozenModel

    def __post_init__(self) -> None:
        check_settings(self.ewald_h, self.ewald_beta, self.ewald_method, "model.modifier.")
        check_energy(self.energy, self.type_map)
        check_dipole(self.dipole, self.type_map)
        known = list(self.type_map)
        check_charges("sys_charge_map", self.sys_charge_map, len(known), f"types {known}")
        names = [self.dipole.model.type_map[t] for t in selected_types(self.dipole)]
        what = f"types with dipoles {names}"
        check_charges("model_charge_map", self.model_charge_map, len(names), what)

    @classmethod
    def of(cls, energy: Model, dipole: FrozenModel, **settings: Any) -> Self:
        """Return the model of a short-range energy and a dipole model of the same types."""
        return cls(
            type_map=energy.type_map,
            atom_exclude_types=energy.atom_exclude_types,
            energy=energy,
            dipole=dipole,
            **settings,
        )

    @property
    def output(self) -> Output:
        """The energy."""
        return ENERGY

    @property
    def conditions(self) -> Conditions:
        """What the short-range energy is told besides places."""
        return self.energy.conditions

    @property
    def selections(self) -> tuple[Selection, ...]:
        """The neighbours that the short-range energy and the dipoles ask for."""
        return self.energy.selections + self.dipole.selections

    @property
    def parts(self) -> Mapping[str, Model]:
        """The short-range energy, the dipoles, and forces on the dipoles."""
        frozen = self.dipole.model, self.dipole.model_file, self.type_map
        return {
            "energy": self.energy,
            "dipole": DipolesAlone.of(*frozen),
            "pull": DipolePull.of(*frozen),
        }

    @property
    def centroid_charge(self) -> tuple[float | None, ...]:
        """Charge of the centroid of each type's atoms, None for types without."""
        chosen = selected_types(self.dipole)
        return tuple(
            self.model_charge_map[chosen.index(t)] if t in chosen else None
            for t in self.dipole.types
        )

    def run(self, frames: Sequence[Frame], evaluate: Evaluate) -> list[Prediction]:
        """Return energies, forces and virials with the long-range part.

        Atomic energies and virials hold half of each pair's electrostatics; what belongs to a centroid is
        its atom's.

        Args:
            frames: the frames.
            evaluate: returns the predictions of one of the parts.

        Raises:
            DPError: a frame without a cell, or one that does not repeat in all directions.
        """
        each = zip(evaluate("energy", frames), self.long_range(frames, evaluate), strict=True)
        return [_sum_of(short, long) for short, long in each]

    def long_range(self, frames: Sequence[Frame], evaluate: Evaluate) -> list[Prediction]:
        """Return what the charges add to the predictions of the short-range energy.

        Args:
            frames: the frames.
            evaluate: returns the predictions of one of the parts.

        Raises:
            DPError: a frame without a cell, or one that does not repeat in all directions.
        """
        for number, frame in enumerate(frames):
            _check_cell(frame, number)
        bare = [replace(frame, fparam=None, aparam=None) for frame in frames]
        charged = [
            self._charged(frame, found[DIPOLE.atomic])
            for frame, found in zip(frames, evaluate("dipole", bare), strict=True)
        ]
        sums = [self._sum(c, frame.cell) for c, frame in zip(charged, frames, strict=True)]
        fields = [c.slope(found) for c, found in zip(charged, sums, strict=True)]
        pulls = evaluate("pull", [replace(f, aparam=c) for f, c in zip(bare, fields, strict=True)])
        booked = [c.booked(found) for c, found in zip(charged, sums, strict=True)]
        return [
            _sum_of(of_charges, {name: pull[name] for name in ("force", "virial", "atom_virial")})
            for of_charges, pull in zip(booked, pulls, strict=True)
        ]

    def frames_inside(self, frames: Sequence[Frame]) -> dict[str, list[Frame]]:
        """Return the frames themselves, for the short-range energy."""
        return {"energy": list(frames)}

    def stand_ins(self, frames: Sequence[Frame]) -> dict[str, list[StandIn]]:
        """Return the frames themselves, for the short-range energy."""
        each = [StandIn(f, number, np.arange(len(f.types))) for number, f in enumerate(frames)]
        return {"energy": each}

    def run_features(self, frames: Sequence[Frame], describe: Evaluate) -> list[Prediction]:
        """Return the descriptors of the short-range energy."""
        return describe("energy", frames)

    def _charged(self, frame: Frame, dipole: Floats) -> ChargedFrame:
        return ChargedFrame.of(frame, dipole, self.sys_charge_map, self.centroid_charge)

    def _sum(self, charged: ChargedFrame, cell: Floats | None) -> Electrostatics:
        assert cell is not None
        net = float(charged.charge.sum())
        if abs(net) > _NEUTRAL:
            _tell_of_net_charge(round(net, 6))
        return ewald(
            charged.coord,
            charged.charge,
            cell,
            spacing=_single(self.ewald_h),
            beta=_single(self.ewald_beta),
            method=self.ewald_method,
        )


def _sum_of(whole: Prediction, part: Prediction) -> Prediction:
    """Return predictions with those of a part added, which may have fewer of them."""
    return whole | {name: whole[name] + value for name, value in part.items()}


def _single(value: float) -> float:
    """Return a setting as DeePMD-kit's Ewald sum takes it: in single precision."""
    return float(np.float32(value))


def _check_cell(frame: Frame, number: int) -> None:
    if frame.cell is None or not all(frame.pbc):
        raise DPError(
            f"frame {number}: long-range electrostatics (dipole_charge) need a cell that repeats in all "
            "three directions; give cells="
        )


@cache
def _tell_of_net_charge(net: float) -> None:
    log.warning(
        "the charges of a frame add up to %g e; a uniform background compensates them (see sys_charge_map "
        "and model_charge_map)",
        net,
    )
