"""Frames for models that come without data, the same ones at every call."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from dpcore.errors import DPError
from dpcore.frames import Frame, Prediction
from dpcore.models import Model
from dpcore.neighbours.selection import Selection
from dpcore.parity.random_frame import Shape, random_frame
from dpcore.parity.samples import Sample

DENSEST = 0.08
"""Largest number of atoms in 1 Å³; water has 0.1."""

FILLED = 0.6
"""Share of the model's neighbour slots to fill, so that hardly any atom has too many neighbours."""

FARTHEST = 12.0
"""Cutoff that frames are made for where there is none or it is larger, Å."""

ATOMS, FEW = 30, 3
FRAMES = 2
SHEAR = np.array([[1.0, 0.0, 0.0], [0.2, 1.0, 0.0], [-0.15, 0.25, 1.0]])


def generated_samples(model: Model) -> list[Sample]:
    """Return random frames that try what evaluation must get right.

    They are a sheared periodic box with all types, an open cluster with one atom out of reach of the
    others, and a periodic box smaller than the cutoff. No two atoms are closer than 1 Å if there is
    room, the density suits the cutoff and ``sel``, frame and atomic parameters follow the model's
    statistics, and spins are of about unit length. Frames that the model refuses are left out, such as
    the open cluster where there are charges.

    Args:
        model: the model to evaluate on them.

    Raises:
        DPError: the model refuses all of them.
    """
    rng = np.random.default_rng(20240229)
    samples, refusal = list[Sample](), ""
    for shape in _shapes(model):
        for number in range(FRAMES):
            try:
                frame = _frame(model, shape, rng)
            except DPError as error:
                refusal = str(error)
                continue
            samples.append(Sample(frame, f"generated {shape.name}", number))
    if not samples:
        raise DPError(
            f"no generated frame suits the model ({refusal}); give systems that do, with -s"
        )
    return samples


def _shapes(model: Model) -> list[Shape]:
    rcut, ntypes = min(model.rcut, FARTHEST), len(model.type_map)
    density = min(DENSEST, *(_density(selection) for selection in model.selections))
    natoms = max(ATOMS, ntypes)
    edge = (natoms / density) ** (1.0 / 3.0)
    small = min((FEW / density) ** (1.0 / 3.0), 0.9 * rcut)
    cluster = Shape("open cluster", edge * np.eye(3), natoms, stray=1.5 * rcut)
    if any(selection.masked for selection in model.selections):
        return [cluster]
    return [
        Shape("periodic box", edge * SHEAR, natoms),
        cluster,
        Shape("box below the cutoff", small * SHEAR, FEW),
    ]


def _density(selection: Selection) -> float:
    """Return the number of atoms in 1 Å³ that fill a share of the neighbours' places."""
    sphere = 4.0 / 3.0 * np.pi * min(selection.rcut, FARTHEST) ** 3
    return float(FILLED * max(selection.most, 1) / sphere)


def _frame(model: Model, shape: Shape, rng: np.random.Generator) -> Frame:
    """Return a random frame.

    Raises:
        DPError: the model refuses it.
    """
    frame = random_frame(model, shape, rng)
    try:
        _try(model, frame)
    except DPError:
        if frame.aparam is None:
            raise
        # The parameters may be the numbers of groups of atoms.
        frame = replace(frame, aparam=rng.integers(0, 3, frame.aparam.shape).astype(np.float64))
        _try(model, frame)
    return frame


def _try(model: Model, frame: Frame) -> None:
    """Run a model on a frame with zeros for what its parts predict."""

    def nothing(part: str, frames: Sequence[Frame]) -> list[Prediction]:
        return [_zeros(model.parts[part], len(frame.types)) for frame in frames]

    model.run([frame], nothing)


def _zeros(part: Model, natoms: int) -> Prediction:
    output = part.output
    found: Prediction = {
        name: np.zeros(sizes if name in output.per_frame else (natoms, *sizes))
        for name, sizes in output.shapes().items()
    }
    return found | {"mask": np.ones(natoms, np.int64)}
