"""The benchmark against DeePMD-kit: what it counts, how it compares, and that it runs; never how fast."""

import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.vs_deepmd import water
from benchmarks.vs_deepmd.aims import AIMS, reached
from benchmarks.vs_deepmd.cli import main
from benchmarks.vs_deepmd.compare import describe_model
from benchmarks.vs_deepmd.contestants import our_contestants, peer_entry, selected
from benchmarks.vs_deepmd.examples import EXAMPLES
from benchmarks.vs_deepmd.flops import work
from benchmarks.vs_deepmd.page import page
from benchmarks.vs_deepmd.peer import reason
from benchmarks.vs_deepmd.plot import plot
from benchmarks.vs_deepmd.process import Failure, Worker, cores, environment
from benchmarks.vs_deepmd.results import (
    COMPRESSED,
    PLAIN,
    Comparison,
    Deviation,
    Machine,
    Remark,
    Size,
    Start,
    Timing,
    Work,
    paired_ratio,
    read_comparison,
    write_comparison,
)
from benchmarks.vs_deepmd.tournament import deviation, rotated
from dpcore.errors import DPError
from dpcore.neighbours import neighbour_pairs
from dpcore.tree import leaves


def timing(*samples, force=1e-14):
    return Timing(1.0, samples, min(samples), 500.0, Deviation(1e-16, force, 1e-15))


def comparison():
    """Return a made-up result: 192 atoms, times in s."""
    ours = our_contestants(["numpy", "torch"], "python", Path("model.dp"))
    entries = [c.entry for c in ours if c.name in {"numpy", "torch", "torch-exact"}]
    entries += [peer_entry("pb", PLAIN), peer_entry("pb", COMPRESSED), peer_entry("dp", PLAIN)]
    timings = {
        "numpy": timing(0.04, 0.04, 0.04),
        "torch": timing(0.01, 0.03, 0.02),
        "torch-exact": timing(0.05, 0.05, 0.05),
        "peer.pb": timing(0.06, 0.15, 0.14),
        "peer.pb-compressed": timing(0.02, 0.06, 0.06),
        "peer.dp": timing(0.001, 0.001, 0.001, force=None),
    }
    return Comparison(
        date="2020-02-03T04:05:06+00:00",
        machine=Machine("a processor", "a system", 2, 16.0, {"float64": 50.0, "float32": 100.0}),
        versions={"dpcore": {"dpcore": "1.2", "dpcore-kernels": "3.4"}, "deepmd": {"numpy": "5.6"}},
        model="a model",
        neighbours=90.0,
        nets=Work(3e6, 1e6, 2e6),
        tables=Work(0.5e6, 1e6, 2e6),
        entries=tuple(entries),
        starts={entry.name: Start(1.0, 0.25, 0.5, 400.0) for entry in entries},
        sizes=(Size(192, "torch-exact", 0.5, timings),),
        commands={"dpcore": (0.3, 0.1, 0.2)},
        remarks=(Remark("peer.pt2", "an error with <tags> and [links]"),),
    )


def test_operations_by_hand():
    model = water.draw_model(water.water_cell(), type_one_side=False)
    nets, tables = work(model, 10.0, tables=False), work(model, 10.0, tables=True)
    # Layers 1-25-50-100 forward and backward, for 10 neighbours.
    assert nets.embedding == 2 * 2 * (25 + 25 * 50 + 50 * 100) * 10
    assert tables.embedding == 18 * 100 * 10
    # (100, 10) @ (10, 4), and (100, 4) @ (4, 16), each forward and by both factors.
    assert nets.descriptor == tables.descriptor == 3 * 2 * (100 * 10 * 4 + 100 * 4 * 16)
    assert nets.fitting == 2 * 2 * (1600 * 240 + 2 * 240 * 240 + 240)
    assert nets.total == nets.embedding + nets.descriptor + nets.fitting


def test_statistics_are_those_of_the_cell():
    cell = water.water_cell()
    descriptor = water.draw_model(cell, type_one_side=False).descriptor
    pairs = neighbour_pairs(cell.coord, cell.cell, 6.0)
    u = np.clip((pairs.distance - 0.5) / 5.5, 0, 1)
    radial = (1 - 10 * u**3 + 15 * u**4 - 6 * u**5) / pairs.distance
    for t in (0, 1):
        atoms = np.count_nonzero(cell.types == t)
        mean = radial[cell.types[pairs.centre] == t].sum() / (atoms * 138)
        np.testing.assert_allclose(descriptor.davg[t, :, 0], mean, rtol=1e-12)
    assert not descriptor.davg[..., 1:].any()


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_are_models_whose_parameters_all_matter(name):
    cell = water.water_cell()
    model = water.draw_model(cell, name, type_one_side=False)
    assert all(leaf.value.any() for leaf in leaves(model).values() if leaf.role == "param")
    assert f"`{name}`" in describe_model(model, name)
    assert work(model, 10.0, tables=False) is None
    assert 80.0 < water.mean_neighbours(model, cell) < 90.0
    with pytest.raises(DPError, match="one-sided"):
        water.settings(name, type_one_side=True)


def test_water_is_water():
    cell = water.copies(water.water_cell(), 1536)
    volume = np.linalg.det(cell.cell)
    assert len(cell.types) == 1536
    assert 512 * 18.015 * 1.66054 / volume == pytest.approx(0.997, abs=0.01)
    pairs = neighbour_pairs(cell.coord, cell.cell, 1.2)
    assert np.bincount(pairs.centre, minlength=1536).tolist() == [2, 1, 1] * 512
    assert not np.array_equal(
        cell.coord[:192] - cell.coord[0], cell.coord[192:384] - cell.coord[192]
    )


@pytest.mark.parametrize(
    ("count", "shape"), [(1, (1, 1, 1)), (8, (2, 2, 2)), (16, (2, 2, 4)), (7, (1, 1, 7))]
)
def test_blocks_are_as_even_as_can_be(count, shape):
    assert water.nearest_block(count) == shape


def test_ratios_are_those_of_each_round():
    # The machine is three times as slow in the second round: the ratio of medians would be 4.
    assert paired_ratio([1.0, 3.0, 1.0], [2.0, 6.0, 4.0]) == 2.0
    assert paired_ratio([1.0], [2.0, 100.0]) == 2.0


def test_aims_are_compared_with_the_fastest():
    found = comparison()
    best = reached(found, found.sizes[0], AIMS[0])
    assert best.name == "torch"
    assert best.plain == pytest.approx(6.0)
    assert best.compressed == pytest.approx(2.0)
    exact = reached(found, found.sizes[0], AIMS[1])
    assert exact.name == "torch-exact"
    assert exact.plain == pytest.approx(2.8)
    assert reached(found, found.sizes[0], AIMS[-1]) is None


def test_who_gives_no_forces_is_no_reference():
    found = comparison()
    assert found.fastest(found.sizes[0], "deepmd", PLAIN) == "peer.pb"


def test_differences():
    reference = {"energy": np.array([-8.0]), "force": np.array([0.5, 1.0]), "virial": np.ones(9)}
    other = {
        "energy": np.array([-9.0]),
        "force": np.array([0.5, 3.0]),
        "virial": np.full(9, np.nan),
    }
    assert deviation(other, reference, 2) == Deviation(0.5, 2.0, None)


def test_everybody_is_first_once():
    assert [rotated(["a", "b", "c"], k)[0] for k in range(4)] == ["a", "b", "c", "a"]
    assert rotated([], 3) == []


def test_contestants():
    names = [c.name for c in our_contestants(["numpy", "jax"], "python", Path("model.dp"))]
    assert len(names) == len(set(names)) == 10
    assert selected(names, ["jax*", "numpy-nokernels"]) == [
        "jax",
        "jax-exact",
        "jax-float32",
        "jax-exact-float32",
        "numpy-nokernels",
    ]


def test_the_last_error_is_the_reason():
    printed = (
        "\n  a.b.SomeError: not this\nTraceback\nx.OtherError: that\n\nFor more information, ask\n"
    )
    assert reason(printed, 1) == "OtherError: that"
    assert reason("nothing", 7) == "exit code 7"


def test_results_survive_a_file(tmp_path):
    write_comparison(tmp_path / "results.json", comparison())
    assert read_comparison(tmp_path / "results.json") == comparison()


def test_page_has_the_figures():
    text = page(comparison())
    assert "<!--" not in text
    assert "Measured on 2020-02-03: a processor, 2 cores" in text
    # 0.02 s for 192 atoms are 104 µs; 3.5 MFLOP in them are 34 GFLOP/s.
    assert "| dpcore `torch` | 104 | 52 | 6.00 | 2.00 | 34 | 67 % |" in text
    assert "| the best backend | **6.00** ≥ 6 | 2.00 < 2.2 |" in text
    assert "| dpcore `dp -h` | 0.20 | 0.10 |" in text
    assert r"`peer.pt2`: an error with \<tags\> and \[links\]" in text


def test_plot_names_its_lines():
    drawn = plot(comparison())
    assert drawn.startswith("<?xml")
    for name in ("torch, exact", ".pb, compressed", "DeePMD-kit", "192"):
        assert f">{name}<" in drawn


def test_a_result_is_read_and_written_as_a_page(tmp_path, capsys):
    write_comparison(tmp_path / "results.json", comparison())
    words = ["--read", str(tmp_path / "results.json"), "--write-docs", str(tmp_path)]
    assert main(words) == 0
    assert (tmp_path / "performance.md").is_file()
    assert (tmp_path / "_static" / "performance.svg").is_file()
    assert "dpcore `torch`" in capsys.readouterr().out


def test_a_small_run(tmp_path, capsys):
    """Workers start, answer and end; both evaluations agree and everything is written."""
    words = ["--no-peer", "--quick", "--rounds", "2", "--burst", "0.001", "--threads", "1"]
    words += ["--select", "numpy*-exact", "numpy-nokernels", "--out", str(tmp_path)]
    assert main(words) == 0
    found = read_comparison(tmp_path / "results.json")
    (size,) = found.sizes
    assert size.atoms == 192
    assert set(size.timings) == {"numpy-exact", "numpy-nokernels"}
    assert all(len(t.samples) == 2 and t.deviation.force < 1e-10 for t in size.timings.values())
    assert found.machine.speed["float64"] > 0
    assert "no kernels" in capsys.readouterr().out


def worker(tmp_path, python, patience, **task):
    task = {"program": "dpcore", "model": "missing.dp", "options": {}, "cores": cores(1)} | task
    return Worker(python, task, environment(1), tmp_path / "log", patience)


def test_a_worker_that_cannot_load_says_why(tmp_path):
    with pytest.raises(Failure, match=r"DPError: missing\.dp"):
        worker(tmp_path, sys.executable, 60.0)


def test_a_worker_that_is_too_slow_is_ended(tmp_path):
    with (
        worker(tmp_path, sys.executable, 0.5, program="numpy") as slow,
        pytest.raises(Failure, match=r"no answer within 0\.5 s"),
    ):
        slow.ask(multiply="float64", width=8000)


def test_a_worker_that_is_gone_is_noticed(tmp_path):
    with worker(tmp_path, sys.executable, 60.0, program="numpy") as gone:
        os.kill(gone.pid, signal.SIGKILL)
        with pytest.raises(Failure, match="ended by SIGKILL"):
            gone.ask(multiply="float64", width=8)


def test_no_such_python(tmp_path):
    with pytest.raises(Failure, match="No such file"):
        worker(tmp_path, str(tmp_path / "python"), 60.0)
