"""Liquid water of any size, and the model that is measured on it."""

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.vs_deepmd.examples import EXAMPLES, without_zeros
from dpcore.data import load_system
from dpcore.errors import DPError
from dpcore.formats import Document
from dpcore.frames import Frame
from dpcore.models import StandardModel
from dpcore.neighbours import neighbour_pairs
from dpcore.registry import format_of
from dpcore.settings import build_model
from dpcore.train.statistics.environment import environment_sums, with_environment

TYPE_MAP = ("O", "H")
EDGE, PER_EDGE = 12.44, 4  # Å: 64 molecules at 0.99 g/cm³
BOND, ANGLE = 0.9572, math.radians(104.52)  # Å: the free molecule
PLACE_JITTER = 0.2  # Å, of whole molecules, so that neighbours are at all distances
SEED = (
    213  # of the first 400, it keeps the molecules farthest apart: no two atoms nearer than 1.5 Å
)
ATOM_JITTER = 0.02  # Å, so that no two copies of a cell are equal


def water_cell() -> Frame:
    """Return 64 molecules of water in a cube, turned at random, near the points of a lattice."""
    rng = np.random.default_rng(SEED)
    grid = np.stack(np.meshgrid(*[np.arange(PER_EDGE)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    centres = grid * (EDGE / PER_EDGE) + rng.normal(0.0, PLACE_JITTER, grid.shape)
    half = ANGLE / 2
    molecule = BOND * np.array(
        [
            [0.0, 0.0, 0.0],
            [math.sin(half), math.cos(half), 0.0],
            [-math.sin(half), math.cos(half), 0.0],
        ]
    )
    turns, _ = np.linalg.qr(rng.normal(size=(len(grid), 3, 3)))
    coord = (centres[:, None, :] + molecule @ turns).reshape(-1, 3)
    return Frame(coord, np.tile([0, 1, 1], len(grid)), np.eye(3) * EDGE)


def read_cell(path: str) -> Frame:
    """Return the first frame of a periodic system in DeePMD-kit's layouts.

    Raises:
        DPError: it cannot be read, or has no cell.
    """
    system = load_system(path, TYPE_MAP)
    if system.cell is None or system.mixed:
        raise DPError(
            f"{path}: the benchmark copies the cell of a frame; give a periodic system of one kind"
        )
    return Frame(system.coord[0], system.atom_types, system.cell[0])


def copies(cell: Frame, atoms: int, seed: int = 2) -> Frame:
    """Return about so many atoms: copies of a cell side by side, each atom moved a little."""
    assert cell.cell is not None
    shape = nearest_block(max(1, round(atoms / len(cell.types))))
    steps = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1).reshape(-1, 3)
    coord = (cell.coord[None] + (steps @ cell.cell)[:, None]).reshape(-1, 3)
    moved = coord + np.random.default_rng(seed).normal(0.0, ATOM_JITTER, coord.shape)
    return Frame(moved, np.tile(cell.types, len(steps)), cell.cell * np.array(shape)[:, None])


def nearest_block(count: int) -> tuple[int, int, int]:
    """Return three factors of a number that are as equal as can be, in ascending order."""
    triples = [
        (a, b, count // (a * b))
        for a in range(1, count + 1)
        if count % a == 0
        for b in range(a, count // a + 1)
        if count // a % b == 0 and count // (a * b) >= b
    ]
    return min(triples, key=lambda t: t[2] - t[0])


def save_frame(path: Path, frame: Frame) -> None:
    """Write a frame as both programs' workers read it."""
    assert frame.cell is not None
    np.savez(path, coord=frame.coord[None], cell=frame.cell[None], types=frame.types)


def save_system(folder: Path, cell: Frame, frames: int) -> None:
    """Write moved copies of a cell as a training system, from which the peer takes the least distance."""
    assert cell.cell is not None
    moved = [copies(cell, len(cell.types), seed) for seed in range(frames)]
    arrays: dict[str, NDArray[np.float64]] = {
        "coord": np.stack([frame.coord.ravel() for frame in moved]),
        "box": np.tile(cell.cell.ravel(), (frames, 1)),
        "energy": np.zeros((frames, 1)),
        "force": np.zeros((frames, cell.coord.size)),
    }
    target = folder / "set.000"
    target.mkdir(parents=True, exist_ok=True)
    for name, values in arrays.items():
        np.save(target / f"{name}.npy", values)
    np.savetxt(folder / "type.raw", cell.types, fmt="%d")
    (folder / "type_map.raw").write_text(
        "".join(f"{name}\n" for name in TYPE_MAP), encoding="utf-8"
    )


# What tells the descriptors apart; they share the rest.
DESCRIPTORS: dict[str, dict[str, object]] = {
    "se_e2_a": {"sel": [46, 92]},
    # Without smooth attention DeePMD-kit's forces are wrong on pairs within some 1e-4 Å of the cutoff, where
    # directions are shorter than what it adds to their length.
    "se_atten": {
        "sel": 120,
        "attn": 128,
        "attn_layer": 2,
        "attn_dotr": True,
        "smooth_type_embedding": True,
    },
}


def settings(descriptor_type: str = "se_e2_a", *, type_one_side: bool) -> dict[str, object]:
    """Return the ``model`` section of the input that the model is drawn from.

    Raises:
        DPError: the model has no such setting.
    """
    types: dict[str, object] = {"type_map": list(TYPE_MAP)}
    if descriptor_type in EXAMPLES:
        if type_one_side:
            raise DPError(f"{descriptor_type}: only a model that passes no messages is one-sided")
        return types | EXAMPLES[descriptor_type]
    descriptor = DESCRIPTORS[descriptor_type] | {
        "type": descriptor_type,
        "rcut": 6.0,
        "rcut_smth": 0.5,
        "neuron": [25, 50, 100],
        "axis_neuron": 16,
        "type_one_side": type_one_side,
    }
    fitting = {"type": "ener", "neuron": [240, 240, 240], "resnet_dt": True}
    return types | {"descriptor": descriptor, "fitting_net": fitting}


def draw_model(
    cell: Frame, descriptor_type: str = "se_e2_a", *, type_one_side: bool
) -> StandardModel:
    """Return a model with random networks, and environment statistics as of one trained on the cell."""
    model = build_model(settings(descriptor_type, type_one_side=type_one_side), seed=1)
    assert isinstance(model, StandardModel)
    if descriptor_type in EXAMPLES:
        model = without_zeros(model)
    found = with_environment(model, environment_sums(model, [cell]))
    assert isinstance(found, StandardModel)
    return found


def mean_neighbours(model: StandardModel, cell: Frame) -> float:
    """Return the mean number of neighbours of an atom that enter the model, by its first selection."""
    selection = model.selections[0]
    pairs = neighbour_pairs(cell.coord, cell.cell, selection.rcut)
    kinds = len(selection.sel)
    slot = pairs.centre * kinds + cell.types[pairs.neighbour]
    found = np.bincount(slot, minlength=len(cell.types) * kinds).reshape(-1, kinds)
    kept = np.minimum(found, selection.sel).sum(axis=1)
    return float(np.minimum(kept, selection.most).mean())


def write_model(path: Path, model: StandardModel, script: dict[str, object]) -> None:
    """Write the model; its training input goes along, without which the peer compresses no ``.pth``."""
    document = Document(model, {"model_def_script": script})
    format_of(path).write(path, document)
