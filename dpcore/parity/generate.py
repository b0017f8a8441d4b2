"""Configurations for models that come without data, the same ones at every call."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dpcore.errors import DPError
from dpcore.frames import Floats, Frame, Prediction
from dpcore.infer.inputs import frames_from_arrays
from dpcore.models import Model
from dpcore.neighbours.selection import Selection
from dpcore.parity.samples import Sample
from dpcore.tree import arrays

CLOSEST = 1.0
"""Smallest distance between two atoms, Å."""

DENSEST = 0.08
"""Largest number of atoms in 1 Å³; water has 0.1."""

FILLED = 0.6
"""Share of the model's neighbour slots to fill, so that hardly any atom has too many neighbours."""

FARTHEST = 12.0
"""Cutoff that frames are made for where there is none or it is larger, Å."""

ATOMS, FEW = 30, 3
FRAMES = 2
SHEAR = np.array([[1.0, 0.0, 0.0], [0.2, 1.0, 0.0], [-0.15, 0.25, 1.0]])
IMAGES = np.stack(np.meshgrid(*3 * [np.arange(-1, 2)], indexing="ij"), axis=-1).reshape(-1, 3)


@dataclass(frozen=True)
class _Shape:
    """A box to fill, ``(3, 3)`` in Å, and the number of atoms in it.

    It is periodic unless one atom strays so many Å from the others.
    """

    name: str
    cell: Floats
    natoms: int
    stray: float | None = None


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


def _shapes(model: Model) -> list[_Shape]:
    rcut, ntypes = min(model.rcut, FARTHEST), len(model.type_map)
    density = min(DENSEST, *(_density(selection) for selection in model.selections))
    natoms = max(ATOMS, ntypes)
    edge = (natoms / density) ** (1.0 / 3.0)
    small = min((FEW / density) ** (1.0 / 3.0), 0.9 * rcut)
    cluster = _Shape("open cluster", edge * np.eye(3), natoms, stray=1.5 * rcut)
    if any(selection.masked for selection in model.selections):
        return [cluster]
    return [
        _Shape("periodic box", edge * SHEAR, natoms),
        cluster,
        _Shape("box below the cutoff", small * SHEAR, FEW),
    ]


def _density(selection: Selection) -> float:
    """Return the number of atoms in 1 Å³ that fill a share of the neighbours' places."""
    sphere = 4.0 / 3.0 * np.pi * min(selection.rcut, FARTHEST) ** 3
    return float(FILLED * max(selection.most, 1) / sphere)


def _frame(model: Model, shape: _Shape, rng: np.random.Generator) -> Frame:
    """Return a random frame.

    Raises:
        DPError: the model refuses it.
    """
    coord = _positions(shape, rng)
    if shape.stray:
        coord[-1] = coord[:-1].max(axis=0) + shape.stray
    (frame,) = frames_from_arrays(
        model,
        coord[None],
        None if shape.stray else shape.cell[None],
        _types(model, shape.natoms, rng),
        _parameters(model, "fparam", (1, model.numb_fparam), rng),
        _parameters(model, "aparam", (shape.natoms, model.numb_aparam), rng),
        spin=rng.normal(0.0, 0.6, (shape.natoms, 3)) if model.takes_spin else None,
    )
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


def _positions(shape: _Shape, rng: np.random.Generator) -> Floats:
    """Return random positions, each drawn anew until it is far enough from those before it."""
    placed: list[Floats] = []
    images = np.zeros((1, 3)) if shape.stray else IMAGES @ shape.cell
    for attempt in itertools.count():
        if len(placed) == shape.natoms:
            break
        # A box too small for its atoms is not tried for ever.
        closest = CLOSEST * 0.9 ** (attempt // 1000)
        drawn = rng.random(3) @ shape.cell
        if not placed or _distances(drawn, np.array(placed), images).min() >= closest:
            placed.append(drawn)
    return np.array(placed)


def _distances(point: Floats, others: Floats, images: Floats) -> Floats:
    vectors = others[:, None, :] + images[None, :, :] - point
    return np.asarray(np.linalg.norm(vectors, axis=-1))


def _types(model: Model, natoms: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return one atom of each type as far as they go, the others in the proportions of ``sel``."""
    ntypes = len(model.type_map)
    typed = [s.sel for s in model.selections if not s.mixed and len(s.sel) == ntypes]
    share = np.maximum(typed[0] if typed else np.ones(ntypes), 1).astype(np.float64)
    others = rng.choice(ntypes, size=max(natoms - ntypes, 0), p=share / share.sum())
    return rng.permutation(np.concatenate([np.arange(ntypes), others])[:natoms])


def _parameters(
    model: Model, name: str, size: tuple[int, int], rng: np.random.Generator
) -> Floats | None:
    """Return parameters distributed as those the model was trained with, ``(row, n)``."""
    if not size[1]:
        return None
    average, inverse_std = _statistics(model, f"{name}_avg"), _statistics(model, f"{name}_inv_std")
    if average is None or inverse_std is None:
        return rng.standard_normal(size)
    spread = np.divide(1.0, inverse_std, out=np.ones(average.shape), where=inverse_std != 0)
    return np.asarray(average + spread * rng.standard_normal(size))


def _statistics(model: Model, name: str) -> Floats | None:
    """Return the first array of that name in the model."""
    return next((x for path, x in arrays(model).items() if path.endswith(f".{name}")), None)
