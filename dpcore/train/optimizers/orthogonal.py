"""Matrices made orthogonal: all their singular values brought to one.

An iteration on the matrix alone, ``X ← a X + (b A + c A²) X`` with ``A = X Xᵀ``, does it, from a matrix of
norm one (Bernstein & Newhouse, arXiv:2409.20325). A recipe says with which coefficients. Iterations run in the
precision of the parameters, so that all backends agree; DeePMD-kit's run in half precision.
"""

from dataclasses import dataclass
from typing import Any

from dpcore.xp import namespace, shape

Coefficients = tuple[float, float, float]


@dataclass(frozen=True)
class Recipe:
    """How matrices are made orthogonal.

    Attributes:
        steps: coefficients (a, b, c) of each iteration.
        least: smallest norm that a matrix is divided by.
        added: whether that is added to its norm instead.
    """

    steps: tuple[Coefficients, ...]
    least: float
    added: bool = False


# Jordan's, by which singular values jump about one: https://kellerjordan.github.io/posts/muon
_FAST: Coefficients = (3.4445, -4.7750, 2.0315)
FIVE_STEPS = Recipe((_FAST,) * 5, 1e-8)

# The same, and then two steps by which they settle at one.
SETTLED = Recipe((_FAST,) * 8 + ((2.0, -1.5, 0.5),) * 2, 1e-7)

# The best for every step (Amsel et al., arXiv:2505.16932), with a margin for rounding.
_POLAR = (
    (8.28721201814563, -23.595886519098837, 17.300387312530933),
    (4.107059111542203, -2.9478499167379106, 0.5448431082926601),
    (3.9486908534822946, -2.908902115962949, 0.5518191394370137),
    (3.3184196573706015, -2.488488024314874, 0.51004894012372),
    (2.300652019954817, -1.6689039845747493, 0.4188073119525673),
)
_MARGIN = 1.05
POLAR = Recipe(
    tuple((a / _MARGIN, b / _MARGIN**3, c / _MARGIN**5) for a, b, c in _POLAR), 1e-7, added=True
)


def orthogonal(matrices: Any, recipe: Recipe) -> Any:
    """Return matrices with singular values about one.

    Args:
        matrices: the matrices, ``(matrix, row, column)``.
        recipe: how it is done.
    """
    xp, (_, rows, columns) = namespace(matrices), shape(matrices)
    x = xp.permute_dims(matrices, (0, 2, 1)) if rows > columns else matrices
    norm = lengths(x)[:, None, None]
    x = x / (norm + recipe.least if recipe.added else _at_least(norm, recipe.least))
    for a, b, c in recipe.steps:
        gram = xp.matmul(x, xp.permute_dims(x, (0, 2, 1)))
        x = a * x + xp.matmul(b * gram + c * xp.matmul(gram, gram), x)
    return xp.permute_dims(x, (0, 2, 1)) if rows > columns else x


def lengths(matrices: Any) -> Any:
    """Return the root of the sum of the squares of each matrix, ``(matrix,)``."""
    xp = namespace(matrices)
    return xp.sqrt(xp.sum(matrices * matrices, axis=(1, 2)))


def _at_least(x: Any, least: float) -> Any:
    xp = namespace(x)
    return xp.maximum(x, xp.zeros_like(x) + least)
