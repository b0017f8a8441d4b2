"""Compiled backends compile a few times, not for every frame."""

import numpy as np
import pytest
from example_models import example
from harness import COMPILED, Backend

from dpcore.batch import blocks
from dpcore.frames import Frame
from dpcore.infer.assemble import assemble
from dpcore.infer.engine import TreeEngine
from dpcore.infer.evaluator import Evaluator
from dpcore.neighbours.selection import Selection
from dpcore.neighbours.sizes import FewSizes, RecurringSizes


class Counting:
    """An adapter that counts how often a function is traced, which is once for each compilation."""

    def __init__(self, adapter):
        self._adapter, self.traces, self.calls = adapter, 0, 0

    def __getattr__(self, name):
        return getattr(self._adapter, name)

    def compile(self, function, *, requested=None):
        def traced(model, batch):
            self.traces += 1
            return function(model, batch)

        compiled = self._adapter.compile(traced, requested=requested)

        def called(model, batch):
            self.calls += 1
            return compiled(model, batch)

        return called


def trajectory(nframes, *, spacing=2.4, start=0.5, spread=0.28, thinning=0.0, seed=11):
    """Return 64 atoms that move around the sites of a lattice, each frame a little.

    Args:
        nframes: number of frames.
        spacing: distance of the sites, Å.
        start: how far atoms are from their sites in the first frame, in units of ``spread``.
        spread: how far they are after a while, Å.
        thinning: relative growth of the cell.
        seed: of the random numbers.
    """
    rng = np.random.default_rng(seed)
    sites = np.stack(np.meshgrid(*[np.arange(4.0)] * 3), axis=-1).reshape(-1, 3) * spacing
    types = np.where(rng.random(64) < 0.4, 0, 1)
    away = rng.normal(0.0, start * spread, (64, 3))
    for step in range(nframes):
        away = 0.9 * away + rng.normal(0.0, spread * np.sqrt(1.0 - 0.9**2), (64, 3))
        growth = 1.0 + thinning * step / nframes
        yield Frame(growth * (sites + away), types, growth * 4 * spacing * np.eye(3))


def neighbour_counts(frame, cutoff):
    """Return the largest number of neighbours by the types of both."""
    d = frame.coord[:, None] - frame.coord[None]
    d -= np.round(d / frame.cell[0, 0]) * frame.cell[0, 0]
    near = (np.linalg.norm(d, axis=-1) < cutoff) & ~np.eye(len(d), dtype=bool)
    kinds = frame.types[None, :] == np.arange(2)[:, None]
    return tuple(
        int((near[frame.types == c] & kinds[n]).sum(axis=1).max()) for c in (0, 1) for n in (0, 1)
    )


# Its sel never cuts.
MODEL = example("roomy", sel=(30, 40)).model


@pytest.mark.parametrize(
    ("framework", "compiled"),
    [(Backend.JAX, None), (Backend.TENSORFLOW, None), (Backend.TORCH, True)],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_a_trajectory_compiles_at_most_three_times(framework, compiled):
    frames = list(trajectory(200))
    counts = {neighbour_counts(f, MODEL.descriptor.rcut) for f in frames}
    assert len(counts) > 20, "the numbers of neighbours hardly vary"
    adapter = Counting(framework.required().adapter())
    evaluator = Evaluator(MODEL, TreeEngine(MODEL, adapter, compiled=compiled))
    energies = [evaluator.predict([frame])[0]["energy"][0] for frame in frames]
    assert adapter.calls == 200
    assert 1 <= adapter.traces <= 3
    if compiled:
        # What is traced once may still be compiled again for other sizes.
        from torch._dynamo.utils import counters

        assert 1 <= counters["stats"]["unique_graphs"] <= 3
    assert len(set(energies)) == 200


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("spacing", "cutoff"), [(2.4, 3.2), (2.15, 4.0)], ids=["sparse", "dense"])
def test_few_shapes_occur(spacing, cutoff, seed):
    """What is compiled for: the shapes of the batches of a trajectory."""
    selection, sizes, shapes = Selection(cutoff, (100, 200)), RecurringSizes(), set()
    for frame in trajectory(60, spacing=spacing, start=1.0, seed=seed):
        batch = next(assemble([frame], [selection], sizes).batches(centres=10_000))
        shapes.add(tuple(b.index.shape for b in blocks(batch)))
    assert len(shapes) <= 3


@pytest.mark.parametrize("framework", COMPILED[:1], ids=str)
def test_slow_growth_compiles_seldom(framework):
    """A system whose density falls by half needs fewer places as it goes, but no program for each."""
    adapter = Counting(framework.required().adapter())
    evaluator = Evaluator(MODEL, TreeEngine(MODEL, adapter))
    for frame in trajectory(60, start=1.0, thinning=0.25):
        evaluator.predict([frame])
    assert adapter.traces <= 3


@pytest.mark.parametrize("together", [1, 12])
def test_batches_of_all_sizes_have_few_shapes(together):
    """What a training compiles for whose steps have molecules of 3 to 30 atoms of some of three types."""
    rng, sizes, shapes = np.random.default_rng(1), FewSizes(), []
    numbers = [rng.multinomial(n, (0.6, 0.3, 0.1)) for n in rng.integers(3, 31, 40)]
    frames = [
        Frame(rng.uniform(0, 1.5 * sum(n) ** (1 / 3), (sum(n), 3)), np.repeat(range(3), n))
        for n in numbers
    ]
    for _ in range(400):
        drawn = [frames[i] for i in rng.integers(len(frames), size=together)]
        found = assemble(drawn, [Selection(2.5, (30, 30, 30))], sizes)
        batch = next(found.batches(centres=10_000))
        shapes.append((len(batch.frame), *(b.index.shape for b in blocks(batch))))
        real = sum(int(block.count.sum()) for block in blocks(batch))
        assert real == sum(found.edges[0].count.sum(axis=1))
    assert len(set(shapes)) <= 15
    assert len(set(shapes[200:]) - set(shapes[:200])) <= 4
