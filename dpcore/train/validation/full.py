"""All frames of some data, and the errors of a model on them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dpcore.accuracy.errors import Error, merge
from dpcore.backend.adapter import Adapter, as_inputs
from dpcore.train.data import Maker, Portion
from dpcore.train.data.picks import Pick
from dpcore.train.objective import Lesson, Objective
from dpcore.train.targets import Target
from dpcore.train.validation.accuracy import PER_VOLUME

# Atoms that are evaluated together.
_ATOMS = 1024


@dataclass(frozen=True, eq=False)
class AllFrames:
    """All frames of some data.

    Attributes:
        adapter: the backend.
        device: where its arrays are.
        objective: measures the errors: of an :class:`~dpcore.train.validation.accuracy.Accuracy`.
        maker: makes batches of the frames, with all labels that are compared.
    """

    adapter: Adapter
    device: Any
    objective: Objective
    maker: Maker

    def errors(self, vector: Any) -> dict[str, Error]:
        """Return the errors that a vector of parameters has, by the names of ``dp test``."""
        return merge(self._part(vector, picks) for picks in self.maker.data.picks(_ATOMS))

    def _part(self, vector: Any, picks: Sequence[Pick]) -> Mapping[str, Error]:
        portion = _with_volumes(self.maker.make(picks))
        if not portion.targets:
            return {}
        lesson = as_inputs(self.adapter, Lesson.of(portion, np.ones(())), self.device)
        found = self.objective.judge(vector, lesson).errors
        sums = {name: self.adapter.to_numpy(x) for name, x in found.items()}
        return {name: Error(*map(float, x)) for name, x in sums.items() if x[2] > 0}


def _with_volumes(portion: Portion) -> Portion:
    """Return a batch with the labels of virials of periodic frames alone, and their volumes."""
    targets = dict(portion.targets)
    virial = targets.pop("virial", None)
    if virial is not None:
        inverse = np.zeros(len(portion.batch.natoms))
        inverse[: portion.nframes] = [1.0 / v if v else 0.0 for v in portion.volumes]
        there = virial.there * (inverse > 0)
        if there.any():
            targets["virial"] = virial.with_(there=there)
            volumes = Target(name=PER_VOLUME, value=inverse[:, None], there=there)
            targets[PER_VOLUME] = volumes
    return replace(portion, targets=targets)
