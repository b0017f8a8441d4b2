"""From an input file to what training needs."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dpcore.errors import DPError
from dpcore.settings import expanded
from dpcore.settings.arguments import values_of
from dpcore.settings.branches import Branches
from dpcore.settings.check import complete
from dpcore.settings.contradictions import check_sections, check_together
from dpcore.settings.files import read_settings
from dpcore.settings.input import input_definition
from dpcore.settings.older import upgraded
from dpcore.settings.remarks import remarks
from dpcore.settings.shared import named_again
from dpcore.train.input import Branch, TrainInput
from dpcore.train.losses import LOSSES
from dpcore.train.mixed_precision import in_precision
from dpcore.train.optimizers import OPTIMIZERS
from dpcore.train.schedules import SCHEDULES, Schedule
from dpcore.train.settings import (
    BranchSettings,
    DataSettings,
    StatisticsSettings,
    TrainingSettings,
    ValidatingSettings,
)


def normalized_input(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return an input with all defaults filled in, which is a valid input itself.

    Raises:
        DPError: an unknown, missing, refused or contradictory key, or a value of a wrong kind.
    """
    return read_input(given).settings


def read_input(given: str | Path | Mapping[str, Any]) -> TrainInput:
    """Return what an input asks for.

    Args:
        given: an input file, JSON or YAML, or its content.

    Raises:
        DPError: the file cannot be read; an unknown, missing, refused or contradictory key; or a value of a
            wrong kind.
    """
    if not isinstance(given, Mapping):
        try:
            return read_input(read_settings(given))
        except DPError as error:
            known = str(error).startswith(f"{Path(given)}: ")
            raise error if known else DPError(f"{given}: {error}") from error
    now = upgraded(given)
    model = now.settings.get("model")
    several = isinstance(model, dict) and "model_dict" in model
    check_sections(now.settings, several=several)
    found = _several(now.settings) if several else _single(now.settings)
    check_together(found)
    converted = now.settings if now.older else None
    return replace(found, converted=converted, notes=(*now.notes, *found.notes, *remarks(found)))


@dataclass(frozen=True)
class _Part:
    """The sections of a branch, complete, and what their keys are called in messages."""

    name: str
    model: Mapping[str, Any]
    loss: Mapping[str, Any]
    schedule: Mapping[str, Any]
    data: Mapping[str, Any]

    def branch(self, where: Mapping[str, str], **more: Any) -> Branch:
        """Return the branch."""
        return Branch(
            name=self.name,
            model=self.model,
            statistics=_made(StatisticsSettings, self.model, where["model"], "model"),
            about=_made(BranchSettings, self.model, where["model"], "model"),
            info=self.model["info"],
            data=_made(DataSettings, self.data, where["data"], ""),
            loss=_chosen(LOSSES, self.loss, where["loss"], "loss"),
            schedule=_chosen(SCHEDULES, self.schedule, where["schedule"], "learning_rate"),
            **more,
        )


def _single(given: dict[str, Any]) -> TrainInput:
    model = given.get("model")
    settings = complete(
        input_definition(),
        given | ({"model": expanded(model)} if isinstance(model, dict) else {}),
        "",
    )
    settings["model"] = _as_kept(settings)
    where = {"model": "model", "data": "training", "loss": "loss", "schedule": "learning_rate"}
    sections = (settings[key] for key in ("model", "loss", "learning_rate", "training"))
    branch = _Part("", *sections).branch(where)
    return _whole(settings | {"model": _shortened(settings["model"])}, (branch,))


def _several(given: dict[str, Any]) -> TrainInput:
    parts = Branches.of(given["model"])
    models = {
        name: expanded(model) if isinstance(model, dict) else model
        for name, model in parts.models.items()
    }
    settings = complete(
        input_definition(several=True), given | {"model": {"model_dict": models}}, ""
    )
    settings["model"] = _as_kept(settings)
    branches = tuple(_branch(settings, name) for name in models)
    section = parts.section(settings["model"]["model_dict"])
    notes = tuple(f"model.shared_dict.{name}: no branch uses it" for name in parts.unused)
    found = _whole(settings | {"model": section}, branches)
    return replace(found, links=parts.links, several=True, notes=notes)


def _as_kept(settings: Mapping[str, Any]) -> Any:
    """Return the model section with the precision that parameters are kept in."""
    mixed = settings["training"].get("mixed_precision")
    model = settings["model"]
    return model if mixed is None else in_precision(model, mixed["output_prec"])


def _branch(settings: Mapping[str, Any], name: str) -> Branch:
    """Return a branch of a multi-task model."""
    training, rates = settings["training"], settings.get("learning_rate_dict")
    where = {
        "model": f"model.model_dict.{name}",
        "data": f"training.data_dict.{name}",
        "loss": f"loss_dict.{name}",
        "schedule": "learning_rate" if rates is None else f"learning_rate_dict.{name}",
    }
    for key, section in (
        ("training.data_dict", training["data_dict"]),
        ("loss_dict", settings["loss_dict"]),
    ):
        if name not in section:
            raise DPError(f"{key}.{name}: missing; each branch of model.model_dict needs one")
    return _Part(
        name,
        settings["model"]["model_dict"][name],
        settings["loss_dict"][name],
        settings["learning_rate"] if rates is None else rates.get(name, {}),
        training["data_dict"][name],
    ).branch(
        where,
        probability=training["model_prob"].get(name),
        epochs=training["num_epoch_dict"].get(name),
    )


def _with_end(section: Any, schedule: Schedule) -> None:
    """Say in a section where the learning rate ends."""
    if section["stop_lr"] is None and section["stop_lr_ratio"] is None:
        section["stop_lr"] = schedule.end


def _whole(settings: dict[str, Any], branches: tuple[Branch, ...]) -> TrainInput:
    for branch in branches:
        each = settings.get("learning_rate_dict")
        _with_end(each[branch.name] if each else settings["learning_rate"], branch.schedule)
    training = _made(TrainingSettings, settings["training"], "training", "training")
    compiled = any(branch.model.get("use_compile") for branch in branches)
    optimizer = _chosen(OPTIMIZERS, settings["optimizer"], "optimizer", "optimizer")
    goals = tuple(optimizer.goal_losses.values())
    return TrainInput(
        settings=settings,
        branches=tuple(replace(branch, goals=goals) for branch in branches),
        links=(),
        optimizer=optimizer,
        training=training.with_(enable_compile=training.enable_compile or compiled),
        validating=_made(ValidatingSettings, settings["validating"], "validating", "validating"),
    )


def _shortened(model: dict[str, Any]) -> dict[str, Any]:
    """Return a complete model section as users may write it."""
    return named_again(model) if model.get("shared_dict") else model


def _chosen(kinds: Mapping[str, Any], section: Mapping[str, Any], where: str, own: str) -> Any:
    """Return the module that a section with a type describes."""
    return _made(kinds[section["type"]], section, where, own)


def _made(cls: Any, section: Mapping[str, Any], where: str, own: str) -> Any:
    """Return the module that a section describes, with the section's key in messages.

    Args:
        cls: its class.
        section: its section, complete.
        where: the key of the section.
        own: what the class calls its section in messages.
    """
    try:
        return cls(**values_of(cls, section, own))
    except DPError as error:
        rest = str(error).removeprefix(f"{own}.").removeprefix(".")
        raise DPError(f"{where}.{rest}") from error
