"""Where a run begins: with new models, those of files, or a checkpoint."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dpcore import tree
from dpcore.backend.adapter import Adapter
from dpcore.errors import DPError
from dpcore.formats import Document
from dpcore.frames import Frame, Prediction
from dpcore.infer.engine import engines_of
from dpcore.infer.whole import WholeEvaluator
from dpcore.models import Model
from dpcore.registry import format_of
from dpcore.settings.found import agreed, holder_of, open_numbers
from dpcore.train.agreement import (
    check_branches,
    check_sketches,
    checkpoint,
    remark,
    reopened,
    taken,
)
from dpcore.train.finetune import Origin, origins, scripted
from dpcore.train.input import Branch, TrainInput
from dpcore.train.loop import Task
from dpcore.train.low_rank import LowRank
from dpcore.train.parameters import Layout
from dpcore.train.sharing import (
    Sharing,
    check_sharings,
    merged,
    owners,
    sharings,
    tied,
    with_case,
)
from dpcore.train.start import Start
from dpcore.train.statistics import Statistics, shift_bias
from dpcore.train.subject import Counted, Draft, Subject, counted, drawn, sketched, with_model
from dpcore.train.turns import Turns
from dpcore.train.update import Progress

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Beginning:
    """What a run begins with.

    Attributes:
        subjects: the models and their data.
        shared: what the models share.
        before: the checkpoint that is continued, or None.
        seed: decides where parameters begin that no file has.
    """

    subjects: tuple[Subject, ...]
    shared: tuple[Sharing, ...] = ()
    before: Document | None = None
    seed: int = 0

    @property
    def notes(self) -> dict[str, Any]:
        """What the checkpoint keeps of the best models."""
        training = None if self.before is None else self.before.training
        return {} if training is None else dict(training.facts.get("best", {}))

    @classmethod
    def of(cls, told: TrainInput, start: Start, adapter: Adapter) -> "Beginning":
        """Read the data, and make the models or read them.

        Args:
            told: the input.
            start: where the run begins.
            adapter: the backend, which predicts what a bias is fitted to.

        Raises:
            DPError: settings, data or files that do not fit each other.
        """
        if start.restart is not None:
            return cls._continued(told, start.restart)
        shared, found, branches = sharings(told.links), tuple[Origin, ...](), told.branches
        if start.finetune is not None:
            document = format_of(start.finetune).read(start.finetune)
            found = tuple(
                origins(document, start.finetune, branches, start.head, several=told.several)
            )
            found = tuple(replace(origin, force=start.force) for origin in found)
            for origin in found:
                if not origin.fitting:
                    log.warning("%s: the descriptor is taken, the fitting is new", origin.path)
        given = None if start.model is None else format_of(start.model).read(start.model)
        sketches = [sketched(branch) for branch in branches]
        if not start.force:
            check_sketches(branches, sketches, start, found, given, several=told.several)
        told_of = [counted(branch, count=start.count) for branch in branches]
        each = zip(_agreed(told, told_of), sketches, strict=True)
        drafts = [drawn(section, sketch) for section, sketch in each]
        subjects = _finished(told, drafts, shared)
        if start.model is not None and given is not None:
            subjects = taken(subjects, given, start, several=told.several)
        subjects = _tuned(subjects, drafts, found, shared, adapter)
        if start.model is None and start.finetune is None:
            _check_trained(told.branches)
        return cls(subjects, shared, seed=told.training.seed or 0)

    @classmethod
    def _continued(cls, told: TrainInput, path: Path) -> "Beginning":
        before = checkpoint(path)
        remark(told, before, path)
        check_branches(before.model, [b.name for b in told.branches], path, several=told.several)
        subjects = tuple(
            reopened(branch, before, path, several=told.several) for branch in told.branches
        )
        return cls(subjects, sharings(told.links), before, told.training.seed or 0)

    @property
    def models(self) -> dict[str, Model]:
        """The models by name."""
        return {subject.branch.name: subject.model for subject in self.subjects}

    @property
    def layout(self) -> Layout:
        """What is where in the vector of parameters."""
        return Layout.of_several(self.models, owners(self.shared, self.models), self._low_rank)

    @property
    def _low_rank(self) -> LowRank | None:
        """How the arrays of a model that is alone change, if not freely."""
        subject, *_ = self.subjects
        told = subject.branch.about.lora
        if told is None:
            return None
        return LowRank.of(subject.model, told.rank, told.alpha, self.seed)

    def progress(
        self, told: TrainInput, layout: Layout, tasks: Sequence[Task]
    ) -> tuple[Progress, int]:
        """Return the parameters and what else changes, as NumPy arrays, and how many steps were taken.

        Raises:
            DPError: the checkpoint does not fit the input.
        """
        vector = layout.vector_of(self.models)
        average = vector.copy() if told.training.enable_ema else None
        fresh = Progress(vector=vector, state=told.optimizer.start(layout, vector), average=average)
        if self.before is None or self.before.training is None:
            return fresh, 0
        facts, arrays = self.before.training.facts, self.before.training.arrays
        needed = tree.arrays(fresh)
        if "average" not in arrays:  # it begins here
            needed.pop("average", None)
        for path, value in needed.items():
            if path not in arrays or arrays[path].shape != value.shape:
                raise DPError(
                    f"--restart: the checkpoint's {path} does not fit: its run had another optimizer or model; use "
                    "--init-model to take its parameters alone"
                )
        series = facts.get("series")
        for task in tasks:
            task.objective.restore(series.get(task.name) if isinstance(series, dict) else None)
            for what, loader in task.loaders.items():
                known = facts["data"].get(task.name, {}).get(what)
                if known is not None and not loader.restore(known):
                    log.warning(
                        "%s has changed since the checkpoint: all frames are taken anew", what
                    )
        values = tree.arrays(fresh) | {path: arrays[path] for path in needed}
        return tree.replace(fresh, values), int(facts["step"])


def with_script(told: TrainInput, start: Start) -> TrainInput:
    """Return an input with the settings of a trained model in place of its own, where that is asked for.

    Raises:
        DPError: the file does not tell its settings.
    """
    if not start.script or start.finetune is None:
        return told
    document = format_of(start.finetune).read(start.finetune)
    found = origins(document, start.finetune, told.branches, start.head, several=told.several)
    return scripted(told, found)


def _check_trained(branches: Sequence[Branch]) -> None:
    """Warn of a model whose large matrices are random and stay so."""
    if any(branch.about.lora is not None for branch in branches):
        log.warning(
            "model.lora: large matrices stay random; begin with a trained model: --finetune"
        )


def _agreed(told: TrainInput, each: Sequence[Counted]) -> list[Counted]:
    """Return what was counted for branches, with the same numbers in what they share."""
    given = {branch.name: branch.model for branch in told.branches}
    found = agreed(told.links, given, {one.branch.name: one.section for one in each})
    for one in each:
        name = one.branch.name
        for where in open_numbers(one.branch.model):
            own, key = holder_of(one.section, where)
            now = holder_of(found[name], where)[0][key]
            if own[key] != now:
                log.info("%s: %s: %s, the largest of the branches that share it", name, where, now)
    return [replace(one, section=found[one.branch.name]) for one in each]


def _finished(
    told: TrainInput, drafts: Sequence[Draft], shared: Sequence[Sharing]
) -> tuple[Subject, ...]:
    """Return models with the statistics of their data, and what they share."""
    found = {draft.branch.name: draft.found for draft in drafts}
    models = {draft.branch.name: draft.model for draft in drafts}
    if shared:
        check_sharings(shared, models)
        found = _together(told, drafts, shared, found)
    if told.several:
        models = {name: with_case(model, name, list(models)) for name, model in models.items()}
    subjects = [draft.finished(models[name], found[name]) for name, draft in _named(drafts)]
    return _with_shared(subjects, shared)


def _named(drafts: Sequence[Draft]) -> list[tuple[str, Draft]]:
    return [(draft.branch.name, draft) for draft in drafts]


def _together(
    told: TrainInput,
    drafts: Sequence[Draft],
    shared: Sequence[Sharing],
    found: Mapping[str, Statistics],
) -> dict[str, Statistics]:
    """Return statistics of branches, those of what they share put together."""
    least = {draft.branch.statistics.data_stat_protect for draft in drafts}
    if len(least) > 1:
        raise DPError(
            f"model.model_dict: data_stat_protect is {', '.join(map(str, sorted(least)))}; branches that share "
            "sections need the same"
        )
    turns = Turns.of(told, [draft.data for draft in drafts])
    return merged(shared, found, turns.chances)


def _with_shared(subjects: Sequence[Subject], shared: Sequence[Sharing]) -> tuple[Subject, ...]:
    if not shared:
        return tuple(subjects)
    models = tied(shared, {subject.branch.name: subject.model for subject in subjects})
    return tuple(with_model(subject, models[subject.branch.name]) for subject in subjects)


def _tuned(
    subjects: tuple[Subject, ...],
    drafts: Sequence[Draft],
    found: Sequence[Origin],
    shared: Sequence[Sharing],
    adapter: Adapter,
) -> tuple[Subject, ...]:
    """Return models with the parameters of trained ones, and an output bias that fits their own data."""
    if not found:
        return subjects
    each = zip(subjects, found, strict=True)
    filled = [with_model(s, origin.into(s.model, s.section)) for s, origin in each]
    together = zip(_with_shared(filled, shared), drafts, found, strict=True)
    return tuple(_biased(subject, draft, origin, adapter) for subject, draft, origin in together)


def _biased(subject: Subject, draft: Draft, origin: Origin, adapter: Adapter) -> Subject:
    # A new fitting has the bias of its data already.
    if origin.resumed or not origin.fitting or draft.found.output is None:
        return subject
    whole = WholeEvaluator(subject.model, engines_of(subject.model, adapter))
    number = subject.branch.statistics.data_bias_nsample

    def predict(frames: Sequence[Frame]) -> list[Prediction]:
        return whole.predict(frames, atomic=False)

    model = shift_bias(subject.model, draft.data.sources, predict, lambda _: number)
    return with_model(subject, model)
