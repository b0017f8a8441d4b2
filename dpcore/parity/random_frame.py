"""A random frame for a model."""

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dpcore.frames import Floats, Frame
from dpcore.infer.inputs import frames_from_arrays
from dpcore.models import Model
from dpcore.tree import arrays

CLOSEST = 1.0
"""Smallest distance between two atoms, Å."""

IMAGES = np.stack(np.meshgrid(*3 * [np.arange(-1, 2)], indexing="ij"), axis=-1).reshape(-1, 3)


@dataclass(frozen=True)
class Shape:
    """A box to fill.

    Attributes:
        name: what the frame is called.
        cell: the box, ``(3, 3)``, Å.
        natoms: number of atoms in it.
        stray: how far one of them is from the others, Å, in a frame that is not periodic; None for a
            periodic one.
    """

    name: str
    cell: Floats
    natoms: int
    stray: float | None = None


def random_frame(model: Model, shape: Shape, rng: np.random.Generator) -> Frame:
    """Fill a box with atoms, and draw the parameters, spins and charges that a model takes.

    Args:
        model: the model.
        shape: the box.
        rng: source of the random numbers.
    """
    coord, told = _positions(shape, rng), model.conditions
    if shape.stray:
        coord[-1] = coord[:-1].max(axis=0) + shape.stray
    (frame,) = frames_from_arrays(
        model,
        coord[None],
        None if shape.stray else shape.cell[None],
        _types(model, shape.natoms, rng),
        _parameters(model, "fparam", (1, told.numb_fparam), rng),
        _parameters(model, "aparam", (shape.natoms, told.numb_aparam), rng),
        spin=rng.normal(0.0, 0.6, (shape.natoms, 3)) if told.spin else None,
        charge_spin=_state(rng) if told.charge_spin else None,
    )
    return frame


def _positions(shape: Shape, rng: np.random.Generator) -> Floats:
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


def _state(rng: np.random.Generator) -> NDArray[np.int64]:
    """Return a charge and a spin multiplicity."""
    return np.array([rng.integers(-2, 3), rng.integers(1, 6)])


def _statistics(model: Model, name: str) -> Floats | None:
    """Return the first array of that name in the model."""
    return next((x for path, x in arrays(model).items() if path.endswith(f".{name}")), None)
