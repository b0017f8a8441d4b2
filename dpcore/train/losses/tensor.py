"""The loss of models of dipoles and polarizabilities."""

from collections.abc import Iterator, Mapping
from typing import Any, Self

from dpcore.errors import DPError
from dpcore.models.model import Model
from dpcore.output import Output
from dpcore.train.losses.frames import Deviation, Frames
from dpcore.train.losses.loss import refuse_output
from dpcore.train.losses.measures import squared
from dpcore.train.losses.summed import SummedLoss
from dpcore.train.losses.terms import Prefactor, Term, check_prefactors
from dpcore.train.targets import Targets, Wanted
from dpcore.tree import setting
from dpcore.xp import as_type_of

# What the label of a frame is called, by what the property of an atom is.
_LABELS = {"dipole": "dipole", "polar": "polarizability"}


class TensorLoss(SummedLoss, name="tensor"):
    """Squares of the differences of tensors of frames and of atoms.

    Attributes:
        names: what the model calls the tensor of a frame and that of an atom.
    """

    pref: float = setting(doc="factor on the tensors of frames")
    pref_atomic: float = setting(doc="factor on the tensors of atoms")
    enable_atomic_weight: bool = setting(
        False, doc="differences of atoms are multiplied by atom_weight, by default 1"
    )
    names: tuple[str, str] = ("", "")

    def __post_init__(self) -> None:
        check_prefactors(self, ("pref", "pref_atomic"))
        if self.enable_atomic_weight and not self.pref_atomic:
            raise DPError("loss.enable_atomic_weight: weighs atoms only with pref_atomic; set that")

    def check_output(self, output: Output) -> None:
        """Refuse models that do not predict tensors."""
        if output.atomic not in _LABELS:
            raise refuse_output("tensor", output, "it is for dipoles and polarizabilities")

    def for_model(self, model: Model) -> Self:
        """Return the loss for a model: what it predicts and which types it leaves out."""
        names = (model.output.total, model.output.atomic)
        return super().for_model(model).with_(names=names)

    @property
    def error_names(self) -> tuple[str, ...]:
        """Names of the errors that are shown, in the order of the columns of ``lcurve.out``."""
        found = {"global": self.pref, "local": self.pref_atomic}
        return tuple(f"rmse_{where}_{self.names[1]}" for where, pref in found.items() if pref)

    def wanted(self, output: Output) -> tuple[Wanted, ...]:
        """Return the labels of the terms with a prefactor."""
        self.check_output(output)
        label, found = _LABELS[output.atomic], list[Wanted]()
        if self.pref:
            found.append(Wanted(label, "frame", output.size))
        if self.pref_atomic:
            found.append(Wanted(f"atom_{label}", "atom", output.size))
        if self.enable_atomic_weight:
            found.append(Wanted("atom_weight", "atom", default=1.0))
        return tuple(found)

    def _terms(
        self, predicted: Mapping[str, Any], targets: Targets, frames: Frames
    ) -> Iterator[Term]:
        of_frame, of_atom = self.names
        label = _LABELS[of_atom]
        atoms, whole = targets.get(f"atom_{label}"), targets.get(label)
        if self.pref_atomic and atoms is not None:
            deviation = Deviation.of_each_atom(frames, predicted[of_atom], atoms)
            errors = {f"rmse_local_{of_atom}": deviation.error(squared)}
            weight = targets.get("atom_weight")
            if self.enable_atomic_weight and weight is not None:
                deviation = deviation.times(as_type_of(weight.value, deviation.value)[:, 0])
            prefactor = Prefactor(self.pref_atomic, self.pref_atomic)
            yield Term(prefactor, deviation.cost(squared), errors)
        if self.pref and whole is not None:
            deviation = Deviation.of_frames(frames, predicted[of_frame], whole)
            errors = {f"rmse_global_{of_atom}": deviation.per_atom().error(squared)}
            yield Term(Prefactor(self.pref, self.pref), deviation.cost(squared), errors)
