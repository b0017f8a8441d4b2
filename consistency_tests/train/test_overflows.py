"""Steps in a lower precision that overflow: a few are left out, many in a row end the run."""

import numpy as np
import pytest
from harness import Backend
from tiny_runs import parameters, prepared, read_lines, write_input

from dpcore.errors import DPError
from dpcore.train.mixed_precision import Headroom

HALF = {
    "training.mixed_precision": {"compute_prec": "float16"},
    "training.numb_steps": 4,
    "training.save_freq": 1,
    "training.disp_freq": 1,
}


class Roomy(Headroom):
    """Makes all the room that there is at once."""

    def follow(self, *, finite):
        """Return to where derivatives are about 1."""
        goes_on = super().follow(finite=finite)
        self.factor = 1.0
        return goes_on


def test_the_factor():
    """It is halved at each overflow, doubled after many good steps, and never above 1."""
    room = Headroom()
    assert all(room.follow(finite=True) for _ in range(4001))
    assert room.factor == 1.0
    assert all(room.follow(finite=False) for _ in range(3))
    assert room.factor == 0.125
    assert all(room.follow(finite=True) for _ in range(1999))
    assert room.factor == 0.125
    assert room.follow(finite=True)
    assert room.factor == 0.25
    assert [room.follow(finite=False) for _ in range(10)] == [True] * 9 + [False]


@pytest.mark.parametrize("framework", [Backend.NUMPY, Backend.TORCH], ids=str)
def test_a_step_that_overflows_is_left_out(tmp_path, monkeypatch, caplog, framework):
    """Its parameters are those before it; with more room the next step is taken, as if nothing had been."""
    backend = framework.required().value
    monkeypatch.chdir(tmp_path)
    run = prepared(write_input(tmp_path, HALF), backend)
    run.loop.headroom = Roomy(1e9)
    run.go()
    assert "step 1: overflows in the lower precision and is left out" in caplog.text
    assert caplog.text.count("is left out") == 1
    first, second = parameters("model.ckpt-1.dp"), parameters("model.ckpt-2.dp")
    begun = run.subjects[0].model.fitting.nets[0].layers[0].weight
    path = "fitting.nets.0.layers.0.weight"
    assert np.array_equal(first[path], begun)
    assert not np.array_equal(first[path], second[path])
    assert [int(line.split()[0]) for line in read_lines("lcurve.out")[2:]] == [1, 2, 3, 4]
    assert np.isfinite(
        [float(w) for line in read_lines("lcurve.out")[2:] for w in line.split()]
    ).all()


def test_many_in_a_row_end_the_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = prepared(write_input(tmp_path, HALF | {"training.numb_steps": 20}))
    run.loop.headroom.factor = 1e30
    with pytest.raises(DPError, match=r"step 10: the derivative of the loss by .* is not finite"):
        run.go()


def test_a_smaller_factor_changes_rounding_alone(tmp_path, monkeypatch):
    """Derivatives are divided by it again."""
    monkeypatch.chdir(tmp_path)
    found = []
    for factor in (1.0, 0.125):
        run = prepared(write_input(tmp_path, HALF | {"training.numb_steps": 1}))
        run.loop.headroom.factor = factor
        run.go()
        found.append(run.loop.progress.state.mean)
    scale = np.abs(found[0]).max()
    np.testing.assert_allclose(found[1], found[0], rtol=0.0, atol=2e-3 * scale)
