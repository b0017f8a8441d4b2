"""The benchmark of training against DeePMD-kit: its data, what it counts, and that it runs; never how fast."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.vs_deepmd.page import UNMEASURED, training_of
from benchmarks.vs_deepmd.results import OURS, THEIRS, Machine, Remark
from benchmarks.vs_deepmd.training import molecules as made
from benchmarks.vs_deepmd.training.cases import (
    frames_of_sizes,
    frames_of_systems,
    frames_padded,
    molecules_model,
    peer_batches,
)
from benchmarks.vs_deepmd.training.cli import main
from benchmarks.vs_deepmd.training.page import section, write_section
from benchmarks.vs_deepmd.training.results import Found, Learner, Pace, read_found, write_found
from benchmarks.vs_deepmd.training.trainer import LINE
from dpcore.settings import build_model
from dpcore.train.data import open_data
from dpcore.train.settings import TrainingData


def found():
    """Return a made-up result: times in s."""
    learners = (
        Learner("torch", OURS, "torch", "mixed:8", "npy", 8.0),
        Learner("peer.pt-npy-auto", THEIRS, "pt", "auto", "npy", 2.0),
        Learner("peer.tf-npy-8", THEIRS, "tf", "8", "npy", 8.0),
    )
    paces = {
        "torch": Pace(1.0, (0.1, 0.2, 0.1), (0.1, 0.1, 0.1), 100.0),
        "peer.pt-npy-auto": Pace(2.0, (0.1, 0.2, 0.1), (0.2, 0.2, 0.2), 200.0),
        "peer.tf-npy-8": Pace(3.0, (0.6, 1.2, 0.8), (0.3, 0.3, 0.3), 300.0),
    }
    return Found(
        case="molecules",
        date="2020-02-03T04:05:06+00:00",
        machine=Machine("a processor", "a system", 2, 16.0, {"float64": 50.0, "float32": 100.0}),
        versions={"dpcore": {"dpcore": "1.2"}},
        model="a model",
        data="some data",
        command="a command",
        steps=10,
        aim=4.0,
        learners=learners,
        paces=paces,
        remarks=(Remark("peer.jax-npy-8", "an error with <tags>"),),
    )


def test_forces_are_those_of_the_energy():
    (molecule,) = made.molecules(1, 1, least=5, most=5)
    coord, step = molecule.coord[0], 1e-5
    for atom, axis in np.ndindex(5, 3):
        moved = [coord.copy(), coord.copy()]
        moved[0][atom, axis] += step
        moved[1][atom, axis] -= step
        up, down = (made.potential(x, molecule.types)[0] for x in moved)
        assert molecule.force[0, atom, axis] == pytest.approx((down - up) / (2 * step), abs=1e-4)


def test_layouts_hold_the_same_frames(tmp_path):
    data = made.molecules(4, 3, least=3, most=9)
    paths = made.write_all(tmp_path, data)
    sums = []
    for layout in paths.values():
        systems = layout if isinstance(layout, str) else tuple(layout)
        opened = open_data(TrainingData(systems=systems, batch_size=1), made.TYPE_MAP)
        assert opened.nframes == 12
        samples = [s for source in opened.sources for s in source.samples(range(source.nframes))]
        assert all(sample.frame.cell is None for sample in samples)
        sums.append(sorted((len(s.frame.types), float(s.labels["energy"][0])) for s in samples))
    assert sums[0] == sums[1] == sums[2]


def test_the_model_has_room_for_all_neighbours():
    data = made.molecules(4, 3, least=3, most=9)
    model = build_model(molecules_model(data, "se_e2_a"), seed=1)
    assert model.selections[0].sel == tuple(made.most_neighbours(data, 6.0))
    # All atoms of a molecule that is not long are neighbours.
    most = max(np.count_nonzero(m.types == 0) - (0 in m.types) for m in data)
    assert most <= made.most_neighbours(data, 6.0)[0] <= max(len(m.types) for m in data)


def test_frames_of_a_step_by_hand():
    sizes = np.array([3, 16, 40])
    # 11, 2 and 1 frames of the 16 of each are a step: 2, 8 and 16 steps.
    assert frames_of_systems("auto", sizes) == 48 / 26
    assert frames_of_systems(8, sizes) == 8.0
    # Three of 2 atoms, one of 4: steps of at most 2 frames of a size.
    assert frames_of_sizes(2, np.array([2, 2, 2, 4])) == 4 / 3
    # (2, 2, 2), and (4, 4): a third frame would make it twelve atoms.
    assert frames_padded(8, np.array([2, 4, 2, 2, 4])) == 5 / 2
    assert [layout for layout, *_ in peer_batches("tf", sizes, 8, "se_atten")] == [
        *["npy"] * 3,
        "mixed",
        "npy",
    ]


def test_ratios_are_those_of_frames():
    made_up = found()
    ours, auto, same = made_up.learners
    assert [learner.name for learner in made_up.measured] == [
        "torch",
        "peer.pt-npy-auto",
        "peer.tf-npy-8",
    ]
    assert made_up.fastest() == auto
    assert made_up.fastest(8.0) == same
    assert made_up.ratio(ours, auto) == made_up.reached == 4.0
    assert made_up.ratio(ours, same) == pytest.approx(6.0)


def test_the_section_has_the_figures(tmp_path):
    text = section(found())
    assert "| dpcore `torch`, npy, `mixed:8` | 0.1 | 0.1 | 8.0 | 12.50 | 4.00 | 6.00 |" in text
    assert "4.00 ≥ 4 that is aimed at" in text
    assert r"`peer.jax-npy-8`: an error with \<tags\>" in text
    page = tmp_path / "performance.md"
    page.write_text(f"# Page\n\n## Training\n\n{UNMEASURED}\n\n## Next\n", encoding="utf-8")
    write_section(found(), page)
    write_section(replace(found(), case="water", data="liquid"), page)
    written = page.read_text(encoding="utf-8")
    assert "Not measured." not in written
    assert written.endswith("\n\n## Next\n")
    kept = training_of(written)
    assert kept.startswith("### Water\n\nMeasured on 2020-02-03")
    assert kept.index("Data: liquid") < kept.index("### Small molecules") < kept.index("some data")


def test_results_survive_a_file(tmp_path):
    write_found(tmp_path / "results.json", found())
    assert read_found(tmp_path / "results.json") == found()


def test_lines_of_both_programs_say_how_far_a_run_is():
    ours = "step 20: trn rmse=9.60e+01, lr 1.0e-03, 0.121 s/step, 0:56:38 left"
    theirs = "Batch     900: total wall time = 41.69 s, eta = 0:07:38 at 2026-11-21 19:54"
    assert [LINE.search(line)[1] for line in (ours, theirs)] == ["20", "900"]
    assert LINE.search("Batch     900: trn: rmse = 8.68e-01, lr = 9.89e-06") is None


def test_a_small_run(tmp_path, capsys):
    """A run stops after each step, goes on when it is told to, and everything is written."""
    words = ["--no-peer", "--case", "molecules", "--select", "numpy", "--frames", "2"]
    words += ["--steps", "1", "--rounds", "2", "--warm-up", "1", "--threads", "1"]
    assert main([*words, "--out", str(tmp_path)]) == 0
    result = read_found(tmp_path / "molecules" / "results.json")
    assert len(result.paces["numpy"].samples) == 2
    assert result.learners[0].frames == 2.0
    assert "| dpcore `numpy`, npy, `mixed:2` |" in capsys.readouterr().out


def test_water_without_its_systems(tmp_path, capsys):
    (tmp_path / "input.json").write_text('{"training": {"training_data": {"systems": ["a/b/"]}}}')
    words = ["--no-peer", "--input", str(tmp_path / "input.json"), "--data", str(tmp_path)]
    assert main([*words, "--out", str(tmp_path / "out")]) == 1
    assert "no system b" in capsys.readouterr().err
