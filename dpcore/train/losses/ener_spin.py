"""The loss of energy models with spins."""

from collections.abc import Iterator
from typing import Self

from dpcore.errors import DPError
from dpcore.models.model import Model
from dpcore.train.losses.energy_like import Case, EnergyLikeLoss
from dpcore.train.losses.frames import Deviation
from dpcore.train.losses.terms import Term
from dpcore.train.targets import Wanted
from dpcore.tree import setting
from dpcore.xp import namespace


class SpinEnergyLoss(EnergyLikeLoss, name="ener_spin"):
    """Energies, virials, and forces on atoms (fr) and on the spins of magnetic atoms (fm)."""

    kinds = ("e", "fr", "fm", "v", "ae", "pf")
    force = "fr"

    start_pref_fr: float = setting(1000.0, doc="factor on forces on atoms at the start")
    limit_pref_fr: float = setting(1.0, doc="factor on forces on atoms that it goes to")
    start_pref_fm: float = setting(10000.0, doc="factor on forces on spins at the start")
    limit_pref_fm: float = setting(10.0, doc="factor on forces on spins that it goes to")

    def for_model(self, model: Model) -> Self:
        """Return the loss for a model of atoms with spins."""
        if not model.conditions.spin:
            raise DPError("loss.type: 'ener_spin' needs a model with spins; take type 'ener'")
        return super().for_model(model)

    def _labels(self) -> Iterator[Wanted]:
        yield from super()._labels()
        if self.prefactor("fm"):
            yield Wanted("force_mag", "atom", 3)

    def terms(self, case: Case) -> Iterator[Term]:
        """Yield the terms of all labels that are there."""
        yield from super().terms(case)
        target = case.targets.get("force_mag")
        if self.prefactor("fm") and target is not None:
            magnetic = namespace(case.frames.counted).reshape(case.predicted["mask_mag"], (-1,))
            frames = case.frames.only(magnetic)
            deviation = Deviation.of_each_atom(frames, case.predicted["force_mag"], target)
            yield from self._plain("fm", deviation)
