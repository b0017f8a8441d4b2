"""Real harmonics of vectors."""

import math
from typing import Any

from dpcore.xp import namespace


def solid_harmonics(vectors: Any, degree: int) -> list[Any]:
    """Return the real solid harmonics of degrees 2 to ``degree`` in Racah's normalisation.

    Those of one degree l are ``2 l + 1`` homogeneous polynomials whose products for two vectors add up to
    ``|a|^l |b|^l P_l(cos)``.

    Args:
        vectors: ``(..., 3)``.
        degree: the highest degree.

    Returns:
        for each degree l from 2 on the values, ``(..., 2 l + 1)``, orders -l to l.
    """
    xp = namespace(vectors)
    x, y, z = (vectors[..., i : i + 1] for i in range(3))
    square = x * x + y * y + z * z
    below, last = {0: xp.ones_like(z)}, {-1: y, 0: z, 1: x}
    found = []
    for n in range(2, degree + 1):
        now = _sectoral(n, last, x, y)
        for m in range(1 - n, n):
            scale = 1.0 / math.sqrt(n * n - m * m)
            now[m] = ((2 * n - 1) * scale) * z * last[m]
            if abs(m) < n - 1:
                now[m] = now[m] - (math.sqrt((n - 1) ** 2 - m * m) * scale) * square * below[m]
        found.append(xp.concat([now[m] for m in range(-n, n + 1)], axis=-1))
        below, last = last, now
    return found


def spherical_harmonics(unit: Any, lmax: int) -> Any:
    """Return the harmonics of unit vectors, ``(..., (lmax + 1)²)``.

    Those of a degree are a unit vector of ``2 l + 1`` numbers.

    Args:
        unit: ``(..., 3)``.
        lmax: the highest degree.
    """
    xp = namespace(unit)
    parts = [xp.ones_like(unit[..., :1])]
    if lmax > 0:
        parts += [unit[..., 1:], unit[..., :1]]
    return xp.concat([*parts, *solid_harmonics(unit, lmax)], axis=-1)


def _sectoral(n: int, last: dict[int, Any], x: Any, y: Any) -> dict[int, Any]:
    """Return the harmonics of the lowest and highest order of a degree from those of the degree below."""
    scale = math.sqrt((2 * n - 1) / (2 * n))
    cosine, sine = last[n - 1], last[1 - n]
    return {n: scale * (x * cosine - y * sine), -n: scale * (x * sine + y * cosine)}
