"""The kernel of Adam against its definition."""

import numpy as np
import pytest

from dpcore_kernels import library

BETAS, EPS = (0.9, 0.99), 1e-8


def made(n, dtype, seed=0):
    """Return parameters, gradient, mean and mean square; some of the last are as small as they come."""
    rng = np.random.default_rng(seed)
    arrays = [rng.normal(size=n) for _ in range(3)]
    square = rng.uniform(size=n) * 10.0 ** rng.integers(-30, 3, n)
    return [x.astype(dtype) for x in (*arrays, square)]


def defined(arrays, kept, rate):
    x, g, m, v = (a.astype(np.longdouble) for a in arrays)
    m, v = BETAS[0] * m + (1 - BETAS[0]) * g, BETAS[1] * v + (1 - BETAS[1]) * g**2
    return x - rate * (m / (1 - kept[0])) / (np.sqrt(v / (1 - kept[1])) + EPS), m, v


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 4e-16), (np.float32, 3e-7)])
@pytest.mark.parametrize("n", [0, 1, 7, 1000, 100_003])
def test_steps(n, dtype, tolerance):
    arrays, kept = made(n, dtype), (0.9**3, 0.99**3)
    before = [x.copy() for x in arrays]
    found = library.adam.step(arrays, BETAS, kept, 0.02, EPS)
    for new, old in zip(found, defined(arrays, kept, 0.02), strict=True):
        assert new.dtype == dtype
        # Numbers of either sign are added up to parameters and means.
        scale = np.abs(old) if new is found[2] else np.maximum(np.abs(old), 1.0)
        assert (np.abs(new - old) <= 4 * tolerance * scale + 1e-45).all()
    for now, was in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(now, was)


def test_what_does_not_fit_is_refused():
    arrays = made(5, np.float64)
    for wrong in (arrays[1][:-1], arrays[1][None], np.float64(1.0)):
        with pytest.raises(ValueError, match="fit each other"):
            library.adam.step([arrays[0], wrong, *arrays[2:]], BETAS, (0.9, 0.9), 0.1, EPS)
    for wrong in (arrays[1].astype(np.float32), np.repeat(arrays[1], 2)[::2]):
        with pytest.raises(ValueError, match="contiguous"):
            library.adam.step([arrays[0], wrong, *arrays[2:]], BETAS, (0.9, 0.9), 0.1, EPS)
