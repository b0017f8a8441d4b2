"""The kernel of forces and virials against sums written out."""

import numpy as np
import pytest

from dpcore_kernels import library

WIDTHS = [(3, 5), (0, 2), (7, 0)]


def problem(seed, centres, atoms, dtype=np.float64):
    """Return blocks of two kinds for groups of centres, with garbage in the padding."""
    rng = np.random.default_rng(seed)
    layout, count, index, displacement, slope, first = [], [], [], [], [], 0
    for n, widths in zip(centres, WIDTHS, strict=False):
        for width in widths:
            layout.append((n, width, 0, first))
            count.append(rng.integers(0, width + 1, n))
            index.append(rng.integers(0, atoms, (n, width)))
            real = (np.arange(width) < count[-1][:, None])[..., None]
            for parts in (displacement, slope):
                drawn = rng.normal(size=(n, width, 3))
                parts.append(np.where(real, drawn, np.nan).reshape(-1, 3).astype(dtype))
        first += n
    place = rng.permutation(atoms)[:first]
    edges = [np.concatenate(parts) for parts in (displacement, slope)]
    return np.array(layout, np.int64), count, index, place, *edges


def written_out(layout, count, index, place, displacement, slope, atoms):
    force, virial, edge = np.zeros((atoms, 3)), np.zeros((atoms, 9)), 0
    for (n, width, _, first), counts, indices in zip(layout, count, index, strict=True):
        for i in range(n):
            for k in range(counts[i]):
                g, d = slope[edge + i * width + k], displacement[edge + i * width + k]
                force[place[first + i]] += g
                force[indices[i, k]] -= g
                virial[indices[i, k]] -= np.outer(g, d).ravel()
        edge += n * width
    return force, virial


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("centres", "atoms"), [((4, 3), 9), ((1, 0, 5), 30), ((200, 90, 80), 400)])
def test_sums(centres, atoms, dtype):
    layout, count, index, place, displacement, slope = problem(1, centres, atoms, dtype)
    found = library.forces.forces(layout, count, index, place, atoms, displacement, slope)
    expected = written_out(layout, count, index, place, displacement, slope, atoms)
    for new, old in zip(found, expected, strict=True):
        assert new.dtype == dtype
        np.testing.assert_allclose(new, old, rtol=0, atol=50 * np.finfo(dtype).eps)


def test_total_force_vanishes():
    layout, count, index, place, displacement, slope = problem(2, (200, 90, 80), 500)
    force, _ = library.forces.forces(layout, count, index, place, 500, displacement, slope)
    assert np.abs(force).max() > 1.0
    assert np.abs(force.sum(axis=0)).max() < 1e-12


def test_atoms_without_edges_feel_nothing():
    layout, count, index, place, displacement, slope = problem(3, (4,), 6)
    count = [np.zeros_like(c) for c in count]
    force, virial = library.forces.forces(layout, count, index, place, 6, displacement, slope)
    assert not force.any()
    assert not virial.any()


def test_another_layout_of_memory_is_refused():
    layout, count, index, place, displacement, slope = problem(4, (4,), 6)
    with pytest.raises(ValueError, match="contiguous array of float64"):
        library.forces.forces(layout, count, index, place, 6, displacement, slope[::-1])
    with pytest.raises(ValueError, match="contiguous array of int64"):
        library.forces.forces(
            layout, [c.astype(np.int32) for c in count], index, place, 6, displacement, slope
        )
