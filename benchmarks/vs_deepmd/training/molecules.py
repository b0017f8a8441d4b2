"""Small molecules of mixed sizes, made up, with the energies and forces of a smooth potential."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Types = NDArray[np.int64]

TYPE_MAP = ("H", "C", "N", "O")
SHARES = (0.5, 0.3, 0.1, 0.1)
# Depth in eV, inverse width in 1/Å and distance in Å of the minimum between atoms of two types are made of
# the atoms' own.
DEPTH = np.array([1.0, 2.0, 1.8, 1.6])
WIDTH = np.array([1.9, 1.5, 1.6, 1.7])
RADIUS = np.array([0.40, 0.75, 0.70, 0.65])
OWN = np.array([-13.6, -1030.0, -1480.0, -2040.0])  # eV
NEAREST, BOND = 0.9, 1.3  # Å: between any two atoms, and of a new atom from one of the others
JITTER = 0.05  # Å, from which the frames of a molecule differ


@dataclass(frozen=True, eq=False)
class Molecule:
    """Frames of atoms that are the same in each.

    Attributes:
        types: types of the atoms.
        coord: positions, ``(frame, atom, 3)``, Å.
        energy: eV, ``(frame,)``.
        force: eV/Å, ``(frame, atom, 3)``.
    """

    types: Types
    coord: Floats
    energy: Floats
    force: Floats


def molecules(
    compositions: int, frames: int, least: int = 3, most: int = 21, seed: int = 1
) -> list[Molecule]:
    """Return molecules, no two of the same composition.

    Args:
        compositions: how many.
        frames: how many frames each has.
        least: atoms of the smallest.
        most: atoms of the largest.
        seed: decides what they are.
    """
    rng = np.random.default_rng(seed)
    sizes = np.linspace(least, most, compositions).round().astype(int)
    found: dict[tuple[int, ...], Molecule] = {}
    for size in sizes:
        types = np.sort(rng.choice(len(TYPE_MAP), size, p=SHARES))
        while tuple(types) in found:
            types = np.sort(rng.choice(len(TYPE_MAP), size, p=SHARES))
        place = _grown(rng, size)
        coord = place + rng.normal(0.0, JITTER, (frames, size, 3))
        labels = [potential(x, types) for x in coord]
        energy, force = (np.array(values) for values in zip(*labels, strict=True))
        found[tuple(types)] = Molecule(types, coord, energy, force)
    return list(found.values())


def _grown(rng: np.random.Generator, size: int) -> Floats:
    """Return places of atoms, each next to another one and near to none."""
    places = [np.zeros(3)]
    while len(places) < size:
        step = rng.normal(size=3)
        place = places[rng.integers(len(places))] + BOND * step / np.linalg.norm(step)
        if np.linalg.norm(np.array(places) - place, axis=1).min() > NEAREST:
            places.append(place)
    return np.array(places)


def potential(coord: Floats, types: Types) -> tuple[float, Floats]:
    """Return the energy and the forces: a Morse potential between all atoms."""
    first, second = np.triu_indices(len(types), 1)
    one, other = types[first], types[second]
    between = coord[first] - coord[second]
    distance = np.linalg.norm(between, axis=1)
    depth = np.sqrt(DEPTH[one] * DEPTH[other])
    width, place = (WIDTH[one] + WIDTH[other]) / 2, RADIUS[one] + RADIUS[other]
    fall = np.exp(-width * (distance - place))
    energy = OWN[types].sum() + (depth * (fall * fall - 2.0 * fall)).sum()
    pull = (2.0 * depth * width * (fall * fall - fall) / distance)[:, None] * between
    force = np.zeros_like(coord)
    np.add.at(force, first, pull)
    np.add.at(force, second, -pull)
    return float(energy), force


def most_neighbours(data: Sequence[Molecule], cutoff: float) -> list[int]:
    """Return the most neighbours that an atom has, by type."""
    most = np.zeros(len(TYPE_MAP), int)
    for molecule in data:
        distance = np.linalg.norm(
            molecule.coord[:, :, None] - molecule.coord[:, None, :], axis=-1
        ) + 2 * cutoff * np.eye(len(molecule.types))
        for t in range(len(TYPE_MAP)):
            near = (distance < cutoff)[:, :, molecule.types == t].sum(axis=-1)
            most[t] = max(most[t], near.max())
    return [int(n) for n in most]


def write_systems(folder: Path, data: Sequence[Molecule]) -> list[str]:
    """Write a system of each molecule in the npy layout, and return their paths."""
    paths = []
    for number, molecule in enumerate(data):
        path = folder / f"{number:03d}"
        arrays = {"coord": molecule.coord, "force": molecule.force, "energy": molecule.energy}
        _write_system(path, arrays, len(molecule.energy))
        np.savetxt(path / "type.raw", molecule.types, fmt="%d")
        paths.append(str(path))
    return paths


def write_mixed(folder: Path, data: Sequence[Molecule]) -> list[str]:
    """Write all molecules as one system of mixed type, in random order, and return its path.

    Smaller molecules have atoms of type -1, which are not there.
    """
    widest = max(len(molecule.types) for molecule in data)
    rows: dict[str, list[np.ndarray]] = {
        "coord": [],
        "force": [],
        "energy": [],
        "real_atom_types": [],
    }
    for molecule in data:
        extra = widest - len(molecule.types)
        for coord, energy, force in zip(
            molecule.coord, molecule.energy, molecule.force, strict=True
        ):
            rows["coord"].append(np.pad(coord, ((0, extra), (0, 0))))
            rows["force"].append(np.pad(force, ((0, extra), (0, 0))))
            rows["energy"].append(np.array(energy))
            rows["real_atom_types"].append(np.pad(molecule.types, (0, extra), constant_values=-1))
    order = np.random.default_rng(1).permutation(len(rows["energy"]))
    arrays = {name: np.array(values)[order] for name, values in rows.items()}
    types = arrays.pop("real_atom_types").astype(np.int32)
    _write_system(folder, arrays, len(order))
    np.save(folder / "set.000" / "real_atom_types.npy", types)
    np.savetxt(folder / "type.raw", np.zeros(widest, int), fmt="%d")
    return [str(folder)]


def _write_system(folder: Path, arrays: dict[str, Floats], frames: int) -> None:
    (folder / "set.000").mkdir(parents=True, exist_ok=True)
    for name, values in arrays.items():
        np.save(folder / "set.000" / f"{name}.npy", values.reshape(frames, -1))
    names = "".join(f"{name}\n" for name in TYPE_MAP)
    (folder / "type_map.raw").write_text(names, encoding="utf-8")
    (folder / "nopbc").write_text("", encoding="utf-8")


def write_lmdb(folder: Path, data: Sequence[Molecule]) -> str:
    """Write all molecules as an LMDB data set, in random order, and return its path."""
    import lmdb

    frames = [(m, k) for m in data for k in range(len(m.energy))]
    order = np.random.default_rng(1).permutation(len(frames))
    told = {
        "nframes": len(frames),
        "frame_idx_fmt": "012d",
        "type_map": list(TYPE_MAP),
        "frame_nlocs": [len(frames[i][0].types) for i in order],
    }
    folder.mkdir(parents=True, exist_ok=True)
    base = lmdb.open(str(folder), map_size=1 << 28)
    with base.begin(write=True) as transaction:
        transaction.put(b"__metadata__", _bytes(told))
        for place, i in enumerate(order):
            molecule, k = frames[i]
            frame = {
                "atom_types": _packed(molecule.types.astype(np.int32)),
                "coords": _packed(molecule.coord[k]),
                "energies": _packed(molecule.energy[k : k + 1]),
                "forces": _packed(molecule.force[k]),
            }
            transaction.put(f"{place:012d}".encode(), _bytes(frame))
    base.close()
    return str(folder)


def _bytes(value: dict[str, Any]) -> bytes:
    import msgpack

    return bytes(msgpack.packb(value) or b"")


def _packed(values: NDArray[np.generic]) -> dict[str, object]:
    return {"type": values.dtype.str, "shape": list(values.shape), "data": values.tobytes()}


def write_all(folder: Path, data: Sequence[Molecule]) -> dict[str, list[str] | str]:
    """Write molecules in all three layouts, and return what `systems` names each by."""
    shutil.rmtree(folder, ignore_errors=True)
    paths: dict[str, list[str] | str] = {
        "npy": write_systems(folder / "npy", data),
        "mixed": write_mixed(folder / "mixed", data),
        "lmdb": write_lmdb(folder / "lmdb", data),
    }
    (folder / "systems.json").write_text(json.dumps(paths, indent=1), encoding="utf-8")
    return paths
