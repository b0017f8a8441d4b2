"""Dipoles of atoms, and forces that pull on them, as models of their own."""

from collections.abc import Collection
from dataclasses import replace
from typing import Any, Self

from dpcore.batch import Batch, places
from dpcore.models.model import Model
from dpcore.neighbours.selection import Selection
from dpcore.output import ENERGY, Output
from dpcore.tree import setting
from dpcore.xp import as_type_of, namespace


class DipolesAlone(Model):
    """The dipoles of a model without their derivatives."""

    type_map: tuple[str, ...] = setting(doc="names of the atom types")
    model: Model

    @classmethod
    def of(cls, model: Model) -> Self:
        """Wrap a model of dipoles."""
        return cls(
            type_map=model.type_map, atom_exclude_types=model.atom_exclude_types, model=model
        )

    @property
    def output(self) -> Output:
        """The dipole, not to be differentiated."""
        return replace(self.model.output, differentiable=False)

    @property
    def selections(self) -> tuple[Selection, ...]:
        """The neighbours that the dipoles ask for."""
        return self.model.selections

    @property
    def reach(self) -> float:
        """Distance below which a neighbour is beyond the tables, Å."""
        return self.model.reach

    @property
    def is_fused(self) -> bool:
        """Whether fused kernels evaluate the dipoles."""
        return self.model.is_fused

    def prepared(self, *, tables: bool = False, kernels: Collection[str] = ()) -> Self:
        """Return the model with the dipoles made ready."""
        return self.with_(model=self.model.prepared(tables=tables, kernels=kernels))

    def atomic(self, batch: Batch, displacement: Any) -> Any:
        """Return the dipole of each centre, ``(centre, 3)``."""
        return self.model.atomic(batch, displacement)


class DipolePull(DipolesAlone):
    """The energy of dipoles in given fields, ``Σ c·μ``; the fields are the atomic parameters.

    Its forces and virials are those that charges at the ends of the dipoles pass on to the atoms.
    """

    @property
    def output(self) -> Output:
        """An energy."""
        return ENERGY

    @property
    def numb_aparam(self) -> int:
        """The three components of a field."""
        return 3

    def atomic(self, batch: Batch, displacement: Any) -> Any:
        """Return the energy of each centre, ``(centre, 1)``, eV."""
        dipole = super().atomic(batch, displacement)
        xp = namespace(dipole)
        field = as_type_of(xp.take(batch.aparam, places(batch), axis=0), dipole)
        return xp.sum(dipole * field, axis=1)[:, None]
