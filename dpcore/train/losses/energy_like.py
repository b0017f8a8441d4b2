"""What losses of energy models share: energies, atomic energies, forces and virials."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from dpcore.batch import Batch
from dpcore.errors import DPError
from dpcore.output import ENERGY, Output
from dpcore.train.losses.frames import Deviation, Frames, Measure
from dpcore.train.losses.loss import Loss, LossValue, refuse_output
from dpcore.train.losses.measures import MEASURES
from dpcore.train.losses.terms import Prefactor, Term, both_ends, check_prefactors, total
from dpcore.train.targets import Target, Targets, Wanted
from dpcore.tree import setting
from dpcore.xp import as_type_of, namespace, shape


@dataclass(frozen=True)
class Case:
    """A batch that a loss is computed on.

    Attributes:
        predicted: the predictions.
        targets: the labels.
        frames: its frames.
    """

    predicted: Mapping[str, Any]
    targets: Targets
    frames: Frames

    def of_frames(self, name: str, label: str | None = None) -> Deviation | None:
        """Return how far the predictions of frames are from a label; None where no frame has it."""
        target = self.targets.get(label or name)
        if target is None:
            return None
        return Deviation.of_frames(self.frames, self.predicted[name], target)

    def of_each_atom(self, name: str, label: str | None = None) -> Deviation | None:
        """Return how far the predictions of atoms are from a label; None where no frame has it."""
        target = self.targets.get(label or name)
        if target is None:
            return None
        return Deviation.of_each_atom(self.frames, self.predicted[name], target)


class EnergyLikeLoss(Loss):
    """Base of losses of energy models."""

    # The kinds of label, by what their prefactors and errors are called.
    kinds: ClassVar[tuple[str, ...]]
    force: ClassVar[str]

    start_pref_e: float = setting(0.02, doc="factor on the energy at the start")
    limit_pref_e: float = setting(1.0, doc="factor on the energy that it goes to")
    start_pref_v: float = setting(0.0, doc="factor on the virial at the start")
    limit_pref_v: float = setting(0.0, doc="factor on the virial that it goes to")
    start_pref_ae: float = setting(0.0, doc="factor on atomic energies at the start")
    limit_pref_ae: float = setting(0.0, doc="factor on atomic energies that it goes to")
    start_pref_pf: float = setting(0.0, doc="factor on forces weighted by atom_pref at the start")
    limit_pref_pf: float = setting(0.0, doc="factor on forces weighted by atom_pref it goes to")
    relative_f: float | None = setting(
        None, doc="divide differences of forces by the label's length plus this, eV/Å"
    )
    enable_atom_ener_coeff: bool = setting(
        False, doc="the energy is the sum of the atomic ones times atom_ener_coeff, by default 1"
    )
    loss_func: Literal["mse", "mae"] = setting("mse", doc="squares (mse) or absolute values (mae)")
    intensive_ener_virial: bool = setting(
        False,
        doc="divide squares of energies and virials by the square of the number of atoms, not the number; "
        "what is no square is always divided by the number",
    )

    def __post_init__(self) -> None:
        check_prefactors(self, both_ends(self.kinds))
        if self.loss_func not in MEASURES:
            raise DPError(f"loss.loss_func: {self.loss_func!r}; allowed: {', '.join(MEASURES)}")
        if self.relative_f is not None and not self.relative_f > 0.0:
            raise DPError(f"loss.relative_f: {self.relative_f}; it is above 0, or left out")

    def check_output(self, output: Output) -> None:
        """Refuse models that do not predict energies."""
        if output != ENERGY:
            raise refuse_output(self.type_name.removesuffix("_loss"), output, "take another type")

    def wanted(self, output: Output) -> tuple[Wanted, ...]:
        """Return the labels of the terms with a prefactor."""
        self.check_output(output)
        return tuple(self._labels())

    def _labels(self) -> Iterator[Wanted]:
        if self.prefactor("e"):
            yield Wanted("energy", "frame")
            if self.enable_atom_ener_coeff:
                yield Wanted("atom_ener_coeff", "atom", default=1.0)
        if any(self.prefactor(kind) for kind in self.kinds if kind in {self.force, "pf", "gf"}):
            yield Wanted("force", "atom", 3)
        if self.prefactor("v"):
            yield Wanted("virial", "frame", 9)
        if self.prefactor("ae"):
            yield Wanted("atom_ener", "atom")
        if self.prefactor("pf"):
            yield Wanted("atom_pref", "atom", default=self.default_atom_pref)

    @property
    def error_names(self) -> tuple[str, ...]:
        """Names of the errors that are shown, in the order of the columns of ``lcurve.out``."""
        return tuple(sorted(self.shown(kind)[0] for kind in self.kinds if self.prefactor(kind)))

    @property
    def default_atom_pref(self) -> float | None:
        """The weight of forces in systems that give none."""
        return None

    def __call__(
        self, predicted: Mapping[str, Any], targets: Targets, batch: Batch, pace: Any
    ) -> LossValue:
        """Return the loss on a batch."""
        like = next(iter(targets.values())).value if targets else pace
        case = Case(predicted, targets, Frames.of(batch, self.excluded, like))
        return total(self.terms(case), case.frames, pace)

    def terms(self, case: Case) -> Iterator[Term]:
        """Yield the terms of all labels that are there."""
        if self.prefactor("e"):
            yield from self._of_whole("e", self._energy(case))
        if self.prefactor("v"):
            yield from self._of_whole("v", case.of_frames("virial"))
        if self.prefactor("ae"):
            yield from self._plain("ae", case.of_each_atom("atom_energy", "atom_ener"))
        if self.prefactor(self.force) or self.prefactor("pf"):
            yield from self._forces(case)

    def prefactor(self, kind: str) -> Prefactor:
        """Return the prefactor of a kind of label."""
        return Prefactor.of(self, kind)

    def measure(self, kind: str) -> Measure:  # noqa: ARG002
        """Return what a difference of a kind of label costs."""
        return MEASURES[self.loss_func]

    def shown(self, kind: str) -> tuple[str, Measure]:
        """Return the name of an error, and what it is the mean of."""
        prefix = "rmse" if self.loss_func == "mse" else "mae"
        return f"{prefix}_{kind}", MEASURES[self.loss_func]

    def force_size(self, deviation: Deviation) -> Deviation:
        """Return what of the differences of forces is measured: their components."""
        return deviation

    def _energy(self, case: Case) -> Deviation | None:
        target, coefficients = case.targets.get("energy"), case.targets.get("atom_ener_coeff")
        if target is None or coefficients is None or not self.enable_atom_ener_coeff:
            return case.of_frames("energy")
        atomic = as_type_of(case.predicted["atom_energy"], coefficients.value)
        weighted = namespace(atomic).reshape(atomic, shape(coefficients.value)) * coefficients.value
        weighted = weighted * case.frames.counted[:, None]
        return Deviation.of_frames(case.frames, case.frames.sums(weighted), target)

    def _of_whole(self, kind: str, deviation: Deviation | None) -> Iterator[Term]:
        """Yield the term of what grows with the number of atoms."""
        if deviation is None:
            return
        measure, share = self.measure(kind), deviation.per_atom()
        cost = share.cost(measure)
        if measure is MEASURES["mse"] and not self.intensive_ener_virial:
            cost = cost * deviation.frames.natoms
        name, shown = self.shown(kind)
        yield Term(self.prefactor(kind), cost, {name: share.error(shown)})

    def _plain(self, kind: str, deviation: Deviation | None) -> Iterator[Term]:
        """Yield the term of a property of atoms."""
        if deviation is None:
            return
        name, shown = self.shown(kind)
        errors = {name: deviation.error(shown)}
        yield Term(self.prefactor(kind), deviation.cost(self.measure(kind)), errors)

    def _forces(self, case: Case) -> Iterator[Term]:
        deviation = case.of_each_atom("force")
        if deviation is None:
            return
        relative = self._relative(deviation, case.targets["force"])
        if self.prefactor(self.force):
            cost = self.force_size(relative).cost(self.measure(self.force))
            name, shown = self.shown(self.force)
            yield Term(self.prefactor(self.force), cost, {name: deviation.error(shown)})
        weights = case.targets.get("atom_pref")
        if self.prefactor("pf") and weights is not None:
            each = as_type_of(weights.value, deviation.value)[:, 0]
            cost = relative.where_there(weights).cost(self.measure("pf"), each)
            name, shown = self.shown("pf")
            errors = {name: deviation.where_there(weights).error(shown, each)}
            yield Term(self.prefactor("pf"), cost, errors)

    def _relative(self, deviation: Deviation, force: Target) -> Deviation:
        if self.relative_f is None:
            return deviation
        xp = namespace(force.value)
        length = xp.sqrt(xp.sum(force.value * force.value, axis=1))
        return deviation.times(1.0 / (length + self.relative_f))
