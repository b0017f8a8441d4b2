"""Whether the files that a run begins with fit its input."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dpcore import tree
from dpcore.errors import DPError
from dpcore.formats import Document
from dpcore.infer.head import with_head
from dpcore.models import Model
from dpcore.models.branches import MultiTask
from dpcore.registry import format_of
from dpcore.train.differences import listed, of_models, of_parts, of_runs
from dpcore.train.finetune import Origin, check_alike, forced
from dpcore.train.input import Branch, TrainInput
from dpcore.train.low_rank import unchanged
from dpcore.train.start import Start
from dpcore.train.subject import Subject, opened, with_model

log = logging.getLogger(__name__)

# Sections of an input that may differ from those of the run that is continued.
_RUN = ("learning_rate", "learning_rate_dict", "optimizer", "loss", "loss_dict")


def checkpoint(path: Path) -> Document:
    """Read a file that a run can be continued from.

    Raises:
        DPError: it is a model alone.
    """
    document: Document = format_of(path).read(path)
    if document.training is None:
        raise DPError(f"{path}: is a model, no checkpoint; take its parameters with --init-model")
    return document


def check_branches(model: Model, names: Sequence[str], path: Path, *, several: bool) -> None:
    """Refuse a file of other branches than those of the input.

    Raises:
        DPError: they differ.
    """
    known = list(model.names) if isinstance(model, MultiTask) else []
    if sorted(known) != sorted(names if several else []):
        has = f"the branches {', '.join(known)}" if known else "one model without branches"
        needs = f"the branches {', '.join(names)}" if several else "one model"
        raise DPError(f"{path}: has {has}, the input {needs}; take what fits with --finetune")


def reopened(branch: Branch, before: Document, path: Path, *, several: bool) -> Subject:
    """Return the model of a checkpoint with its data.

    Raises:
        DPError: the input describes another model.
    """
    own = with_head(before, branch.name if several else None, path)
    section = own.provenance.get("model_def_script", dict(branch.model))
    if different := of_models(branch.model, section):
        key = f"model.model_dict.{branch.name}" if several else "model"
        raise DPError(
            f"{path}: was trained with another model: {listed(different, key)}; use the input of that run, or "
            "--init-model or --finetune"
        )
    facts = {"shortest": own.provenance.get("min_nbor_dist")}
    seen = (section.get("info") or {}).get("observed_type", ())
    assert before.training is not None
    model = unchanged(own.model, before.training.arrays)
    return opened(branch, dict(section), model, observed=tuple(seen), **facts)


def remark(told: TrainInput, before: Document, path: Path) -> None:
    """Tell of settings that a run goes on with, but did not begin with."""
    facts = {} if before.training is None else before.training.facts
    if different := of_runs(told.settings, facts.get("input", told.settings), _RUN):
        log.warning("%s: the run goes on with other settings: %s", path, listed(different))
    steps, done = told.training.numb_steps, int(facts.get("step", 0))
    if steps is not None and done >= steps:
        log.warning(
            "%s: is of step %d and training.numb_steps is %d: no step is left", path, done, steps
        )


def check_sketches(
    branches: Sequence[Branch],
    sketches: Sequence[Model | None],
    start: Start,
    found: Sequence[Origin],
    document: Document | None,
    *,
    several: bool,
) -> None:
    """Compare models with those of a file before any data are read, as far as the input alone tells them.

    Raises:
        DPError: they are other models; what differs is named.
    """
    path = start.model
    if document is not None and path is not None:
        check_branches(document.model, [branch.name for branch in branches], path, several=several)
    begun: Sequence[Origin | None] = found or [None] * len(branches)
    for branch, sketch, origin in zip(branches, sketches, begun, strict=True):
        key = f"model.model_dict.{branch.name}" if several else "model"
        if origin is not None:
            if sketch is not None and origin.model.type_map == sketch.type_map:
                origin.into(sketch, branch.model)
            _remark_parts(branch, origin.section, origin.path, origin.taken, key)
        if document is not None and path is not None:
            own = with_head(document, branch.name if several else None, path)
            if sketch is not None:
                _fitting(sketch, own.model, path)
            section = own.provenance.get("model_def_script", {})
            _remark_parts(branch, section, path, ("descriptor", "fitting_net"), key)


def _remark_parts(branch: Branch, section: Any, path: Path, parts: Sequence[str], key: str) -> None:
    """Tell of settings with which the parameters of a file mean something else."""
    if isinstance(section, Mapping) and (different := of_parts(branch.model, section, parts)):
        log.warning("%s: was trained with another model: %s", path, listed(different, key))


def taken(
    subjects: tuple[Subject, ...], document: Document, start: Start, *, several: bool
) -> tuple[Subject, ...]:
    """Return subjects with the models of a file, which are the same but for their numbers.

    Raises:
        DPError: they are other models; what differs is named.
    """
    path = start.model
    assert path is not None
    names = [subject.branch.name for subject in subjects]
    check_branches(document.model, names, path, several=several)
    return tuple(
        with_model(
            subject,
            _fitting(
                subject.model,
                with_head(document, name if several else None, path).model,
                path,
                force=start.force,
            ),
        )
        for name, subject in zip(names, subjects, strict=True)
    )


def _fitting(mine: Model, model: Model, path: Path, *, force: bool = False) -> Model:
    """Return the model of a file, which must differ from that of the input in nothing but numbers.

    Args:
        mine: the model of the input.
        model: that of the file.
        path: the file, for messages.
        force: give it the parameters of the input's that it lacks.
    """
    if model.type_map != mine.type_map:
        raise DPError(
            f"{path}: is for the types {' '.join(model.type_map)}, the input for {' '.join(mine.type_map)}; "
            "both must agree in their order, or use --finetune"
        )
    own, theirs = tree.arrays(mine), tree.arrays(model)
    if not force:
        check_alike(own, theirs, path)
        return model
    theirs = forced(own, theirs, path)
    check_alike(own, theirs, path)
    found: Model = tree.replace(mine, {p: theirs[p].astype(x.dtype) for p, x in own.items()})
    return found
