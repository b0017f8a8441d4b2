"""What is asked of a frozen model of dipoles: the dipoles alone, or what pulling on them does to the atoms."""

from dataclasses import replace
from typing import Any

from dpcore.batch import Batch, places
from dpcore.conditions import Conditions
from dpcore.models.frozen import FrozenModel
from dpcore.output import ENERGY, Output
from dpcore.xp import as_type_of, namespace


class DipolesAlone(FrozenModel):
    """The dipoles without their derivatives."""

    @property
    def output(self) -> Output:
        """The dipole, not to be differentiated."""
        return replace(super().output, differentiable=False)


class DipolePull(FrozenModel):
    """The energy of dipoles in given fields, ``Σ c·μ``; the fields are the atomic parameters.

    Its forces and virials are those that charges at the ends of the dipoles pass on to the atoms.
    """

    @property
    def output(self) -> Output:
        """An energy."""
        return ENERGY

    @property
    def conditions(self) -> Conditions:
        """The three components of a field."""
        return Conditions(numb_aparam=3)

    def atomic(self, batch: Batch, displacement: Any) -> Any:
        """Return the energy of each centre, ``(centre, 1)``, eV."""
        dipole = super().atomic(batch, displacement)
        xp = namespace(dipole)
        field = as_type_of(xp.take(batch.aparam, places(batch), axis=0), dipole)
        return xp.sum(dipole * field, axis=1)[:, None]
