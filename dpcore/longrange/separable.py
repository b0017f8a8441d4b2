"""Sums over products of three functions of one coordinate each, as matrix products.

Plane waves are such products, and so are the windows that spread a charge on a mesh.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

# For each axis the functions and their derivatives, ``[derivative][point, place]``.
Basis = tuple[Sequence[NDArray[Any]], Sequence[NDArray[Any]], Sequence[NDArray[Any]]]

# Which derivative along each axis: the value and the gradient, and the second derivatives.
VALUE_AND_GRADIENT = ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1))
CURVATURE = ((2, 0, 0), (0, 2, 0), (0, 0, 2), (0, 1, 1), (1, 0, 1), (1, 1, 0))


def scatter(weight: NDArray[Any], basis: Basis) -> NDArray[Any]:
    """Return the weighted sum of the points' functions, ``Σ w X ⊗ Y ⊗ Z``, ``(x, y, z)``.

    Args:
        weight: weight of each point, ``(point,)``.
        basis: the functions of each axis; their derivatives are not used.
    """
    x, y, z = (axis[0] for axis in basis)
    plane = (weight[:, None] * x)[:, :, None] * y[:, None, :]
    flat = plane.reshape(len(weight), x.shape[1] * y.shape[1]).T @ z
    return flat.reshape(x.shape[1], y.shape[1], z.shape[1])


def gather(
    coefficients: NDArray[Any], basis: Basis, derivatives: Sequence[tuple[int, int, int]]
) -> NDArray[Any]:
    """Return derivatives of ``Re Σ C X ⊗ Y ⊗ Z`` at the points, ``(point, derivative)``.

    Args:
        coefficients: ``(x, y, z)``.
        basis: the functions of each axis.
        derivatives: how often to differentiate along each axis.
    """
    x, y, z = basis
    rows = coefficients.reshape(-1, coefficients.shape[2]).T
    out = np.empty((len(x[0]), len(derivatives)))
    for along_z in sorted({d[2] for d in derivatives}):
        plane = (z[along_z] @ rows).reshape(len(z[0]), *coefficients.shape[:2])
        for along_y in sorted({d[1] for d in derivatives if d[2] == along_z}):
            line = np.einsum("pxy,py->px", plane, y[along_y])
            for i, d in enumerate(derivatives):
                if d[1:] == (along_y, along_z):
                    out[:, i] = np.einsum("px,px->p", line, x[d[0]]).real
    return out
