"""The coupling of vectors and harmonics: how degree l comes out of the degrees 1 and l - 1."""

import math

import numpy as np
from numpy.typing import NDArray


def real_from_complex(degree: int) -> NDArray[np.complex128]:
    """Return the unitary matrix from the complex harmonics of a degree to the real ones.

    The complex ones have the Condon-Shortley phase, the real ones have not: for m > 0 they are √2 times
    the imaginary part (order -m) and the real part (order m), without their sign (-1)^m.
    """
    matrix = np.zeros((2 * degree + 1, 2 * degree + 1), np.complex128)
    matrix[degree, degree] = 1.0
    for m in range(1, degree + 1):
        sign, up, down = (-1.0) ** m, degree + m, degree - m
        matrix[up, [up, down]] = sign * math.sqrt(0.5), math.sqrt(0.5)
        matrix[down, [up, down]] = -1j * sign * math.sqrt(0.5), 1j * math.sqrt(0.5)
    return matrix


def stretched(degree: int) -> NDArray[np.float64]:
    """Return the coupling of degree 1 and degree l - 1 to degree l among real harmonics.

    The columns are orthonormal: ``W_l = Bᵀ (W_1 ⊗ W_{l-1}) B`` are the rotations of degree l. The
    Clebsch-Gordan coefficients of the highest degree are square roots of ratios of binomial coefficients
    (Varshalovich et al., Quantum Theory of Angular Momentum, section 8.5).

    Args:
        degree: l, at least 1.

    Returns:
        B, ``(3 (2 l - 1), 2 l + 1)``; its rows are pairs of orders, that of degree l - 1 running faster.
    """
    below = degree - 1
    complex_ = np.zeros((3, 2 * below + 1, 2 * degree + 1))
    for m1 in (-1, 0, 1):
        for m2 in range(-below, below + 1):
            weight = math.comb(2, 1 + m1) * math.comb(2 * below, below + m2)
            ratio = weight / math.comb(2 * degree, degree + m1 + m2)
            complex_[1 + m1, below + m2, degree + m1 + m2] = math.sqrt(ratio)
    real = np.einsum(
        "am,bn,mnp,cp->abc",
        real_from_complex(1),
        real_from_complex(below),
        complex_,
        real_from_complex(degree).conj(),
        optimize=True,
    )
    return np.ascontiguousarray(real.real.reshape(-1, 2 * degree + 1))
