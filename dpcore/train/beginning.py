"""Where a run begins: with new models, those of files, or a checkpoint."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dpcore import tree
from dpcore.backend.adapter import Adapter
from dpcore.errors import DPError
from dpcore.formats import Document
from dpcore.frames import Frame, Prediction
from dpcore.infer.engine import engines_of
from dpcore.infer.head import with_head
from dpcore.infer.whole import WholeEvaluator
from dpcore.models import Model
from dpcore.models.branches import MultiTask
from dpcore.registry import format_of
from dpcore.train.finetune import Origin, check_alike, origins
from dpcore.train.input import Branch, TrainInput
from dpcore.train.loop import Task
from dpcore.train.low_rank import LowRank, unchanged
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
from dpcore.train.statistics import Statistics, shift_bias
from dpcore.train.subject import Draft, Subject, drawn, opened, with_model
from dpcore.train.turns import Turns
from dpcore.train.update import Progress

log = logging.getLogger(__name__)

# Keys of a model section that do not change what a checkpoint continues.
_FREE = frozenset(
    {
        "data_bias_nsample",
        "data_stat_nbatch",
        "data_stat_protect",
        "finetune_head",
        "info",
        "model_branch_alias",
        "seed",
        "shared_dict",
        "use_compile",
    }
)


@dataclass(frozen=True)
class Start:
    """Where a run begins.

    Attributes:
        restart: a checkpoint to continue, parameters, optimizer, data and all.
        model: a model file whose parameters are taken.
        finetune: a model file that is trained for other data, perhaps other types.
        head: the branch of that model to begin with; ``RANDOM`` for a new fitting.
        script: whether the settings of that model take the place of those of the input.
        count: whether neighbours are counted first.
    """

    restart: Path | None = None
    model: Path | None = None
    finetune: Path | None = None
    head: str | None = None
    script: bool = False
    count: bool = True

    def __post_init__(self) -> None:
        for option, used in (("--model-branch", self.head), ("--use-pretrain-script", self.script)):
            if used and self.finetune is None:
                raise DPError(f"{option}: is for --finetune; leave it out")


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
            if start.script:
                each = zip(found, branches, strict=True)
                branches = tuple(origin.scripted(branch) for origin, branch in each)
        drafts = [drawn(branch, count=start.count) for branch in branches]
        subjects = _finished(told, drafts, shared)
        if start.model is not None:
            subjects = _taken(subjects, start.model, several=told.several)
        subjects = _tuned(subjects, drafts, found, shared, adapter)
        if start.model is None and start.finetune is None:
            _check_trained(told.branches)
        return cls(subjects, shared, seed=told.training.seed or 0)

    @classmethod
    def _continued(cls, told: TrainInput, path: Path) -> "Beginning":
        before = _checkpoint(path)
        _check_branches(before.model, [b.name for b in told.branches], path, several=told.several)
        subjects = tuple(
            _reopened(branch, before, path, several=told.several) for branch in told.branches
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
                    f"the checkpoint's {path} does not fit: its run had another optimizer or model; use "
                    "--init-model to take its parameters alone"
                )
        for task in tasks:
            for what, loader in task.loaders.items():
                known = facts["data"].get(task.name, {}).get(what)
                if known is not None and not loader.restore(known):
                    log.warning(
                        "%s has changed since the checkpoint: all frames are taken anew", what
                    )
        values = tree.arrays(fresh) | {path: arrays[path] for path in needed}
        return tree.replace(fresh, values), int(facts["step"])


def _check_trained(branches: Sequence[Branch]) -> None:
    """Warn of a model whose large matrices are random and stay so."""
    if any(branch.about.lora is not None for branch in branches):
        log.warning(
            "model.lora: large matrices stay random; begin with a trained model: --finetune"
        )


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
    taken = [with_model(s, origin.into(s.model, s.section)) for s, origin in each]
    together = zip(_with_shared(taken, shared), drafts, found, strict=True)
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


def _checkpoint(path: Path) -> Document:
    document: Document = format_of(path).read(path)
    if document.training is None:
        raise DPError(f"{path}: is a model, no checkpoint; take its parameters with --init-model")
    return document


def _check_branches(model: Model, names: Sequence[str], path: Path, *, several: bool) -> None:
    """Refuse a file of other branches than those of the input.

    Raises:
        DPError: they differ.
    """
    known = list(model.names) if isinstance(model, MultiTask) else []
    if sorted(known) != sorted(names if several else []):
        has = f"the branches {', '.join(known)}" if known else "one model without branches"
        needs = f"the branches {', '.join(names)}" if several else "one model"
        raise DPError(f"{path}: has {has}, the input {needs}; take what fits with --finetune")


def _reopened(branch: Branch, before: Document, path: Path, *, several: bool) -> Subject:
    """Return the model of a checkpoint with its data.

    Raises:
        DPError: the input describes another model.
    """
    own = with_head(before, branch.name if several else None, path)
    section = own.provenance.get("model_def_script", dict(branch.model))
    if different := list(_differences(branch.model, section)):
        key = f"model.model_dict.{branch.name}" if several else "model"
        raise DPError(
            f"{path}: was trained with another model: {key}.{f', {key}.'.join(different)}; use the input of that "
            "run, or --init-model or --finetune"
        )
    facts = {"shortest": own.provenance.get("min_nbor_dist")}
    seen = (section.get("info") or {}).get("observed_type", ())
    assert before.training is not None
    model = unchanged(own.model, before.training.arrays)
    return opened(branch, dict(section), model, observed=tuple(seen), **facts)


def _differences(mine: Any, theirs: Any, where: str = "") -> list[str]:
    """Return what differs between two model sections, what the data tell aside."""
    if isinstance(mine, Mapping) and isinstance(theirs, Mapping):
        keys = [key for key in dict.fromkeys((*mine, *theirs)) if key not in _FREE]
        inner = [(f"{where}.{key}" if where else str(key), key) for key in keys]
        return [d for at, key in inner for d in _differences(mine.get(key), theirs.get(key), at)]
    if isinstance(mine, str) and mine.partition(":")[0] == "auto":
        return []
    if where == "type_map" and mine is None:
        return []
    same = list(mine) == list(theirs) if _are_lists(mine, theirs) else mine == theirs
    if same:
        return []
    return [f"{where} is {theirs!r} there, {mine!r} in the input"]


def _are_lists(*values: Any) -> bool:
    return all(isinstance(value, list | tuple) for value in values)


def _taken(subjects: tuple[Subject, ...], path: Path, *, several: bool) -> tuple[Subject, ...]:
    """Return subjects with the models of a file, which are the same but for their numbers.

    Raises:
        DPError: they are other models; what differs is named.
    """
    document: Document = format_of(path).read(path)
    names = [subject.branch.name for subject in subjects]
    _check_branches(document.model, names, path, several=several)
    return tuple(
        _replaced(subject, with_head(document, name if several else None, path).model, path)
        for name, subject in zip(names, subjects, strict=True)
    )


def _replaced(subject: Subject, model: Model, path: Path) -> Subject:
    check_alike(tree.arrays(subject.model), tree.arrays(model), path)
    return with_model(subject, model)
