"""The loss of energy models."""

from collections.abc import Iterator

from dpcore.errors import DPError
from dpcore.train.losses.curvature import curvature, pair_cost, pair_error
from dpcore.train.losses.energy_like import Case, EnergyLikeLoss
from dpcore.train.losses.frames import Deviation, Measure
from dpcore.train.losses.measures import MEASURES, huber, squared
from dpcore.train.losses.terms import Term
from dpcore.train.targets import Wanted
from dpcore.tree import setting
from dpcore.xp import as_type_of, namespace

# Which of three huber_delta belongs to a kind of label.
_DELTAS = {"e": 0, "f": 1, "v": 2, "ae": 0}


class EnergyLoss(EnergyLikeLoss, name="ener", aliases=("ener_hess",)):
    """Energies, forces, virials and what else is derived from them."""

    kinds = ("e", "f", "v", "h", "ae", "pf", "gf")
    force = "f"

    start_pref_f: float = setting(1000.0, doc="factor on forces at the start")
    limit_pref_f: float = setting(1.0, doc="factor on forces that it goes to")
    start_pref_h: float = setting(0.0, doc="factor on second derivatives at the start")
    limit_pref_h: float = setting(0.0, doc="factor on second derivatives that it goes to")
    use_default_pf: bool = setting(False, doc="atom_pref is 1 in systems without it")
    start_pref_gf: float = setting(0.0, doc="factor on generalised forces at the start")
    limit_pref_gf: float = setting(0.0, doc="factor on generalised forces that it goes to")
    numb_generalized_coord: int = setting(0, doc="number of generalised coordinates (drdq)")
    use_huber: bool = setting(False, doc="squares up to huber_delta and straight lines beyond")
    huber_delta: tuple[float, ...] | float = setting(
        0.01, doc="where the lines begin: one number, or one for energy, force and virial"
    )
    f_use_norm: bool = setting(
        False, doc="the length of a force's difference is measured, not its components"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_huber()
        if self.f_use_norm and not (self.use_huber or self.loss_func == "mae"):
            raise DPError("loss.f_use_norm: needs use_huber, or loss_func 'mae'")
        if self.use_default_pf and not self.prefactor("pf"):
            raise DPError("loss.use_default_pf: weights forces only with start_pref_pf; set that")
        if bool(self.prefactor("gf")) != (self.numb_generalized_coord > 0):
            raise DPError(
                f"loss.numb_generalized_coord: {self.numb_generalized_coord}; it is above 0 exactly where "
                "start_pref_gf or limit_pref_gf is"
            )

    def _check_huber(self) -> None:
        deltas = self.deltas
        if len(deltas) != 3 or not all(delta > 0.0 for delta in deltas):
            raise DPError(
                f"loss.huber_delta: {self.huber_delta}; one number above 0, or three of energy, force, virial"
            )
        if not self.use_huber:
            return
        if self.loss_func != "mse":
            raise DPError("loss.use_huber: goes with loss_func 'mse' alone; choose one of them")
        others = [kind for kind in ("pf", "gf", "h") if self.prefactor(kind)]
        if others or self.relative_f is not None:
            key = f"start_pref_{others[0]}" if others else "relative_f"
            raise DPError(f"loss.use_huber: is not defined together with {key}; leave one out")

    @property
    def deltas(self) -> tuple[float, ...]:
        """Where the lines of energy, force and virial begin."""
        return self.huber_delta if isinstance(self.huber_delta, tuple) else (self.huber_delta,) * 3

    @property
    def default_atom_pref(self) -> float | None:
        """The weight of forces in systems that give none."""
        return 1.0 if self.use_default_pf else None

    def _labels(self) -> Iterator[Wanted]:
        yield from super()._labels()
        if self.prefactor("gf"):
            yield Wanted("drdq", "atom", 3 * self.numb_generalized_coord)
        if self.prefactor("h"):
            yield Wanted("hessian", "pair", 0)

    def measure(self, kind: str) -> Measure:
        """Return what a difference of a kind of label costs."""
        return huber(self.deltas[_DELTAS[kind]]) if self.use_huber else super().measure(kind)

    def shown(self, kind: str) -> tuple[str, Measure]:
        """Return the name of an error, and what it is the mean of."""
        always = kind in {"gf", "h"}
        return (f"rmse_{kind}", squared) if always else super().shown(kind)

    def force_size(self, deviation: Deviation) -> Deviation:
        """Return what of the differences of forces is measured: their components or their lengths."""
        return deviation.lengths() if self.f_use_norm else deviation

    def terms(self, case: Case) -> Iterator[Term]:
        """Yield the terms of all labels that are there."""
        yield from super().terms(case)
        if self.prefactor("gf"):
            yield from self._generalised(case)
        if self.prefactor("h"):
            yield from self._curvature(case)

    def _generalised(self, case: Case) -> Iterator[Term]:
        """Yield the term of the forces on generalised coordinates, always their squares."""
        force, slopes = case.of_each_atom("force"), case.targets.get("drdq")
        if force is None or slopes is None:
            return
        xp, force = namespace(slopes.value), force.where_there(slopes)
        each = xp.reshape(slopes.value, (-1, 3, self.numb_generalized_coord))
        pulled = case.frames.sums(xp.sum(each * force.value[:, :, None], axis=1))
        there = as_type_of(slopes.there, pulled)
        there = there * as_type_of(case.targets["force"].there, pulled) * case.frames.there
        deviation = Deviation(case.frames, pulled, there, of_atoms=False)
        name, shown = self.shown("gf")
        errors = {name: deviation.error(shown)}
        yield Term(self.prefactor("gf"), deviation.cost(squared), errors)

    def _curvature(self, case: Case) -> Iterator[Term]:
        """Yield the term of the second derivatives of the energy."""
        target = case.targets.get("hessian")
        if target is None:
            return
        deviation = curvature(case.frames, case.predicted["hessian"], target)
        cost = pair_cost(deviation, MEASURES[self.loss_func])
        name, shown = self.shown("h")
        yield Term(self.prefactor("h"), cost, {name: pair_error(deviation, shown)})
