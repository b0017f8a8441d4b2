"""The models of a multi-task model, of which each prediction is of one."""

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, Self

from dpcore.batch import Batch
from dpcore.errors import DPError, suggest
from dpcore.models.model import Model
from dpcore.neighbours.selection import Selection
from dpcore.output import Output
from dpcore.tree import setting


class MultiTask(Model, name="multi_task"):
    """Models that were trained together and share parameters, the branches.

    It predicts nothing itself: one of its branches does, chosen by name. Its types are those of all branches.
    """

    names: tuple[str, ...] = setting(doc="names of the branches")
    other_names: tuple[tuple[str, ...], ...] = setting(doc="for each branch, other names of it")
    models: tuple[Model, ...]

    def __post_init__(self) -> None:
        numbers = {len(self.names), len(self.models), len(self.other_names)}
        if not self.names or len(numbers) > 1:
            raise DPError(
                f"{len(self.models)} branches with {len(self.names)} names; each needs one"
            )
        known = dict[str, str]()
        for name, others in zip(self.names, self.other_names, strict=True):
            for each in (name, *others):
                if known.setdefault(each, name) != name or (each in self.names and each != name):
                    raise DPError(
                        f"model.model_dict.{name}: {each!r} is a name of another branch too; choose another "
                        "model_branch_alias"
                    )

    @classmethod
    def of(cls, branches: Mapping[str, Model], others: Mapping[str, Sequence[str]]) -> Self:
        """Return the model of branches.

        Args:
            branches: the branches by name.
            others: other names of the branches.
        """
        types = dict.fromkeys(t for model in branches.values() for t in model.type_map)
        return cls(
            type_map=tuple(types),
            names=tuple(branches),
            other_names=tuple(tuple(others.get(name, ())) for name in branches),
            models=tuple(branches.values()),
        )

    @property
    def branches(self) -> dict[str, Model]:
        """The branches by name."""
        return dict(zip(self.names, self.models, strict=True))

    def find(self, head: str) -> str:
        """Return the name of the branch that a user means: its name or another one, in letters of any case.

        Raises:
            DPError: there is no such branch.
        """
        each = zip(self.names, self.other_names, strict=True)
        known = {word: name for name, others in each for word in (name, *others)}
        loose = {word.lower(): name for word, name in known.items()}
        found = known.get(head) or loose.get(head.lower())
        if found is None:
            raise DPError(f"there is no branch {head!r}{suggest(head, known)}")
        return found

    @property
    def listed(self) -> str:
        """The names of the branches, for messages."""
        return ", ".join(self.names)

    def with_branch(self, name: str, model: Model) -> Self:
        """Return the model with another branch in place of one."""
        models = [model if own == name else m for own, m in self.branches.items()]
        return self.with_(models=tuple(models))

    @property
    def output(self) -> Output:
        """Raises: a branch has to be chosen."""
        self._refuse()

    @property
    def selections(self) -> tuple[Selection, ...]:
        """Raises: a branch has to be chosen."""
        self._refuse()

    @property
    def parts(self) -> Mapping[str, Model]:
        """Raises: a branch has to be chosen."""
        self._refuse()

    def atomic(self, batch: Batch, displacement: Any) -> Any:  # noqa: ARG002
        """Raise: a branch has to be chosen."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise DPError(f"a multi-task model predicts by a branch; choose one of {self.listed}")
