r"""The window that spreads a charge on a mesh.

:math:`\cosh(\beta\sqrt{1-x^2})/\cosh\beta` on ``[-1, 1]`` has, for a given number of mesh points, nearly the
smallest Fourier transform beyond the band that a mesh twice as fine as needed leaves free.
"""

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Mesh points that the window covers, and how many times finer than needed the mesh is. The error falls as
# exp(-π WIDTH √(1 - 1/FINER)): to about 1e-12 here.
WIDTH, FINER = 16, 2

_SHARPNESS = math.pi * WIDTH * (1.0 - 0.5 / FINER)


def window(distance: Floats, order: int) -> list[Floats]:
    """Return the window and its derivatives.

    Args:
        distance: distance from its centre, in mesh points.
        order: the highest derivative, up to 2.
    """
    x = distance * (2.0 / WIDTH)
    inside = np.abs(x) < 1.0
    root = np.sqrt(np.where(inside, 1.0 - x * x, 1.0))
    grow, fall = np.exp(_SHARPNESS * (root - 1.0)), np.exp(-_SHARPNESS * (root + 1.0))
    cosh, sinh = np.where(inside, grow + fall, 0.0), np.where(inside, grow - fall, 0.0)
    out, slope = [cosh], _SHARPNESS * sinh / root
    if order >= 1:
        out.append(-x * slope * (2.0 / WIDTH))
    if order >= 2:
        curvature = ((_SHARPNESS * x) ** 2 * cosh - slope) / (root * root)
        out.append(curvature * (2.0 / WIDTH) ** 2)
    return out


@cache
def _quadrature() -> tuple[Floats, Floats]:
    nodes, weights = np.polynomial.legendre.leggauss(96)
    return nodes, weights * (WIDTH / 2.0)


def transform(frequency: Floats) -> Floats:
    """Return the window's Fourier transform.

    Args:
        frequency: in periods per mesh point.
    """
    nodes, weights = _quadrature()
    (values,) = window(nodes * (WIDTH / 2.0), 0)
    result: Floats = np.cos(np.pi * WIDTH * np.outer(frequency, nodes)) @ (weights * values)
    return result
