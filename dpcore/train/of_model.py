"""What the kind of a model asks of its data and its loss."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from dpcore.errors import DPError
from dpcore.models import Model
from dpcore.models.children import is_of_frames
from dpcore.models.dipole_charge import DipoleChargeModel
from dpcore.models.spin import SpinModel
from dpcore.train.data import DataSet, open_data
from dpcore.train.long_range import LongRange, ShortRange
from dpcore.train.settings import TrainingData, ValidationData
from dpcore.train.spinless import Spinless
from dpcore.train.targets import Wanted


def data_of(
    model: Model,
    settings: TrainingData | ValidationData,
    wanted: Iterable[Wanted] | None = None,
    where: str = "training_data",
    *,
    told: Mapping[str, Any],
) -> DataSet:
    """Return the data of a section of the settings with the labels of what is trained of a model.

    Args:
        model: the model.
        settings: the section.
        wanted: the labels that are read; None for all.
        where: name of the section, for messages.
        told: the model's own section.

    Raises:
        DPError: systems that are missing, or are not usable.
    """
    scale = None
    if isinstance(model, SpinModel):
        flags = zip(model.virtual_scale, model.use_spin, strict=True)
        scale = [scale * magnetic for scale, magnetic in flags]
    data = open_data(settings, model.type_map, wanted, where, scale)
    if (told.get("spin") or {}).get("allow_missing_label"):
        return replace(data, sources=tuple(Spinless(source) for source in data.sources))
    if not isinstance(model, DipoleChargeModel):
        return data
    charges = LongRange(model)
    return replace(data, sources=tuple(ShortRange(source, charges) for source in data.sources))


def check_labels(model: Model, wanted: Iterable[Wanted]) -> None:
    """Refuse labels that a model has no predictions for in training.

    Raises:
        DPError: there are such labels.
    """
    if is_of_frames(model) and any(want.name == "hessian" for want in wanted):
        raise DPError(
            f"loss.start_pref_h: second derivatives of a model of type {model.type_name!r} are not trained; "
            "set it and limit_pref_h to 0"
        )
