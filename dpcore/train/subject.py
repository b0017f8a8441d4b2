"""A model with the statistics of its data, ready to be trained."""

import logging
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dpcore.data import find_systems
from dpcore.data.type_names import type_names
from dpcore.errors import DPError
from dpcore.models import Model
from dpcore.settings import draw_model
from dpcore.settings.found import open_numbers, with_found
from dpcore.settings.spin import virtual_scales
from dpcore.train.data import DataSet, open_data
from dpcore.train.data.sample import Source
from dpcore.train.input import Branch
from dpcore.train.losses import Loss
from dpcore.train.of_model import check_labels, data_of
from dpcore.train.statistics import (
    StatFile,
    Statistics,
    statistics_of,
    with_auto_sel,
    with_statistics,
)
from dpcore.train.targets import Wanted

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Subject:
    """A model to train, with its data.

    Attributes:
        branch: what the input says of it.
        section: its model section, without open numbers.
        model: the model.
        loss: its loss.
        wanted: the labels that count.
        training: the data to train on.
        validation: the data that errors are shown of, or None.
        shortest: distance of the closest two atoms, Å, where it is known.
        observed: names of the types that occur, where that is known.
    """

    branch: Branch
    section: dict[str, Any]
    model: Model
    loss: Loss
    wanted: tuple[Wanted, ...]
    training: DataSet
    validation: DataSet | None
    shortest: float | None = None
    observed: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Counted:
    """What is asked for, with what the data tell of neighbours.

    Attributes:
        branch: what the input says of it.
        section: its model section, without open numbers.
        shortest: distance of the closest two atoms, Å, where it is known.
    """

    branch: Branch
    section: dict[str, Any]
    shortest: float | None = None


@dataclass(frozen=True, eq=False)
class Draft:
    """A new model with random networks, and the statistics of its data beside it.

    Attributes:
        branch: what the input says of it.
        section: its model section, without open numbers.
        model: the model.
        data: its training data with all labels.
        found: the statistics.
        shortest: distance of the closest two atoms, Å, where it is known.
    """

    branch: Branch
    section: dict[str, Any]
    model: Model
    data: DataSet
    found: Statistics
    shortest: float | None = None

    def finished(self, model: Model, found: Statistics) -> Subject:
        """Return a model with statistics, and its data.

        Args:
            model: the model.
            found: the statistics, perhaps of more data than its own.

        Raises:
            DPError: data that do not fit the model or the loss.
        """
        model = with_statistics(model, found, self.branch.statistics.data_stat_protect)
        seen = tuple(self.found.observed_types(model.type_map))
        return opened(self.branch, self.section, model, shortest=self.shortest, observed=seen)


def sketched(branch: Branch) -> Model | None:
    """Return a new model with random networks, or None where the data have to tell something of it.

    Raises:
        DPError: settings that do not fit each other.
    """
    if not branch.model.get("type_map") or open_numbers(branch.model):
        return None
    return draw_model(with_found(branch.model, (), {}), None)


def counted(branch: Branch, *, count: bool = True) -> Counted:
    """Return a model section without open numbers.

    Args:
        branch: what the input says of it.
        count: look for the most neighbours and the closest atoms.

    Raises:
        DPError: data or settings that do not fit each other.
    """
    data = branch.data.training_data
    names = tuple(branch.model.get("type_map") or type_names(find_systems(data.systems)))
    scales = virtual_scales(branch.model, names)
    bare = open_data(data, names, (), virtual_scale=scales).sources
    if count:
        fitted = with_auto_sel(branch.model, bare, names)
        return Counted(branch, fitted.settings, fitted.shortest)
    if keys := open_numbers(branch.model):
        raise DPError(
            f"{keys[0]}: 'auto' is counted in the data, which --skip-neighbor-stat leaves out; give a number"
        )
    return Counted(branch, with_found(branch.model, names, {}))


def drawn(told: Counted, sketch: Model | None = None) -> Draft:
    """Return a new model with random networks and the statistics of its data.

    Args:
        told: what is asked for.
        sketch: the model as :func:`sketched` returned it.

    Raises:
        DPError: data or settings that do not fit each other.
    """
    branch, section = told.branch, told.section
    model = draw_model(section, None) if sketch is None else sketch
    everything = data_of(model, branch.data.training_data, told=section)
    stored = branch.data.stat_file
    found = statistics_of(
        model,
        everything.sources,
        _limit(branch),
        None if stored is None else StatFile(stored, branch.data.stat_file_mode),
    )
    return Draft(branch, section, model, everything, found, told.shortest)


def with_model(subject: Subject, model: Model) -> Subject:
    """Return a subject with another model, built as its own is."""
    return replace(subject, model=model, loss=subject.branch.loss.for_model(model))


def opened(branch: Branch, section: dict[str, Any], model: Model, **facts: Any) -> Subject:
    """Return a model that has its statistics, with its data.

    Args:
        branch: what the input says of it.
        section: its model section.
        model: the model.
        facts: ``shortest`` and ``observed``.

    Raises:
        DPError: data that do not fit the model or the loss.
    """
    loss = branch.loss.for_model(model)
    goals = [goal.wanted(model.output) for goal in branch.goals]
    labels = {want.name: want for each in (*goals, loss.wanted(model.output)) for want in each}
    wanted = tuple(labels.values())
    check_labels(model, wanted)
    training = data_of(model, branch.data.training_data, wanted, told=section)
    validation = None
    if branch.data.validation_data is not None:
        told = branch.data.validation_data
        validation = data_of(model, told, wanted, "validation_data", told=section)
    return Subject(branch, section, model, loss, wanted, training, validation, **facts)


def _limit(branch: Branch) -> Any:
    """Return how many frames of a source statistics are taken of: so many batches."""
    size, batches = branch.data.training_data.batch_size, branch.statistics.data_stat_nbatch

    def frames(source: Source) -> int:
        if isinstance(size, int):
            return batches * size
        if isinstance(size, tuple):
            return batches * max(size)
        word, _, number = size.partition(":")
        most = int(number or 32)
        if word in {"mixed", "mix"}:
            return batches * (most if word == "mixed" else 1)
        atoms = float(np.mean(source.atoms))
        return batches * max(1, int(np.ceil(most / atoms) if word == "auto" else most // atoms))

    return frames
