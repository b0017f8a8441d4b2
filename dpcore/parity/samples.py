"""The frames that backends are compared on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dpcore.data import System, find_systems, load_system
from dpcore.errors import DPError
from dpcore.frames import Frame
from dpcore.infer.inputs import frames_from_arrays
from dpcore.models import Model


@dataclass(frozen=True, eq=False)
class Sample:
    """A frame and where it comes from.

    Attributes:
        frame: the frame.
        system: the system it is from.
        number: its place in that system.
    """

    frame: Frame
    system: str
    number: int

    @property
    def natoms(self) -> int:
        """Number of atoms that are there."""
        return int(np.count_nonzero(self.frame.types >= 0))


def system_samples(model: Model, paths: Sequence[str], limit: int) -> list[Sample]:
    """Return frames of data systems, spread evenly over each.

    Args:
        model: the model to evaluate on them.
        paths: systems, or folders that hold some.
        limit: the most frames of each system; 0 for all.

    Raises:
        DPError: data that is missing, damaged, or has atoms or parameters that do not fit the model.
    """
    if limit < 0:
        raise DPError(f"numb-test: {limit}; give the most frames of each system, or 0 for all")
    samples: list[Sample] = []
    for path in find_systems(list(paths)):
        system = load_system(path, model.type_map)
        samples += _samples(model, system, _spread(system.nframes, limit))
    return samples


def _spread(count: int, limit: int) -> list[int]:
    """Return at most ``limit`` of ``count`` places, the first and the last among them."""
    chosen = min(limit, count) if limit else count
    return [int(place) for place in np.linspace(0, count - 1, chosen).round()]


def _samples(model: Model, system: System, places: list[int]) -> list[Sample]:
    part, told = system.take(places), model.conditions
    fparam = part.label("fparam") if told.numb_fparam else None
    aparam = part.label("aparam") if told.numb_aparam else None
    spin = part.label("spin") if told.spin else None
    state = part.label("charge_spin") if told.charge_spin else None
    atoms = part.coord, part.cell, part.atom_types
    try:
        frames = frames_from_arrays(model, *atoms, fparam, aparam, spin=spin, charge_spin=state)
    except DPError as error:
        raise DPError(f"{system.path}: {error}") from error
    return [Sample(f, system.path, number) for f, number in zip(frames, places, strict=True)]
