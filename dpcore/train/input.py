"""What an input file asks for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dpcore.settings.shared import Link
from dpcore.train.losses import Loss
from dpcore.train.optimizers import Optimizer
from dpcore.train.schedules import Schedule
from dpcore.train.settings import (
    BranchSettings,
    DataSettings,
    StatisticsSettings,
    TrainingSettings,
    ValidatingSettings,
)


@dataclass(frozen=True)
class Branch:
    """A model that is trained, alone or beside others that share parts of it.

    Attributes:
        name: its name; empty for one that is alone.
        model: its complete model section, which :func:`dpcore.settings.draw_model` takes once
            :func:`dpcore.settings.found.with_found` has put in what data tell.
        statistics: how averages of the data are taken.
        about: other names of the branch, and where fine-tuning starts.
        info: remarks that are stored with the model.
        data: what it is trained on.
        loss: what is made small.
        schedule: its learning rate.
        probability: how often a step is of it, over those of the others; None as its systems say.
        epochs: how often its frames are seen; None as the number of steps says.
        goals: what the optimizer follows in place of the loss, where it has goals of its own.
    """

    name: str
    model: Mapping[str, Any]
    statistics: StatisticsSettings
    about: BranchSettings
    info: Mapping[str, Any]
    data: DataSettings
    loss: Loss
    schedule: Schedule
    probability: float | None = None
    epochs: float | None = None
    goals: tuple[Loss, ...] = ()


@dataclass(frozen=True)
class TrainInput:
    """What an input file asks for.

    Attributes:
        settings: all settings with their defaults, a valid input itself.
        branches: the models.
        links: which sections the models share.
        optimizer: how the parameters change.
        training: steps, files and what else ``training`` says.
        validating: evaluations of all validation data.
        several: whether the model is a multi-task model.
        converted: the file in the form of today if it was of an older one.
        notes: what users should know of their input, one line each.
    """

    settings: dict[str, Any]
    branches: tuple[Branch, ...]
    links: tuple[Link, ...]
    optimizer: Optimizer
    training: TrainingSettings
    validating: ValidatingSettings
    several: bool = False
    converted: dict[str, Any] | None = None
    notes: tuple[str, ...] = ()
