"""The statistics that a model is trained with, gathered in one pass over the data."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpcore.models import Model
from dpcore.models.survey import fitting_of
from dpcore.train.data.inputs import Inputs
from dpcore.train.data.sample import Sample, Source
from dpcore.train.statistics.bias import Owner
from dpcore.train.statistics.environment import (
    environment_sums,
    normalised_in,
    with_environment,
)
from dpcore.train.statistics.frames import Limit, fingerprint, named, samples
from dpcore.train.statistics.given import Given
from dpcore.train.statistics.labels import Labels, labels_of
from dpcore.train.statistics.least_squares import ByType
from dpcore.train.statistics.parameters import parameter_sums, parameters_in, with_parameters
from dpcore.train.statistics.stat_file import Arrays, StatFile
from dpcore.train.statistics.sums import LEAST, Sums

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Statistics:
    """What data tells a model before training.

    Attributes:
        rows: sums of what descriptors normalise, by the path of the module that stores it.
        parameters: sums of the parameters of frames and atoms, by path.
        output: bias and deviation of the labels; None where there are none.
        observed: number of atoms of each type, ``(type,)``.
    """

    rows: Mapping[str, Sums]
    parameters: Mapping[str, Sums]
    output: ByType | None
    observed: NDArray[np.int64]

    def observed_types(self, type_map: Sequence[str]) -> list[str]:
        """Return the names of the types that occur in the data."""
        return [name for name, n in zip(type_map, self.observed, strict=True) if n]

    def arrays(self) -> Arrays:
        """Return the statistics as arrays by name."""
        found: Arrays = {"observed": self.observed}
        for kind, sums in (("rows", self.rows), ("parameters", self.parameters)):
            found |= {
                f"{kind}/{path}": np.stack([s.number, s.total, s.square])
                for path, s in sums.items()
            }
        if self.output is not None:
            found |= {"bias": self.output.bias, "std": self.output.std}
        return found

    @classmethod
    def of_arrays(cls, arrays: Arrays) -> "Statistics":
        """Return the statistics that were stored as arrays."""
        rows, parameters = (
            {
                name.removeprefix(kind): Sums(*values)
                for name, values in arrays.items()
                if name.startswith(kind)
            }
            for kind in ("rows/", "parameters/")
        )
        output = ByType(arrays["bias"], arrays["std"]) if "bias" in arrays else None
        return cls(rows, parameters, output, arrays["observed"])


def statistics_of(
    model: Model, sources: Sequence[Source], limit: Limit, stat_file: StatFile | None = None
) -> Statistics:
    """Return the statistics of data, from a file if they are there, otherwise from the data.

    Args:
        model: the model that they are for.
        sources: the training data.
        limit: how many frames of each to look at.
        stat_file: where they are kept.

    Raises:
        DPError: data that does not fit the model, or a file without the statistics that may not be written.
    """
    if stat_file is None:
        return gathered(model, sources, limit)
    key = _key(model) | {"data": fingerprint(sources, limit)}
    stored = stat_file.read(key)
    if stored is not None:
        log.info("statistics are taken from %s", stat_file.path)
        return Statistics.of_arrays(stored)
    stat_file.prepare()
    found = gathered(model, sources, limit)
    stat_file.write(key, found.arrays())
    log.info("statistics are kept in %s", stat_file.path)
    return found


def gathered(model: Model, sources: Sequence[Source], limit: Limit) -> Statistics:
    """Return the statistics of data, in memory that does not grow with it (see :func:`statistics_of`)."""
    rows, parameters, labels, inputs = _Total(), _Total(), Labels(model), Inputs.of(model)
    given = Given(model)
    inputs.check(sources)
    observed = np.zeros(len(model.type_map), np.int64)
    for source in sources:
        for some in samples(source, limit):
            for where, sample in some:
                frame = inputs.completed(sample.frame, where)
                with named(where):
                    rows.add(environment_sums(model, [frame]))
                parameters.add(parameter_sums(model, [frame]))
                if not given.is_all:
                    labels.add(Sample(frame, sample.labels), where, given(frame))
                observed += np.bincount(frame.types, minlength=len(observed))
    return Statistics(rows.sums, parameters.sums, labels.fitted(), observed)


def with_statistics(model: Model, found: Statistics, least: float = LEAST) -> Model:
    """Return a model with the statistics of its training data.

    Args:
        model: the model.
        found: the statistics.
        least: the least deviation that parameters of frames and atoms are divided by.
    """
    model = with_parameters(with_environment(model, found.rows), found.parameters, least)
    if found.output is None:
        if not Given(model).is_all:
            label, _ = labels_of(model.output)
            log.warning("the data has no %s: the output bias stays what it is", label)
        return model
    return Owner.of(model).with_statistics(found.output)


class _Total:
    """Sums by path, added up."""

    def __init__(self) -> None:
        self.sums: dict[str, Sums] = {}

    def add(self, more: Mapping[str, Sums]) -> None:
        self.sums = {p: self.sums[p] + s if p in self.sums else s for p, s in more.items()}


def _key(model: Model) -> dict[str, Any]:
    """Return what statistics depend on beside the data."""
    owner, output, given = Owner.of(model), model.output, Given(model).checksum
    fitting = fitting_of(owner.model)
    return {
        "type_map": model.type_map,
        "descriptor": {
            path: {
                "selection": asdict(rows.selection),
                "places": rows.places,
                "sets": rows.sets,
                "excluded": sorted(rows.excluded),
                "told": rows.told,
            }
            for path, rows in normalised_in(model).items()
        },
        "parameters": dict.fromkeys(parameters_in(model), model.conditions.default_fparam),
        "output": {
            "labels": labels_of(output),
            "size": output.size,
            "intensive": output.intensive,
            "excluded": owner.model.atom_exclude_types,
            "fixed": owner.fixed().tolist(),
            "rcond": None if fitting is None else fitting.rcond,
            "by_type": getattr(fitting, "distinguish_types", True),
            **({"given": given} if given else {}),
        },
    }
