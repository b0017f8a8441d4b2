"""Beginning with the parameters of a trained model: of the same one, or of one for other types or data."""

import copy
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dpcore import tree
from dpcore.errors import DPError
from dpcore.formats import Document
from dpcore.infer.head import with_head
from dpcore.models import Model
from dpcore.models.branches import MultiTask
from dpcore.settings import normalized
from dpcore.train.input import Branch, TrainInput
from dpcore.train.learned import around, place_of_learned
from dpcore.train.retyped import retyped

log = logging.getLogger(__name__)

RANDOM = "RANDOM"
# What a user may call the only model of a file.
_ONLY = "Default"
_SHOWN = 5


@dataclass(frozen=True, eq=False)
class Origin:
    """Where the parameters of a model come from.

    Attributes:
        path: the file.
        model: the model inside, or its branch.
        section: its model section; empty where the file does not tell.
        fitting: whether its fitting is taken; otherwise a new one is trained.
        resumed: whether its training goes on, so that the output bias stays.
        force: whether parameters that it lacks begin anew.
    """

    path: Path
    model: Model
    section: Mapping[str, Any]
    fitting: bool = True
    resumed: bool = False
    force: bool = False

    @property
    def taken(self) -> tuple[str, ...]:
        """The sections of the model whose parameters are taken."""
        return ("descriptor", "fitting_net") if self.fitting else ("descriptor",)

    def scripted(self, branch: Branch) -> Branch:
        """Return a branch with the origin's settings of what is taken in place of its own.

        Raises:
            DPError: the file does not tell them.
        """
        if "descriptor" not in self.section:
            raise DPError(
                f"--use-pretrain-script: {self.path} does not hold the settings of its model; write them into "
                "the input"
            )
        theirs = normalized(self.section)
        changed = dict(branch.model)
        for key in self.taken:
            own = branch.model.get(key, {})
            kept = {"trainable": own["trainable"]} if "trainable" in own else {}
            changed[key] = theirs[key] | kept
        return replace(branch, model=changed)

    def into(self, model: Model, section: Mapping[str, Any]) -> Model:
        """Return a model with the origin's parameters, those of types that it lacks left as they are.

        Args:
            model: a new model with the statistics of its data.
            section: its model section.

        Raises:
            DPError: both are not built alike; what differs is named.
        """
        theirs, place = tree.arrays(self.model), place_of_learned(model)
        if place is not None and place_of_learned(self.model) is None:
            theirs = around(self.model, model, place, self.path)
        elif self.model.type_map != model.type_map:
            theirs = retyped(self.model, model, section, self.path)
        mine = tree.arrays(model)
        if not self.fitting:
            kept = {path: x for path, x in mine.items() if not _of_descriptor(path)}
            theirs = {p: x for p, x in theirs.items() if _of_descriptor(p)} | kept
        if self.force:
            theirs = forced(mine, theirs, self.path)
        check_alike(mine, theirs, self.path, " (or --use-pretrain-script)")
        return tree.replace(model, {p: theirs[p].astype(x.dtype) for p, x in mine.items()})


def _of_descriptor(path: str) -> bool:
    return "descriptor" in path.split(".")


def forced(mine: Mapping[str, Any], theirs: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Return the arrays of a trained model with those of a new one that it lacks, which are told."""
    lacking = [place for place in mine if place not in theirs]
    if lacking:
        more = f" and {len(lacking) - _SHOWN} more" if len(lacking) > _SHOWN else ""
        log.warning("%s: lacks %s%s: they begin anew", path, ", ".join(lacking[:_SHOWN]), more)
    return {**theirs, **{place: mine[place] for place in lacking}}


def check_alike(
    mine: Mapping[str, Any], theirs: Mapping[str, Any], path: Path, remedy: str = ""
) -> None:
    """Refuse models that are not built alike.

    Raises:
        DPError: an array is missing, too many, or of another shape; the first ones are named.
    """
    different = [
        f"{place} is {_shape(theirs, place)}, that of the input {_shape(mine, place)}"
        for place in dict.fromkeys((*mine, *theirs))
        if _shape(mine, place) != _shape(theirs, place)
    ]
    if different:
        more = f"; and {len(different) - _SHOWN} more" if len(different) > _SHOWN else ""
        raise DPError(
            f"{path}: its {'; '.join(different[:_SHOWN])}{more}: both models must be built alike, change the "
            f"settings{remedy}"
        )


def _shape(arrays: Mapping[str, Any], place: str) -> str:
    return str(tuple(arrays[place].shape)) if place in arrays else "missing"


def origins(
    document: Document, path: Path, branches: Sequence[Branch], head: str | None, *, several: bool
) -> list[Origin]:
    """Return where fine-tuning of each branch begins.

    Args:
        document: the trained model.
        path: its file.
        branches: what the input says of the branches that are trained.
        head: the branch that is begun with, from the command line.
        several: whether the model that is trained has branches.

    Raises:
        DPError: a branch that the file does not have, or the command line names it for several.
    """
    if not several:
        (branch,) = branches
        chosen = head or branch.about.finetune_head or ""
        return [_origin(document, path, chosen)]
    if head is not None:
        raise DPError(
            f"--model-branch {head}: each branch of a multi-task model begins with its own; set finetune_head "
            "in each section of model.model_dict"
        )
    model = document.model
    known = model.names if isinstance(model, MultiTask) else ()
    found = []
    for branch in branches:
        given = branch.about.finetune_head
        resumed = given is None and branch.name in known
        origin = _origin(document, path, branch.name if resumed else given or RANDOM)
        found.append(replace(origin, resumed=resumed))
    return found


def scripted(told: TrainInput, found: Sequence[Origin]) -> TrainInput:
    """Return an input with the settings of what is taken in place of its own.

    Args:
        told: the input.
        found: where each branch begins.

    Raises:
        DPError: a file does not tell its settings.
    """
    each = zip(found, told.branches, strict=True)
    branches = tuple(origin.scripted(branch) for origin, branch in each)
    model = copy.deepcopy(told.settings["model"])
    for origin, branch in zip(found, branches, strict=True):
        section = model["model_dict"][branch.name] if told.several else model
        for key in origin.taken:
            named = section.get(key)
            if isinstance(named, str):  # a shared section, perhaps with a level
                model["shared_dict"][named.partition(":")[0]] = branch.model[key]
            else:
                section[key] = branch.model[key]
    return replace(told, settings=told.settings | {"model": model}, branches=branches)


def _origin(document: Document, path: Path, head: str) -> Origin:
    model = document.model
    if not isinstance(model, MultiTask):
        if head not in {"", _ONLY, RANDOM}:
            raise DPError(
                f"{path}: has one model, no branch {head!r}; leave it out, or give {RANDOM} for a new fitting"
            )
        return Origin(path, model, _section(document), fitting=head != RANDOM)
    if head in {"", RANDOM}:
        return replace(_origin(document, path, model.names[0]), fitting=False)
    chosen = with_head(document, head, path)
    return Origin(path, chosen.model, _section(chosen))


def _section(document: Document) -> Mapping[str, Any]:
    found = document.provenance.get("model_def_script", {})
    return found if isinstance(found, Mapping) else {}
