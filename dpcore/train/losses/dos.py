"""The loss of models of densities of states."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from dpcore.output import Output
from dpcore.train.losses.frames import Deviation, Frames
from dpcore.train.losses.loss import refuse_output
from dpcore.train.losses.measures import squared
from dpcore.train.losses.summed import SummedLoss
from dpcore.train.losses.terms import Prefactor, Term, both_ends, check_prefactors
from dpcore.train.targets import Targets, Wanted
from dpcore.tree import setting
from dpcore.xp import namespace


class DOSLoss(SummedLoss, name="dos"):
    """Squares of the differences of densities of states and of their sums up to each grid point."""

    start_pref_dos: float = setting(0.0, doc="factor on the density of a frame at the start")
    limit_pref_dos: float = setting(0.0, doc="factor on the density of a frame that it goes to")
    start_pref_cdf: float = setting(0.0, doc="factor on the sums of a frame at the start")
    limit_pref_cdf: float = setting(0.0, doc="factor on the sums of a frame that it goes to")
    start_pref_ados: float = setting(1.0, doc="factor on the density of an atom at the start")
    limit_pref_ados: float = setting(1.0, doc="factor on the density of an atom that it goes to")
    start_pref_acdf: float = setting(0.0, doc="factor on the sums of an atom at the start")
    limit_pref_acdf: float = setting(0.0, doc="factor on the sums of an atom that it goes to")

    def __post_init__(self) -> None:
        check_prefactors(self, both_ends(("dos", "cdf", "ados", "acdf")))

    def check_output(self, output: Output) -> None:
        """Refuse models that do not predict densities of states."""
        if output.atomic != "atom_dos":
            raise refuse_output("dos", output, "it is for densities of states")

    @property
    def error_names(self) -> tuple[str, ...]:
        """Names of the errors that are shown, in the order of the columns of ``lcurve.out``."""
        places = {
            "cdf": "global_cdf",
            "dos": "global_dos",
            "acdf": "local_cdf",
            "ados": "local_dos",
        }
        return tuple(f"rmse_{name}" for kind, name in places.items() if self._prefactor(kind))

    def wanted(self, output: Output) -> tuple[Wanted, ...]:
        """Return the labels of the terms with a prefactor."""
        self.check_output(output)
        found = list[Wanted]()
        if self._prefactor("dos") or self._prefactor("cdf"):
            found.append(Wanted("dos", "frame", output.size))
        if self._prefactor("ados") or self._prefactor("acdf"):
            found.append(Wanted("atom_dos", "atom", output.size))
        return tuple(found)

    def _prefactor(self, kind: str) -> Prefactor:
        return Prefactor.of(self, kind)

    def _terms(
        self, predicted: Mapping[str, Any], targets: Targets, frames: Frames
    ) -> Iterator[Term]:
        atoms, whole = targets.get("atom_dos"), targets.get("dos")
        if atoms is not None:
            local = Deviation.of_each_atom(frames, predicted["atom_dos"], atoms)
            yield from self._both("a", "local", local, local)
        if whole is not None:
            summed = Deviation.of_frames(frames, predicted["dos"], whole)
            yield from self._both("", "global", summed, summed.per_atom())

    def _both(
        self, letter: str, where: str, deviation: Deviation, shown: Deviation
    ) -> Iterator[Term]:
        """Yield the terms of a density and of its sums."""
        if prefactor := self._prefactor(f"{letter}dos"):
            errors = {f"rmse_{where}_dos": shown.error(squared)}
            yield Term(prefactor, deviation.cost(squared), errors)
        if prefactor := self._prefactor(f"{letter}cdf"):
            errors = {f"rmse_{where}_cdf": _summed(shown).error(squared)}
            yield Term(prefactor, _summed(deviation).cost(squared), errors)


def _summed(deviation: Deviation) -> Deviation:
    """Return the deviation of the sums up to each grid point."""
    sums = namespace(deviation.value).cumulative_sum(deviation.value, axis=1)
    return replace(deviation, value=sums)
