"""How often the branches of a multi-task model are trained."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from dpcore.errors import DPError
from dpcore.train.data import DataSet
from dpcore.train.input import Branch, TrainInput


@dataclass(frozen=True)
class Turns:
    """How often each branch is trained.

    Attributes:
        chances: how often a step is of each branch, 1 together.
        steps: number of all steps.
    """

    chances: Mapping[str, float]
    steps: int

    @classmethod
    def of(cls, told: TrainInput, data: Sequence[DataSet], ranks: int = 1) -> "Turns":
        """Return how often the branches are trained, and how many steps there are.

        Args:
            told: the input.
            data: the training data of each branch.
            ranks: number of processes.

        Raises:
            DPError: chances or numbers of epochs that are missing or below 0.
        """
        each = list(zip(told.branches, data, strict=True))
        training = told.training
        if not told.several and training.numb_steps is None:
            assert training.numb_epoch is not None
            return cls({"": 1.0}, _steps(data[0], training.numb_epoch, ranks))
        if any(branch.epochs is not None for branch in told.branches):
            return cls._of_epochs(told, each, ranks)
        if training.numb_steps is None:
            raise DPError(
                "training.numb_steps: missing; a multi-task model needs it, or training.num_epoch_dict"
            )
        return cls(_chances(told, each), training.numb_steps)

    @classmethod
    def _of_epochs(
        cls, told: TrainInput, each: Sequence[tuple[Branch, DataSet]], ranks: int
    ) -> "Turns":
        if told.training.numb_steps is not None:
            raise DPError("training.num_epoch_dict: contradicts numb_steps; leave one of them out")
        steps = dict[str, float]()
        for branch, data in each:
            if branch.epochs is None or not branch.epochs > 0:
                raise DPError(
                    f"training.num_epoch_dict.{branch.name}: {branch.epochs or 'missing'}; each branch needs a "
                    "number above 0"
                )
            # Of whole passes, so that each branch may have a part of a step.
            steps[branch.name] = branch.epochs * _steps(data, 1.0, ranks)
        total = sum(steps.values())
        return cls({name: n / total for name, n in steps.items()}, ceil(total))


def _steps(data: DataSet, epochs: float, ranks: int) -> int:
    return data.sampler(0, 0, ranks).steps(epochs)


def _chances(told: TrainInput, each: Sequence[tuple[Branch, DataSet]]) -> dict[str, float]:
    given = [branch.probability for branch in told.branches]
    if all(chance is None for chance in given):
        found = {branch.name: float(len(data.sources)) for branch, data in each}
    else:
        for branch in told.branches:
            if branch.probability is None or branch.probability < 0:
                raise DPError(
                    f"training.model_prob.{branch.name}: {branch.probability or 'missing'}; each branch needs a "
                    "number from 0 up"
                )
        found = {branch.name: branch.probability or 0.0 for branch in told.branches}
    total = sum(found.values())
    if not total > 0:
        raise DPError("training.model_prob: no branch is ever trained; one must be above 0")
    return {name: chance / total for name, chance in found.items()}
