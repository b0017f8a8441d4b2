"""The switch function and the environment matrix (Zhang et al., NeurIPS 2018, arXiv:1805.09003)."""

from typing import Any

from dpcore.xp import namespace


def switch_function(distance: Any, rcut_smth: float, rcut: float) -> Any:
    """Return the weight that falls from 1 to 0 between ``rcut_smth`` and ``rcut``, smooth to second order.

    Args:
        distance: distances in Å, any shape.
        rcut_smth: where the weight begins to fall, Å.
        rcut: cutoff, Å.
    """
    xp = namespace(distance)
    u = (distance - rcut_smth) * (1.0 / (rcut - rcut_smth))
    u = xp.where(u > 0.0, xp.where(u < 1.0, u, xp.ones_like(u)), xp.zeros_like(u))
    return u * u * u * (u * (15.0 - 6.0 * u) - 10.0) + 1.0


def switch_of(displacement: Any, rcut_smth: float, rcut: float) -> Any:
    """Return the :func:`switch_function` of the lengths of vectors ``(..., 3)``, ``(..., 1)``."""
    return switch_function(_distance(displacement), rcut_smth, rcut)


def radial_part(displacement: Any, rcut_smth: float, rcut: float, protection: float) -> Any:
    """Return the first column of the :func:`environment_matrix`, ``s(r) = w(r)/r``, ``(..., 1)``, 1/Å."""
    return _radial_part(displacement, rcut_smth, rcut, protection)[0]


def environment_matrix(displacement: Any, rcut_smth: float, rcut: float, protection: float) -> Any:
    """Return the rows ``s(r) (1, d/r)`` with ``s(r) = w(r)/r``.

    Args:
        displacement: vectors to the neighbours, ``(..., 3)``, Å; of non-zero length.
        rcut_smth: where the switch function begins to fall, Å.
        rcut: cutoff, Å.
        protection: added to the distance wherever the matrix divides by it, Å.

    Returns:
        rows, ``(..., 4)``, 1/Å.
    """
    radial, inverse = _radial_part(displacement, rcut_smth, rcut, protection)
    return namespace(displacement).concat([radial, radial * inverse * displacement], axis=-1)


def _radial_part(
    displacement: Any, rcut_smth: float, rcut: float, protection: float
) -> tuple[Any, Any]:
    """Return ``s(r)`` and ``1/r``, ``(..., 1)`` each."""
    distance = _distance(displacement)
    inverse = 1.0 / (distance + protection) if protection else 1.0 / distance
    return switch_function(distance, rcut_smth, rcut) * inverse, inverse


def _distance(displacement: Any) -> Any:
    xp = namespace(displacement)
    return xp.sqrt(xp.sum(displacement * displacement, axis=-1, keepdims=True))
