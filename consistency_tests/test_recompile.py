"""Compiled backends compile a few times, not for every frame."""

import numpy as np
import pytest

from dpcore.infer.engine import TreeEngine
from dpcore.infer.evaluator import Evaluator
from dpcore.infer.frames import Frame
from example_models import EXAMPLES, Example
from harness import COMPILED

BY_NAME = {e.name: e for e in EXAMPLES}


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


def trajectory(nframes, *, thinning=0.0):
    """Return a liquid of 64 atoms that move by half an Ångström around their places."""
    rng = np.random.default_rng(11)
    sites = np.stack(np.meshgrid(*[np.arange(4.0)] * 3), axis=-1).reshape(-1, 3) * 2.4
    types = np.where(rng.random(64) < 0.4, 0, 1)
    coord = sites + rng.normal(0.0, 0.15, (64, 3))
    for step in range(nframes):
        coord = sites + 0.9 * (coord - sites) + rng.normal(0.0, 0.12, (64, 3))
        growth = 1.0 + thinning * step / nframes
        yield Frame(growth * coord, types, growth * 9.6 * np.eye(3))


def neighbour_counts(frame, cutoff):
    d = frame.coord[:, None] - frame.coord[None]
    d -= np.round(d / frame.cell[0, 0]) * frame.cell[0, 0]
    near = (np.linalg.norm(d, axis=-1) < cutoff) & ~np.eye(len(d), dtype=bool)
    kinds = frame.types[None, :] == np.arange(2)[:, None]
    return tuple(
        int((near[frame.types == c] & kinds[n]).sum(axis=1).max()) for c in (0, 1) for n in (0, 1)
    )


@pytest.mark.parametrize("framework", COMPILED, ids=str)
def test_a_trajectory_compiles_at_most_three_times(framework):
    model = roomy(BY_NAME["plain"])
    frames = list(trajectory(100))
    counts = {neighbour_counts(f, model.descriptor.rcut) for f in frames}
    assert len(counts) > 20, "the numbers of neighbours hardly vary"
    adapter = Counting(framework.required().adapter())
    evaluator = Evaluator(model, TreeEngine(model, adapter))
    energies = [evaluator.predict([frame])[0]["energy"][0] for frame in frames]
    assert adapter.calls == 100
    assert adapter.traces <= 3
    assert len(set(energies)) == 100


@pytest.mark.parametrize("framework", COMPILED[:1], ids=str)
def test_slow_growth_compiles_seldom(framework):
    """A system whose density falls by half needs fewer places as it goes, but no program for each."""
    model = roomy(BY_NAME["plain"])
    adapter = Counting(framework.required().adapter())
    evaluator = Evaluator(model, TreeEngine(model, adapter))
    for frame in trajectory(60, thinning=0.25):
        evaluator.predict([frame])
    assert adapter.traces <= 3


def roomy(example: Example):
    """Return a model of the example's kind whose ``sel`` never cuts."""
    from example_models import example as make

    return make(f"{example.name}_roomy", sel=(30, 40)).model
