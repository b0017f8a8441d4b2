"""Mean and deviation of the parameters of frames and atoms."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dpcore.frames import Frame
from dpcore.models import Model
from dpcore.nn.precision import numpy_dtype
from dpcore.train.statistics.frames import joined, seen
from dpcore.train.statistics.sums import LEAST, Sums
from dpcore.tree import Module, visit

_KINDS = ("fparam", "aparam")


def parameters_in(model: Model) -> list[str]:
    """Return the paths of the parameters that a model's fittings take, such as ``fitting.fparam``."""
    return [
        joined(path, "fitting", kind)
        for path, inner, _ in seen(model, [])
        for kind in _KINDS
        if getattr(inner.fitting, f"numb_{kind}")
    ]


def parameter_sums(model: Model, frames: Sequence[Frame]) -> dict[str, Sums]:
    """Return the sums over frames of the parameters that a model's fittings take.

    Args:
        model: the model.
        frames: the frames, with these parameters.

    Returns:
        the sums of each number, by the paths of :func:`parameters_in`; those of several calls may be added.
    """
    found = {}
    for path, inner, given in seen(model, frames):
        for kind in _KINDS:
            width = getattr(inner.fitting, f"numb_{kind}")
            if width:
                rows = [np.zeros((0, width)), *(_rows(frame, kind) for frame in given)]
                found[joined(path, "fitting", kind)] = Sums.of_columns(np.concatenate(rows))
    return found


def _rows(frame: Frame, kind: str) -> np.ndarray:
    """Return the parameters of a frame, ``(row, n)``; of atoms, those that are there."""
    values: np.ndarray = getattr(frame, kind)
    return values[frame.types >= 0] if kind == "aparam" else values.reshape(1, -1)


def with_parameters(model: Model, sums: Mapping[str, Sums], least: float = LEAST) -> Model:
    """Return a model with the means and deviations that sums tell.

    Args:
        model: the model.
        sums: those of :func:`parameter_sums`.
        least: the least deviation to divide by.
    """

    def leaf(path: str, module: Module) -> Module | None:
        changes: dict[str, Any] = {}
        for kind in _KINDS:
            own = sums.get(joined(path, kind))
            if own is not None:
                dtype = numpy_dtype(module.precision)  # type: ignore[attr-defined]
                changes[f"{kind}_avg"] = own.mean().astype(dtype)
                changes[f"{kind}_inv_std"] = (1.0 / own.deviation(least)).astype(dtype)
        return module.with_(**changes) if changes else None

    found: Model = visit(model, leaf)
    return found
