"""Configurations for models that come without data, the same ones at every call."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dpcore.infer.frames import Floats, Frame
from dpcore.infer.inputs import frames_from_arrays
from dpcore.models import EnergyModel
from dpcore.parity.samples import Sample

CLOSEST = 1.0
"""Smallest distance between two atoms, Å."""

DENSEST = 0.08
"""Largest number of atoms in 1 Å³; water has 0.1."""

FILLED = 0.6
"""Share of the model's neighbour slots to fill, so that hardly any atom has too many neighbours."""

ATOMS, FEW = 30, 3
FRAMES = 2
SHEAR = np.array([[1.0, 0.0, 0.0], [0.2, 1.0, 0.0], [-0.15, 0.25, 1.0]])
IMAGES = np.stack(np.meshgrid(*3 * [np.arange(-1, 2)], indexing="ij"), axis=-1).reshape(-1, 3)


@dataclass(frozen=True)
class _Shape:
    """A box to fill, ``(3, 3)`` in Å, periodic or not, and the number of atoms in it."""

    name: str
    cell: Floats
    natoms: int
    periodic: bool = True
    stray: bool = False


def generated_samples(model: EnergyModel) -> list[Sample]:
    """Return random frames that try what evaluation must get right.

    They are a sheared periodic box with all types, an open cluster with one atom out of reach of the
    others, and a periodic box smaller than the cutoff. No two atoms are closer than 1 Å if there is
    room, the density suits the cutoff and ``sel``, and frame and atomic parameters follow the model's
    statistics.

    Args:
        model: the model to evaluate on them.
    """
    rng = np.random.default_rng(20240229)
    return [
        Sample(frame, f"generated {shape.name}", number)
        for shape in _shapes(model)
        for number, frame in enumerate(_frames(model, shape, rng))
    ]


def _shapes(model: EnergyModel) -> list[_Shape]:
    rcut, ntypes = model.selection.rcut, len(model.type_map)
    sphere = 4.0 / 3.0 * np.pi * rcut**3
    density = min(DENSEST, FILLED * max(sum(model.selection.sel), 1) / sphere)
    natoms = max(ATOMS, ntypes)
    edge = (natoms / density) ** (1.0 / 3.0)
    small = min((FEW / density) ** (1.0 / 3.0), 0.9 * rcut)
    return [
        _Shape("periodic box", edge * SHEAR, natoms),
        _Shape("open cluster", edge * np.eye(3), natoms, periodic=False, stray=True),
        _Shape("box below the cutoff", small * SHEAR, FEW),
    ]


def _frames(model: EnergyModel, shape: _Shape, rng: np.random.Generator) -> Iterator[Frame]:
    for _ in range(FRAMES):
        coord = _positions(shape, rng)
        if shape.stray:
            coord[-1] = coord[:-1].max(axis=0) + 1.5 * model.selection.rcut
        (frame,) = frames_from_arrays(
            model,
            coord[None],
            shape.cell[None] if shape.periodic else None,
            _types(model, shape.natoms, rng),
            _like(rng, model.fitting.fparam_avg, model.fitting.fparam_inv_std, 1),
            _like(rng, model.fitting.aparam_avg, model.fitting.aparam_inv_std, shape.natoms),
        )
        yield frame


def _positions(shape: _Shape, rng: np.random.Generator) -> Floats:
    """Return random positions, each drawn anew until it is far enough from those before it."""
    placed: list[Floats] = []
    images = IMAGES @ shape.cell if shape.periodic else np.zeros((1, 3))
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


def _types(model: EnergyModel, natoms: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return one atom of each type as far as they go, the others in the proportions of ``sel``."""
    ntypes = len(model.type_map)
    share = np.maximum(np.broadcast_to(model.selection.sel, ntypes), 1).astype(np.float64)
    others = rng.choice(ntypes, size=max(natoms - ntypes, 0), p=share / share.sum())
    return rng.permutation(np.concatenate([np.arange(ntypes), others])[:natoms])


def _like(
    rng: np.random.Generator, average: Floats | None, inverse_std: Floats | None, rows: int
) -> Floats | None:
    """Return parameters distributed as those the model was trained with, ``(rows, n)``."""
    if average is None or inverse_std is None:
        return None
    spread = np.divide(1.0, inverse_std, out=np.ones(average.shape), where=inverse_std != 0)
    return np.asarray(average + spread * rng.standard_normal((rows, len(average))))
