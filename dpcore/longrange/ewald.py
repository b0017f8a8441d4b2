"""The reciprocal Ewald sum of Gaussian charges."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dpcore.errors import DPError, suggest
from dpcore.longrange.direct import DirectSum
from dpcore.longrange.mesh import ParticleMesh
from dpcore.longrange.separable import CURVATURE, VALUE_AND_GRADIENT
from dpcore.longrange.wavevectors import WaveVectors

Floats = NDArray[np.float64]

METHODS = ("auto", "direct", "mesh")

# Products of charges and wave vectors from which on the mesh is the faster.
MESH_FROM = 5e6

# Wave vectors beyond are a mistake in the spacing rather than a very large cell.
MOST_VECTORS = 200_000_000


@dataclass(frozen=True)
class Electrostatics:
    """The electrostatic energy of charges and its derivatives.

    Each pair's share is booked on its two charges in equal parts, so that the shares of the charges add up
    to the energy and the virial.

    Attributes:
        energy: energy, eV.
        virial: virial ``-∂E/∂ε``, ``(3, 3)``, eV.
        force: force on each charge, ``(charge, 3)``, eV/Å.
        shares: energy of each charge, ``(charge,)``, eV.
        virials: virial of each charge, ``(charge, 3, 3)``, eV.
    """

    energy: float
    virial: Floats
    force: Floats
    shares: Floats
    virials: Floats


def ewald(
    coord: Floats,
    charge: Floats,
    cell: Floats,
    *,
    spacing: float = 1.0,
    beta: float = 0.4,
    method: str = "auto",
) -> Electrostatics:
    r"""Return the electrostatic energy of Gaussian charges in a periodic cell.

    .. math:: E = \frac{e^2}{4\pi\epsilon_0}\,\frac{1}{2\pi V}
        \sum_{m \ne 0} \frac{\exp(-\pi^2 m^2/\beta^2)}{m^2}\,\Bigl|\sum_i q_i e^{-2\pi i\,m\cdot r_i}\Bigr|^2

    The energy of each Gaussian with itself is part of it. A net charge is compensated by a uniform background.

    Args:
        coord: coordinates, ``(charge, 3)``, Å.
        charge: charges in units of the elementary charge, ``(charge,)``.
        cell: lattice vectors as rows, ``(3, 3)``, Å.
        spacing: spacing of the mesh whose wave vectors are summed, Å.
        beta: inverse width of the Gaussians, 1/Å.
        method: ``direct`` for the plain sum, ``mesh`` for the same by a particle mesh, which is faster for
            many charges, or ``auto`` for the faster of the two.

    Raises:
        DPError: an unknown method, a spacing or width that is not positive, or a spacing that is far too
            small for the cell.
    """
    check_settings(spacing, beta, method)
    waves = WaveVectors.of_spacing(cell, spacing)
    if waves.size > MOST_VECTORS:
        raise DPError(
            f"ewald_h: {spacing} Å makes {waves.size:,} wave vectors in this cell; allowed: "
            f"{MOST_VECTORS:,}, give a larger spacing"
        )
    points = coord @ waves.inverse
    points = points - np.floor(points)
    work = len(charge) * waves.size
    use_mesh = work > 0 and (method == "mesh" or (method == "auto" and work >= MESH_FROM))
    sums = (ParticleMesh if use_mesh else DirectSum)(waves, points)
    factors = sums.structure(charge)
    coulomb = waves.coulomb(beta)
    # ∂ of exp(-π² m²/β²)/m² by m² is minus itself times this.
    decay = math.pi**2 / beta**2 + 1.0 / np.where(waves.squared > 0.0, waves.squared, np.inf)
    density = coulomb * (factors.real**2 + factors.imag**2)
    energy = 0.5 * float((density * waves.multiplicity).sum())
    field = sums.derivatives(coulomb * factors, VALUE_AND_GRADIENT)
    curvature = sums.derivatives(decay * coulomb * factors, CURVATURE)
    shares = 0.5 * charge * field[:, 0]
    force = -charge[:, None] * (field[:, 1:] @ waves.inverse.T)
    return Electrostatics(
        energy=energy,
        virial=energy * np.eye(3) - waves.second_moment(density * decay),
        # Windows do not quite conserve momentum.
        force=force - force.sum(axis=0) / max(1, len(force)),
        shares=shares,
        virials=_virials(charge, shares, curvature, waves.inverse),
    )


def check_settings(spacing: float, beta: float, method: str, where: str = "") -> None:
    """Raise a one-line error for settings that have no meaning.

    Args:
        spacing: spacing of the mesh, Å.
        beta: inverse width of the Gaussians, 1/Å.
        method: how to sum.
        where: what comes before the names of the settings in messages.
    """
    for key, value in (("ewald_h", spacing), ("ewald_beta", beta)):
        if not (math.isfinite(value) and value > 0.0):
            raise DPError(f"{where}{key}: {value} is not allowed; give a number above 0")
    if method not in METHODS:
        raise DPError(f"{where}ewald_method: {method!r} is unknown{suggest(method, METHODS)}")


def _virials(charge: Floats, shares: Floats, curvature: Floats, inverse: Floats) -> Floats:
    """Return the virial of each charge from second derivatives in the order of ``CURVATURE``."""
    xx, yy, zz, yz, xz, xy = (charge * column / (4.0 * math.pi**2) for column in curvature.T)
    rows = np.stack([xx, xy, xz, xy, yy, yz, xz, yz, zz], axis=-1).reshape(len(charge), 3, 3)
    virials: Floats = shares[:, None, None] * np.eye(3) + inverse @ rows @ inverse.T
    return virials
