"""What a run writes besides what it shows: checkpoints."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from dpcore import tree
from dpcore.backend.adapter import Adapter
from dpcore.formats import Document, Unfinished
from dpcore.infer.head import provenance_of
from dpcore.models import Model
from dpcore.models.branches import MultiTask
from dpcore.train.checkpoints import Checkpoints
from dpcore.train.input import TrainInput
from dpcore.train.loop import Task
from dpcore.train.low_rank import stayed
from dpcore.train.parameters import Layout
from dpcore.train.subject import Subject
from dpcore.train.update import Progress

Change = Callable[[Subject, Model], Model]
"""Returns a model with something changed before it is written, for what it is and its data."""


def _unchanged(_: Subject, model: Model) -> Model:
    return model


@dataclass(frozen=True, eq=False)
class Keeper:
    """Writes checkpoints of a run.

    Attributes:
        told: the input.
        subjects: the models and their data.
        tasks: what makes their batches.
        layout: what is where in the vector of parameters.
        adapter: the backend.
        files: the checkpoints.
        averages: those of the averaged parameters, or None.
        notes: what checkpoints keep of the best models.
    """

    told: TrainInput
    subjects: Sequence[Subject]
    tasks: Sequence[Task]
    layout: Layout
    adapter: Adapter
    files: Checkpoints
    averages: Checkpoints | None = None
    notes: dict[str, Any] = field(default_factory=dict)

    def save(self, step: int, progress: Progress, change: Change = _unchanged) -> None:
        """Write the checkpoint after a step, and that of the averaged parameters.

        Args:
            step: how many steps have been taken.
            progress: the parameters and what the optimizer remembers.
            change: what is done to the models first.
        """
        self.files.save(step, self.document(step, progress, change))
        if self.averages is not None:
            self.averages.save(step, self.averaged(step, progress, change))

    def document(self, step: int, progress: Progress, change: Change = _unchanged) -> Document:
        """Return what a run can be continued from."""
        now: Progress = tree.map_arrays(self.adapter.to_numpy, progress)
        data = {
            task.name: {what: loader.state() for what, loader in task.loaders.items()}
            for task in self.tasks
        }
        series = {task.name: told for task in self.tasks if (told := task.objective.state())}
        facts = {
            "step": step,
            "backend": self.adapter.name,
            "data": data,
            "input": self.told.settings,
            **({"series": series} if series else {}),
            **({"best": self.notes} if self.notes else {}),
        }
        own = stayed(self.subjects[0].model, self.layout.changed)
        state = Unfinished(facts, tree.arrays(now) | own)
        return Document(self.model(now.vector, change), self.provenance(step), state)

    def averaged(self, step: int, progress: Progress, change: Change = _unchanged) -> Document:
        """Return the model with the averaged parameters, from which no run can be continued."""
        vector = self.adapter.to_numpy(progress.average)
        return Document(self.model(vector, change), self.provenance(step))

    def model(self, vector: Any, change: Change = _unchanged) -> Model:
        """Return the model with the parameters of a NumPy vector."""
        models = {
            s.branch.name: change(s, self.layout.model(s.model, vector, s.branch.name))
            for s in self.subjects
        }
        if not self.told.several:
            (model,) = models.values()
            found: Model = model
            return found
        others = {s.branch.name: s.branch.about.model_branch_alias for s in self.subjects}
        return MultiTask.of(models, others)

    def provenance(self, step: int) -> dict[str, Any]:
        """Return where the model after a step comes from."""
        found = {subject.branch.name: _provenance(subject) for subject in self.subjects}
        return (provenance_of(found) if self.told.several else found[""]) | {"step": step}


def _provenance(subject: Subject) -> dict[str, Any]:
    info = dict(subject.section.get("info") or {})
    if subject.observed:
        info["observed_type"] = list(subject.observed)
    found: dict[str, Any] = {"model_def_script": subject.section | {"info": info}}
    if subject.shortest is not None:
        found["min_nbor_dist"] = subject.shortest
    return found
