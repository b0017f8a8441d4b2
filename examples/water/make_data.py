"""Make the labelled water data of this folder with GFN1-xTB.

Molecular dynamics draws the geometries, a fresh single point labels each one kept, and every set is
written in the layout of DeePMD-kit. Units: Å, eV, eV/Å, K, fs. It needs two packages
(`pip install ase tblite`) and, on one core, about half an hour:

    python make_data.py            # write data/ beside this file
    python make_data.py --check    # compare data/ with finite differences of the energy
"""

# ASE leaves many functions without annotations:
# mypy: allow-untyped-calls

import argparse
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # one thread: repeatable sums, no contention

import numpy as np
from ase import Atoms, units
from ase.build import molecule
from ase.constraints import FixCom, Hookean
from ase.md.langevin import Langevin
from ase.optimize import BFGS
from numpy.typing import NDArray
from tblite.ase import TBLite

Array = NDArray[np.float64]
Source = Callable[[np.random.Generator], Iterator[Atoms]]

TYPE_MAP = ("O", "H")
MOLECULES_PER_CELL = 8
MOLECULE_MASS = 18.015  # u
GRAM_PER_CM3 = units.kg * 1e-3 / (units.m * 1e-2) ** 3  # in u/Å³
TIME_STEP = 1.0  # fs
FRICTION = 0.05  # 1/fs, near the critical damping of the librations
HYDROGEN_MASS = 3.0  # u: classical averages over geometries do not depend on the masses
WALL_DISTANCE, WALL_STIFFNESS = 4.0, 1.0  # Å and eV/Å²: O-O, while sampling the dimer only
FORCE_STEP = 1e-3  # Å
STRAIN_STEP = 5e-4


@dataclass(frozen=True)
class Trajectory:
    """One thermostatted run.

    Attributes:
        start: The first geometry.
        temperature: In K.
        equilibration: Steps before the first frame.
        stride: Steps from one frame to the next.
        frames: Number of frames kept.
    """

    start: Atoms
    temperature: float
    equilibration: int
    stride: int
    frames: int


@dataclass(frozen=True)
class Labels:
    """What GFN1-xTB says of one geometry.

    Attributes:
        energy: Total energy in eV.
        force: In eV/Å, shape (atoms, 3).
        virial: Minus the derivative of the energy by the strain, in eV, shape (3, 3); None with open
            boundaries.
    """

    energy: float
    force: Array
    virial: Array | None


# --- the reference method -------------------------------------------------------------------------


def reference_method(accuracy: float) -> TBLite:
    """Return a GFN1-xTB calculator; a smaller `accuracy` converges tighter."""
    return TBLite(method="GFN1-xTB", accuracy=accuracy, verbosity=0)


def label(atoms: Atoms) -> Labels:
    """Compute energy, force and virial from scratch, so that they depend on the geometry alone."""
    calculator = reference_method(accuracy=0.1)
    calculator.calculate(atoms, ["energy", "forces"])
    results = calculator.results
    virial = None
    if atoms.pbc.all():
        stress = results["stress"][[[0, 5, 4], [5, 1, 3], [4, 3, 2]]]  # from Voigt order
        virial = -atoms.cell.volume * stress
    return Labels(float(results["energy"]), np.asarray(results["forces"]), virial)


# --- starting geometries --------------------------------------------------------------------------


def turned_molecule(rng: np.random.Generator) -> Atoms:
    """Return a water molecule (order O H H), randomly turned, its oxygen at the origin."""
    water: Atoms = molecule("H2O")
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    water.positions = (water.positions - water.positions[0]) @ turn
    return water


def random_cell(density: float, tilt: float, rng: np.random.Generator) -> Array:
    """Return cell vectors (rows, Å): a cube, deformed at random to the given density.

    Args:
        density: In g/cm³.
        tilt: Largest off-diagonal element relative to the edge; 0 keeps the cell orthorhombic.
        rng: Source of the deformation.
    """
    shape = np.diag(np.exp(rng.uniform(-0.08, 0.08, 3)))
    shape += tilt * rng.uniform(-1, 1, (3, 3)) * (1 - np.eye(3))
    volume = MOLECULES_PER_CELL * MOLECULE_MASS / (density * GRAM_PER_CM3)
    return np.asarray(shape * np.cbrt(volume / np.linalg.det(shape)))


def bulk_start(density: float, tilt: float, rng: np.random.Generator) -> Atoms:
    """Return eight randomly turned molecules on a 2 by 2 by 2 lattice, relaxed a few steps."""
    cell = random_cell(density, tilt, rng)
    box = Atoms(cell=cell, pbc=True)
    for site in np.ndindex(2, 2, 2):
        water = turned_molecule(rng)
        water.positions += np.array(site) / 2 @ cell
        box += water
    return relaxed(box, largest_force=0.3, steps=25)


def dimer_start(rng: np.random.Generator) -> Atoms:
    """Return two randomly turned molecules, 3 Å apart, relaxed to a hydrogen bond."""
    first, second = turned_molecule(rng), turned_molecule(rng)
    second.positions += (3.0, 0.0, 0.0)
    return relaxed(first + second, largest_force=0.05, steps=200)


def relaxed(atoms: Atoms, largest_force: float, steps: int) -> Atoms:
    """Move the atoms downhill until the largest force (eV/Å) or the number of steps is reached."""
    atoms.calc = reference_method(accuracy=1.0)
    BFGS(atoms, logfile=None, maxstep=0.1).run(fmax=largest_force, steps=steps)
    return atoms


# --- sampling -------------------------------------------------------------------------------------


def run(trajectory: Trajectory, rng: np.random.Generator) -> Iterator[Atoms]:
    """Yield the kept frames of Langevin dynamics from rest, free of constraints and calculator."""
    atoms = trajectory.start.copy()
    atoms.set_masses([HYDROGEN_MASS if s == "H" else None for s in atoms.symbols])
    oxygens = [index for index, symbol in enumerate(atoms.symbols) if symbol == "O"]
    walls = combinations(oxygens, 2) if not atoms.pbc.any() else ()
    atoms.set_constraint(
        [FixCom(), *(Hookean(a, b, k=WALL_STIFFNESS, rt=WALL_DISTANCE) for a, b in walls)]
    )
    atoms.calc = reference_method(accuracy=1.0)
    dynamics = Langevin(
        atoms,
        timestep=TIME_STEP * units.fs,
        temperature_K=trajectory.temperature,
        friction=FRICTION / units.fs,
        fixcm=False,
        rng=rng,
    )
    dynamics.run(trajectory.equilibration)
    for _ in range(trajectory.frames):
        dynamics.run(trajectory.stride)
        yield Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)


def bulk(trajectories: int, frames: int) -> Source:
    """Return a source of periodic frames: every trajectory has a density, shape and temperature."""

    def generate(rng: np.random.Generator) -> Iterator[Atoms]:
        for number, density in enumerate(np.linspace(0.8, 1.1, trajectories)):
            tilt = (0.0, 0.2, 0.35)[number % 3]
            temperature = (300.0, 400.0, 500.0, 600.0)[number % 4]
            start = bulk_start(density, tilt, rng)
            yield from run(Trajectory(start, temperature, 250, 40, frames), rng)

    return generate


def gas(
    start: Callable[[np.random.Generator], Atoms],
    temperatures: tuple[float, ...],
    frames: int,
    stretched: int = 0,
) -> Source:
    """Return a source of open frames: one trajectory per temperature, then stretched molecules."""

    def generate(rng: np.random.Generator) -> Iterator[Atoms]:
        for temperature in temperatures:
            yield from run(Trajectory(start(rng), temperature, 400, 100, frames), rng)
        for _ in range(stretched):
            yield stretched_molecule(rng)

    return generate


def stretched_molecule(rng: np.random.Generator) -> Atoms:
    """Return a molecule with random bonds (0.8 to 1.3 Å) and angle (80° to 140°), randomly turned."""
    water = turned_molecule(rng)
    for hydrogen in (1, 2):
        water.set_distance(0, hydrogen, rng.uniform(0.8, 1.3), fix=0)
    water.set_angle(1, 0, 2, rng.uniform(80.0, 140.0))
    return water


WARM = (150.0, 300.0, 450.0, 600.0, 800.0, 1000.0)
HOT = (300.0, 600.0, 900.0, 1200.0, 1500.0)
DATA_SETS: dict[str, Source] = {
    "bulk_train": bulk(trajectories=10, frames=16),
    "bulk_valid": bulk(trajectories=4, frames=10),
    "cluster_train": gas(dimer_start, WARM, frames=10),
    "cluster_valid": gas(dimer_start, WARM, frames=3),
    "monomer_train": gas(turned_molecule, HOT, frames=8, stretched=20),
    "monomer_valid": gas(turned_molecule, HOT, frames=2, stretched=5),
}


# --- files ----------------------------------------------------------------------------------------


def write(folder: Path, frames: list[Atoms], labels: list[Labels]) -> None:
    """Write frames of one composition as a DeePMD-kit system: one row of each file is one frame."""
    arrays = folder / "set.000"
    arrays.mkdir(parents=True, exist_ok=True)
    types = [TYPE_MAP.index(symbol) for symbol in frames[0].symbols]
    (folder / "type.raw").write_text("\n".join(map(str, types)) + "\n")
    (folder / "type_map.raw").write_text("\n".join(TYPE_MAP) + "\n")
    np.save(arrays / "coord.npy", np.array([frame.positions.ravel() for frame in frames]))
    np.save(arrays / "energy.npy", np.array([one.energy for one in labels]))
    np.save(arrays / "force.npy", np.array([one.force.ravel() for one in labels]))
    virials = [one.virial.ravel() for one in labels if one.virial is not None]
    if virials:
        np.save(arrays / "box.npy", np.array([frame.cell.array.ravel() for frame in frames]))
        np.save(arrays / "virial.npy", np.array(virials))
    else:
        (folder / "nopbc").touch()


def read(folder: Path, frame: int) -> tuple[Atoms, Labels]:
    """Read one frame and its labels."""
    rows = {path.stem: np.load(path)[frame] for path in (folder / "set.000").glob("*.npy")}
    symbols = [TYPE_MAP[int(kind)] for kind in (folder / "type.raw").read_text().split()]
    cell = rows["box"].reshape(3, 3) if "box" in rows else None
    atoms = Atoms(symbols, rows["coord"].reshape(-1, 3), cell=cell, pbc=cell is not None)
    virial = rows["virial"].reshape(3, 3) if "virial" in rows else None
    return atoms, Labels(float(rows["energy"]), rows["force"].reshape(-1, 3), virial)


def make(output: Path, names: list[str], seed: int) -> None:
    """Generate, label and write the named sets; `seed` fixes each, whichever others are made."""
    for name in names:
        began = time.monotonic()
        frames, labels = [], []
        rng = np.random.default_rng((seed, list(DATA_SETS).index(name)))
        for frame in DATA_SETS[name](rng):
            frames.append(frame)
            labels.append(label(frame))
            seconds = time.monotonic() - began
            print(
                f"{name}: frame {len(frames)}, {labels[-1].energy:.4f} eV, {seconds:.0f} s",
                flush=True,
            )
        write(output / name, frames, labels)


# --- verification ---------------------------------------------------------------------------------


def finite_difference_force(atoms: Atoms) -> Array:
    """Return the forces by central differences of the energy, eV/Å, shape (atoms, 3)."""
    force = np.empty((len(atoms), 3))
    for index in np.ndindex(*force.shape):
        energies = []
        for step in (FORCE_STEP, -FORCE_STEP):
            moved = atoms.copy()
            moved.positions[index] += step
            energies.append(label(moved).energy)
        force[index] = (energies[1] - energies[0]) / (2 * FORCE_STEP)
    return force


def finite_difference_virial(atoms: Atoms) -> Array:
    """Return the virial by central differences of the energy, eV, shape (3, 3)."""
    virial = np.empty((3, 3))
    for index in np.ndindex(3, 3):
        energies = []
        for step in (STRAIN_STEP, -STRAIN_STEP):
            deformation = np.eye(3)
            deformation[index] += step
            strained = atoms.copy()
            strained.set_cell(atoms.cell.array @ deformation, scale_atoms=True)
            energies.append(label(strained).energy)
        virial[index] = (energies[1] - energies[0]) / (2 * STRAIN_STEP)
    return virial


def check(output: Path, names: list[str]) -> None:
    """Print, for the middle frame of every named set, how far its labels are from finite differences."""
    for name in names:
        folder = output / name
        atoms, stored = read(folder, len(np.load(folder / "set.000" / "energy.npy")) // 2)
        energy = abs(label(atoms).energy - stored.energy)
        force = np.abs(finite_difference_force(atoms) - stored.force).max()
        line = f"{name}: energy {energy:.1e} eV, force {force:.1e} eV/Å"
        if stored.virial is not None:
            virial = np.abs(finite_difference_virial(atoms) - stored.virial).max()
            line += f", virial {virial:.1e} eV of {np.abs(stored.virial).max():.2f} eV"
        print(line, flush=True)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "data")
    parser.add_argument("--sets", nargs="+", choices=DATA_SETS, default=list(DATA_SETS))
    parser.add_argument("--seed", type=int, default=20240)
    parser.add_argument("--check", action="store_true", help="check the data, make none")
    arguments = parser.parse_args()
    if arguments.check:
        check(arguments.output, arguments.sets)
    else:
        make(arguments.output, arguments.sets, arguments.seed)


if __name__ == "__main__":
    main()
