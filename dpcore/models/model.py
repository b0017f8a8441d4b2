"""The contract of models."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from dpcore.batch import Batch
from dpcore.conditions import Conditions
from dpcore.errors import DPError
from dpcore.frames import Frame, Prediction
from dpcore.models.spins import with_spins
from dpcore.models.stand_ins import StandIn
from dpcore.neighbours.selection import Selection
from dpcore.output import Output
from dpcore.tree import Module


class Model(Module):
    """Base of models: atoms and their neighbours in, properties out.

    Attributes:
        type_map: names of the atom types.
        atom_exclude_types: types whose atomic property is zero.
    """

    type_map: tuple[str, ...]

    atom_exclude_types: tuple[int, ...] = ()

    @property
    def output(self) -> Output:
        """What the model predicts."""
        raise NotImplementedError

    @property
    def conditions(self) -> Conditions:
        """What the model is told of frames and atoms besides where they are."""
        return Conditions()

    @property
    def magnetic(self) -> tuple[bool, ...]:
        """Whether atoms of each type have spins that the model is differentiated by; none where it takes none."""
        return ()

    @property
    def selections(self) -> tuple[Selection, ...]:
        """The neighbours the model asks for: one view of a batch for each."""
        raise NotImplementedError

    @property
    def virials_by_path(self) -> bool:
        """Whether virials of atoms follow the paths of messages (see :mod:`dpcore.models.atomic_virials`)."""
        return False

    @property
    def rcut(self) -> float:
        """Cutoff, Å: the largest of the selections."""
        return max(selection.rcut for selection in self.selections)

    @property
    def reach(self) -> float:
        """Distance below which a neighbour is beyond the tables, Å; 0 where there are none."""
        return 0.0

    @property
    def is_fused(self) -> bool:
        """Whether fused kernels evaluate the model."""
        return False

    def prepared(self, *, tables: bool | None = False, kernels: Collection[str] = ()) -> "Model":  # noqa: ARG002
        """Return the model with everything computed ahead that no input changes.

        The result predicts the same numbers; it is neither trained nor stored.

        Args:
            tables: replace embedding networks by tables that agree with them to rounding.
            kernels: embeddings that the backend has fused kernels for, to be evaluated by them.
        """
        return self

    def atomic(self, batch: Batch, displacement: Any) -> Any:
        """Return the property of each centre.

        Args:
            batch: the atoms and their neighbours.
            displacement: vectors to the neighbours on the batch's edge axis, ``(edge, 3)``, Å.

        Returns:
            the property on the batch's centre axis, ``(centre, *output.shape)``.
        """
        raise NotImplementedError

    def features(self, batch: Batch, displacement: Any) -> Any:  # noqa: ARG002
        """Return the descriptors of the centres, ``(centre, width)``."""
        raise DPError(f"a model of type {self.type_name!r} has no descriptor")

    @property
    def parts(self) -> Mapping[str, "Model"]:
        """The models that are evaluated on batches, by name: by default the model itself."""
        return {"model": self}

    def run(self, frames: Sequence[Frame], evaluate: "Evaluate") -> list[Prediction]:
        """Return the predictions for frames.

        Models that are evaluated on frames other than those they are asked for override it.

        Args:
            frames: the frames.
            evaluate: returns the predictions of one of the :attr:`parts`.
        """
        if self.magnetic:
            return with_spins(frames, self.magnetic, lambda given: evaluate("model", given))
        return evaluate("model", frames)

    def frames_inside(self, frames: Sequence[Frame]) -> dict[str, list[Frame]]:  # noqa: ARG002
        """Return what the trained models inside are evaluated on, by their paths.

        Args:
            frames: the frames that this model is evaluated on.
        """
        return {}

    def stand_ins(self, frames: Sequence[Frame]) -> Mapping[str, list[StandIn]]:  # noqa: ARG002
        """Return what the trained :attr:`parts` are evaluated on in place of frames, by their names.

        Args:
            frames: the frames; nothing is returned by models that are evaluated on these themselves.

        Raises:
            DPError: a frame is not usable.
        """
        return {}

    def run_features(self, frames: Sequence[Frame], describe: "Evaluate") -> list[Prediction]:
        """Return the descriptors of frames, from those of one of the :attr:`parts`."""
        return describe("model", frames)


Evaluate = Callable[[str, Sequence[Frame]], list[Prediction]]
