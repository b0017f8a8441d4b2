"""Make the labelled molecules of this folder with GFN1-xTB.

Molecular dynamics draws the geometries, a fresh single point labels each one kept, and every molecule is
written as a system in the layout of DeePMD-kit. Units: Å, eV, eV/Å, K, fs. It needs two packages
(`pip install ase tblite`) and, on one core, a quarter of an hour:

    python make_data.py            # write data/ beside this file
    python make_data.py --check    # compare data/ with finite differences of the energy
"""

# ASE leaves many functions without annotations:
# mypy: allow-untyped-calls

import argparse
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # one thread: repeatable sums, no contention

import numpy as np
from ase import Atoms, units
from ase.build import molecule
from ase.constraints import FixCom
from ase.md.langevin import Langevin
from ase.optimize import BFGS
from numpy.typing import NDArray
from tblite.ase import TBLite

Array = NDArray[np.float64]

TYPE_MAP = ("H", "C", "N", "O")
# By the names of ASE's collection of molecules, a number of carbons stands for a straight alkane.
LEARNT: dict[str, str | int] = {
    "water": "H2O",
    "hydrogen_cyanide": "HCN",
    "ammonia": "NH3",
    "formaldehyde": "H2CO",
    "methane": "CH4",
    "methanol": "CH3OH",
    "acetonitrile": "CH3CN",
    "ethene": "C2H4",
    "methylamine": "H3CNH2",
    "ethane": 2,
    "acetic_acid": "CH3COOH",
    "acetamide": "CH3CONH2",
    "ethanol": "CH3CH2OH",
    "dimethyl_ether": "CH3OCH3",
    "pyridine": "C5H5N",
    "benzene": "C6H6",
    "butane": 4,
    "hexane": 6,
}
UNSEEN: dict[str, str | int] = {"propane": 3, "ethylamine": "CH3CH2NH2", "acetone": "CH3COCH3"}
TEMPERATURES = (150.0, 300.0, 450.0, 600.0)
TIME_STEP = 1.0  # fs
FRICTION = 0.05  # 1/fs
HYDROGEN_MASS = 3.0  # u: classical averages over geometries do not depend on the masses
EQUILIBRATION, STRIDE = 200, 40  # steps before the first frame, and from one frame to the next
FORCE_STEP = 1e-3  # Å


@dataclass(frozen=True)
class Part:
    """One part of the data.

    Attributes:
        molecules: What it is about.
        frames: Frames of each molecule and temperature, all of one trajectory.
    """

    molecules: dict[str, str | int]
    frames: int


PARTS = {"train": Part(LEARNT, 8), "valid": Part(LEARNT, 2), "unseen": Part(UNSEEN, 4)}


@dataclass(frozen=True)
class Labels:
    """What GFN1-xTB says of one geometry.

    Attributes:
        energy: Total energy in eV.
        force: In eV/Å, shape (atoms, 3).
    """

    energy: float
    force: Array


# --- the reference method -------------------------------------------------------------------------


def reference_method(accuracy: float) -> TBLite:
    """Return a GFN1-xTB calculator; a smaller `accuracy` converges tighter."""
    return TBLite(method="GFN1-xTB", accuracy=accuracy, verbosity=0)


def label(atoms: Atoms) -> Labels:
    """Compute energy and forces from scratch, so that they depend on the geometry alone."""
    calculator = reference_method(accuracy=0.1)
    calculator.calculate(atoms, ["energy", "forces"])
    return Labels(float(calculator.results["energy"]), np.asarray(calculator.results["forces"]))


# --- geometries -----------------------------------------------------------------------------------


def alkane(carbons: int) -> Atoms:
    """Return a straight alkane, roughly: a zigzag of carbons with hydrogens on both sides."""
    chain = [np.array([1.27 * i, 0.43 * (-1) ** i, 0.0]) for i in range(-1, carbons + 1)]
    skeleton, hydrogens = chain[1:-1], []
    for number, carbon in enumerate(skeleton):
        hydrogens += [carbon + np.array([0.0, 0.63 * (-1) ** number, z]) for z in (-0.89, 0.89)]
    for end, beyond in ((skeleton[0], chain[0]), (skeleton[-1], chain[-1])):
        hydrogens.append(end + 1.09 * (beyond - end) / np.linalg.norm(beyond - end))
    return Atoms(f"C{carbons}H{2 * carbons + 2}", [*skeleton, *hydrogens])


def relaxed(what: str | int) -> Atoms:
    """Return a molecule with the smallest energy nearby."""
    atoms: Atoms = alkane(what) if isinstance(what, int) else molecule(what)
    atoms.calc = reference_method(accuracy=1.0)
    BFGS(atoms, logfile=None, maxstep=0.1).run(fmax=0.05, steps=200)
    return atoms


def run(start: Atoms, temperature: float, frames: int, rng: np.random.Generator) -> Iterator[Atoms]:
    """Yield the kept frames of Langevin dynamics from rest, free of constraint and calculator."""
    atoms = start.copy()
    atoms.set_masses([HYDROGEN_MASS if s == "H" else None for s in atoms.symbols])
    atoms.set_constraint(FixCom())
    atoms.calc = reference_method(accuracy=1.0)
    dynamics = Langevin(
        atoms,
        timestep=TIME_STEP * units.fs,
        temperature_K=temperature,
        friction=FRICTION / units.fs,
        fixcm=False,
        rng=rng,
    )
    dynamics.run(EQUILIBRATION)
    for _ in range(frames):
        dynamics.run(STRIDE)
        yield Atoms(atoms.symbols, atoms.positions)


# --- files ----------------------------------------------------------------------------------------


def write(folder: Path, frames: list[Atoms], labels: list[Labels]) -> None:
    """Write frames of one molecule as a DeePMD-kit system: one row of each file is one frame."""
    arrays = folder / "set.000"
    arrays.mkdir(parents=True, exist_ok=True)
    types = [TYPE_MAP.index(symbol) for symbol in frames[0].symbols]
    (folder / "type.raw").write_text("\n".join(map(str, types)) + "\n")
    (folder / "type_map.raw").write_text("\n".join(TYPE_MAP) + "\n")
    (folder / "nopbc").touch()
    np.save(arrays / "coord.npy", np.array([frame.positions.ravel() for frame in frames]))
    np.save(arrays / "energy.npy", np.array([one.energy for one in labels]))
    np.save(arrays / "force.npy", np.array([one.force.ravel() for one in labels]))


def make(output: Path, names: list[str], seed: int) -> None:
    """Generate, label and write the named parts; `seed` fixes each molecule, whichever are made."""
    for place, (name, part) in enumerate(PARTS.items()):
        for number, (called, what) in enumerate(part.molecules.items() if name in names else ()):
            began, start = time.monotonic(), relaxed(what)
            rng = np.random.default_rng((seed, place, number))
            frames = [
                frame for kelvin in TEMPERATURES for frame in run(start, kelvin, part.frames, rng)
            ]
            write(output / name / called, frames, [label(frame) for frame in frames])
            seconds = time.monotonic() - began
            print(
                f"{name}/{called}: {len(start)} atoms, {len(frames)} frames, {seconds:.0f} s",
                flush=True,
            )


def check(output: Path, names: list[str]) -> None:
    """Print, for the last frame of every system, how far its labels are from finite differences."""
    for folder in sorted(path for name in names for path in (output / name).iterdir()):
        rows = {path.stem: np.load(path)[-1] for path in (folder / "set.000").glob("*.npy")}
        symbols = [TYPE_MAP[int(kind)] for kind in (folder / "type.raw").read_text().split()]
        atoms = Atoms(symbols, rows["coord"].reshape(-1, 3))
        energy = abs(label(atoms).energy - float(rows["energy"]))
        force = np.abs(finite_difference_force(atoms).ravel() - rows["force"]).max()
        print(f"{folder}: energy {energy:.1e} eV, force {force:.1e} eV/Å", flush=True)


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


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "data")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--seed", type=int, default=20241)
    parser.add_argument("--check", action="store_true", help="check the data, make none")
    arguments = parser.parse_args()
    if arguments.check:
        check(arguments.output, arguments.parts)
    else:
        make(arguments.output, arguments.parts, arguments.seed)


if __name__ == "__main__":
    main()
