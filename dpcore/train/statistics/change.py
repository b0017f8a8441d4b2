"""Fitting the output bias of a model anew."""

from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import numpy as np

from dpcore.errors import DPError
from dpcore.frames import Frame, Prediction
from dpcore.models import DipoleChargeModel, Model
from dpcore.train.data.inputs import Inputs
from dpcore.train.data.sample import Sample, Source
from dpcore.train.statistics.bias import Owner
from dpcore.train.statistics.frames import Limit, every, samples
from dpcore.train.statistics.labels import Labels, labels_of

Mode = Literal["change", "set"]
Predict = Callable[[Sequence[Frame]], list[Prediction]]
"""Returns what a model predicts for frames."""


def set_bias(model: Model, sources: Sequence[Source], limit: Limit = every) -> Model:
    """Return a model with the bias, and deviation, that the labels of data alone tell.

    What biases it had before, in its networks' output too, is gone.

    Args:
        model: the model.
        sources: the data.
        limit: how many frames of each to look at.

    Raises:
        DPError: data without labels or that does not fit the model, or a model whose bias is not that of its
            labels.
    """
    if isinstance(model, DipoleChargeModel):
        raise DPError(
            "labels hold the energy of the charges, which is no part of the short-range bias; choose the mode "
            "'change'"
        )
    labels = Labels(model)
    for some in _samples(model, sources, limit):
        for where, sample in some:
            labels.add(sample, where)
    found = labels.fitted()
    if found is None:
        raise _unlabelled(model)
    return labels.owner.with_statistics(found)


def shift_bias(
    model: Model, sources: Sequence[Source], predict: Predict, limit: Limit = every
) -> Model:
    """Return a model with that added to its bias which brings its predictions closest to the labels.

    Biases that settings fix stay, and so do deviations.

    Args:
        model: the model.
        sources: the data.
        predict: returns its predictions for frames.
        limit: how many frames of each to look at.

    Raises:
        DPError: data without labels, or that does not fit the model.
    """
    labels = Labels(model)
    for some in _samples(model, sources, limit):
        predictions = predict([sample.frame for _, sample in some])
        for (where, sample), found in zip(some, predictions, strict=True):
            labels.add(sample, where, found)
    fixed = labels.owner.fixed()
    fitted = labels.fitted(np.where(np.isnan(fixed), np.nan, 0.0))
    if fitted is None:
        raise _unlabelled(model)
    return labels.owner.with_shift(fitted.bias)


def with_bias(model: Model, values: Sequence[float]) -> Model:
    """Return an energy model with given biases, in place of all that it had.

    Args:
        model: the model.
        values: one for each of its types, eV.

    Raises:
        DPError: it predicts no energy, or there are not as many values as types.
    """
    if model.output.total != "energy":
        raise DPError(
            f"biases can be given for energies alone; this model predicts the {model.output.total}"
        )
    if len(values) != len(model.type_map):
        raise DPError(
            f"{len(values)} biases for {len(model.type_map)} types; give one for each of "
            f"{' '.join(model.type_map)}"
        )
    owner, known = Owner.of(model), dict(zip(model.type_map, values, strict=True))
    bias = [[known.get(name, 0.0)] for name in owner.model.type_map]
    return owner.with_bias(np.array(bias))


def biased_types(model: Model) -> tuple[str, ...]:
    """Return the types of a model that have an output bias."""
    return tuple(name for name in Owner.of(model).model.type_map if name in model.type_map)


def bias_of(model: Model) -> np.ndarray:
    """Return the output bias of the :func:`biased_types`, ``(type, component)``."""
    owner = Owner.of(model)
    known = [name in model.type_map for name in owner.model.type_map]
    found: np.ndarray = owner.model.out_bias[0][known]
    return found


def _samples(
    model: Model, sources: Sequence[Source], limit: Limit
) -> Iterator[list[tuple[str, Sample]]]:
    """Yield frames with what the model takes and their labels, some at a time."""
    inputs = Inputs.of(model)
    inputs.check(sources)
    for source in sources:
        for some in samples(source, limit):
            yield [
                (where, Sample(inputs.completed(sample.frame, where), sample.labels))
                for where, sample in some
            ]


def _unlabelled(model: Model) -> DPError:
    total, atomic = labels_of(model.output)
    names = f"{total}.npy" if atomic is None else f"{total}.npy nor {atomic}.npy"
    return DPError(f"none of the data has {names}: there is nothing to fit the bias to")
