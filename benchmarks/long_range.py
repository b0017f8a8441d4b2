"""Time the reciprocal Ewald sum of water, directly and by the particle mesh.

Run ``python -m benchmarks.long_range``.
"""

import argparse
import sys
import time
import tracemalloc
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from dpcore.longrange import ewald

# Charges of a molecule with one centroid, in e; molecules in 1 Å³.
CHARGES = (6.0, 1.0, 1.0, -8.0)
DENSITY = 0.0334
SPREAD = 0.5  # Å, of the charges of a molecule


@dataclass(frozen=True)
class Measurement:
    """What a sum took: the shorter time of two, s, and the largest memory, MiB."""

    seconds: float
    peak: float
    force: NDArray[np.float64]

    def __str__(self) -> str:
        return f"{self.seconds:9.3f} s {self.peak:6.0f} MiB"


def measured(molecules: int, method: str) -> Measurement:
    """Return what the sum over a box of molecules takes."""
    rng, edge = np.random.default_rng(molecules), (molecules / DENSITY) ** (1.0 / 3.0)
    places = np.repeat(rng.uniform(0.0, edge, (molecules, 3)), len(CHARGES), axis=0)
    coord, charge = rng.normal(places, SPREAD), np.tile(CHARGES, molecules)
    run, times = partial(ewald, coord, charge, edge * np.eye(3), method=method), []
    for _ in range(2):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    tracemalloc.start()
    force = run().force
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return Measurement(min(times), peak / 2**20, force)


def main() -> None:
    """Print a line for each number of molecules."""
    parser = argparse.ArgumentParser(description="time the Ewald sum, directly and by the mesh")
    parser.add_argument("--molecules", type=int, nargs="+", default=[64, 250, 1000, 4000, 16000])
    parser.add_argument("--direct", type=int, default=4000, help="most molecules to sum directly")
    arguments = parser.parse_args()
    for molecules in arguments.molecules:
        mesh = measured(molecules, "mesh")
        line = f"{4 * molecules:7d} charges   mesh {mesh}"
        if molecules <= arguments.direct:
            plain = measured(molecules, "direct")
            error = np.abs(mesh.force - plain.force).max() / np.abs(plain.force).max()
            line += f"   direct {plain}   force differs by {error:.0e}"
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
