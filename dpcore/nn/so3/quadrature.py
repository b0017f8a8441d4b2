"""Grids on the sphere that integrate products of harmonics."""

import math
import warnings

import numpy as np
from numpy.typing import NDArray

from dpcore.errors import DPError

Array = NDArray[np.float64]

# Degrees up to which there are rules of Lebedev and Laikov (Doklady Mathematics 59, 477, 1999) in SciPy.
DEGREES = (*range(3, 33, 2), *range(35, 132, 6))


def lebedev(degree: int) -> tuple[Array, Array]:
    """Return points, ``(point, 3)``, and weights that add up to 1, from ``scipy.integrate.lebedev_rule``.

    Args:
        degree: up to which polynomials are integrated exactly at least.
    """
    with warnings.catch_warnings():
        # Its import would change which warnings users see.
        from scipy.integrate import lebedev_rule

    known = next((n for n in DEGREES if n >= degree), None)
    if known is None:
        raise DPError(f"no Lebedev rule integrates degree {degree}; the highest is {DEGREES[-1]}")
    points, weights = lebedev_rule(known)
    return np.ascontiguousarray(points.T), weights / (4.0 * math.pi)


def product_grid(polar: int, azimuthal: int) -> tuple[Array, Array]:
    """Return the points of a grid of equal angles, and weights that add up to 1.

    The weights are those of Driscoll and Healy (Adv. Appl. Math. 15, 202, 1994) for points between the
    parallels.

    Args:
        polar: number of polar angles, even.
        azimuthal: number of azimuths.
    """
    half = polar // 2
    beta = (np.arange(polar) + 0.5) * (math.pi / polar)
    alpha = np.arange(azimuthal) * (2.0 * math.pi / azimuthal)
    odd = 2.0 * np.arange(half) + 1.0
    weights = np.sin(beta) * (np.sin(beta[:, None] * odd) / odd).sum(axis=1) / (half * azimuthal)
    b, a = (x.ravel() for x in np.meshgrid(beta, alpha, indexing="ij"))
    points = np.stack([np.sin(b) * np.cos(a), np.sin(b) * np.sin(a), np.cos(b)], axis=1)
    return points, np.repeat(weights, azimuthal)
