"""Neighbours counted in data: by hand, by brute force, and put into model sections."""

import math

import numpy as np
import pytest
from made_data import Made, frames_of, write_system

from dpcore.cli import main
from dpcore.errors import DPError
from dpcore.formats import Document
from dpcore.frames import Frame
from dpcore.registry import format_of
from dpcore.settings import build_model, normalized
from dpcore.train.statistics import neighbour_statistics, with_auto_sel

CELL = np.array([[5.0, 0.0, 0.0], [1.0, 4.5, 0.0], [-0.5, 0.5, 5.5]])
IMAGES = np.stack(np.meshgrid(*[np.arange(-3, 4)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)


def random_frames(count=3, natoms=9, periodic=True):
    rng = np.random.default_rng(2)
    coord = rng.random((count, natoms, 3)) @ CELL
    return frames_of(coord, rng.integers(0, 3, natoms), CELL if periodic else None)


def brute_force(frames, cutoff, ntypes):
    """Return the shortest distance and the most neighbours of each type and of all."""
    shortest, by_type, total = math.inf, np.zeros(ntypes, int), 0
    for frame in frames:
        shifts = np.zeros((1, 3)) if frame.cell is None else IMAGES @ frame.cell
        for atom, here in enumerate(frame.coord):
            away = np.linalg.norm(frame.coord[:, None] + shifts - here, axis=-1)
            away[atom, np.flatnonzero(~shifts.any(axis=1))[0]] = math.inf
            shortest = min(shortest, away.min())
            near = np.count_nonzero(away < cutoff, axis=1)
            found = np.bincount(frame.types, weights=near, minlength=ntypes).astype(int)
            by_type, total = np.maximum(by_type, found), max(total, found.sum())
    return shortest, by_type.tolist(), total


@pytest.mark.parametrize("periodic", [True, False])
def test_counts_are_those_of_brute_force(periodic):
    frames = random_frames(periodic=periodic)
    found = neighbour_statistics([Made("a", frames[:1]), Made("b", frames[1:])], [3.0, 6.0], 3)
    for cutoff, crowd in found.crowds.items():
        shortest, by_type, total = brute_force(frames, cutoff, 3)
        assert found.shortest == pytest.approx(shortest, rel=1e-12)
        assert crowd.by_type.tolist() == by_type
        assert crowd.total == total


def test_a_lone_atom_is_named():
    frames = frames_of([[[0, 0, 0], [0, 0, 1], [9, 0, 0]]], [0, 1, 1])
    found = neighbour_statistics([Made("data", frames)], [2.0], 2)
    assert (found.shortest, found.alone) == (1.0, "data: frame 0, atom 2")
    assert found.crowds[2.0].by_type.tolist() == [1, 1]


def test_frames_of_all_sizes():
    frames = [
        Frame(np.zeros((0, 3)), np.zeros(0, np.int64)),
        Frame(np.zeros((1, 3)), np.array([0])),
        Frame(np.eye(3), np.array([0, 1, 1])),
    ]
    found = neighbour_statistics([Made("data", frames)], [2.0], 2)
    assert found.shortest == pytest.approx(2**0.5)
    assert found.crowds[2.0].by_type.tolist() == [1, 2]


def test_overlapping_atoms_are_named():
    frames = frames_of([[[0, 0, 0], [1, 0, 0]], [[2, 2, 2], [2, 2, 2]]], [0, 1])
    with pytest.raises(DPError, match=r"^water: frame 1: atoms 0 and 1 are at the same place"):
        neighbour_statistics([Made("water", frames)], [2.0], 2)


# A centre (0) with three neighbours (1) at 1 Å and one more (1) at 2.5 Å; all see each other within 4 Å.
STAR = [[0, 0, 0], [1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, 0, 2.5]]


def star():
    return [Made("star", frames_of([STAR], [0, 1, 1, 1, 1]))]


def section(descriptor, type_map=("A", "B"), **settings):
    described = {"type_map": list(type_map), "descriptor": descriptor, "fitting_net": {}}
    return normalized(described | settings)


def filled(descriptor, **settings):
    return with_auto_sel(section(descriptor, **settings), star()).settings["descriptor"]


def test_open_numbers_of_types():
    near = {"type": "se_e2_a", "rcut": 2.0}
    # Up to 1 neighbour A and 3 neighbours B within 2 Å: 1.1 and 3.3, rounded up to fours.
    assert filled(near)["sel"] == [4, 4]
    assert filled({**near, "sel": "auto:2.1"})["sel"] == [4, 8]
    assert filled({**near, "sel": [1, 7]})["sel"] == [1, 7]
    assert filled({"type": "se_e2_a", "rcut": 4.0, "sel": "auto:1.5"})["sel"] == [4, 8]


def test_numbers_beyond_a_multiple_of_four():
    grid = np.stack(np.meshgrid(*[np.arange(3.0)] * 3), axis=-1).reshape(1, -1, 3)
    source = Made("grid", frames_of(grid, [0] * 27))
    given = section({"type": "se_e2_r", "rcut": 9.0}, ["A"])
    # 26 neighbours: 28.6 is cut to 28, as DeePMD-kit does.
    assert with_auto_sel(given, [source]).settings["descriptor"]["sel"] == [28]


def test_open_numbers_of_all_types_together():
    assert filled({"type": "se_atten", "rcut": 2.0, "sel": "auto:1.7"})["sel"] == 8
    hybrid = {"type": "se_atten", "rcut": 4.0, "sel": "auto"}, {"type": "se_e2_a", "rcut": 2.0}
    found = filled({"type": "hybrid", "list": list(hybrid)})
    assert [child["sel"] for child in found["list"]] == [4, [4, 4]]
    assert filled({"type": "dpa4", "sel": "auto", "rcut": 2.0})["sel"] == 4


def test_open_numbers_of_sections_inside():
    told = {"rcut": 4.0, "rcut_smth": 1.0, "nsel": "auto:1.3"}
    inside = {"type": "dpa2", "repinit": told, "repformer": {**told, "rcut": 2.0}}
    found = filled(inside)
    assert (found["repinit"]["nsel"], found["repformer"]["nsel"]) == (8, 4)
    flow = {"e_rcut": 4.0, "e_rcut_smth": 3.0, "e_sel": "auto:1.3"}
    flow |= {"a_rcut": 2.0, "a_rcut_smth": 1.0, "a_sel": "auto"}
    found = filled({"type": "dpa3", "repflow": flow})["repflow"]
    assert (found["e_sel"], found["a_sel"]) == (8, 4)


def test_open_numbers_of_a_model_with_other_types():
    near = {"descriptor": {"type": "se_e2_a", "rcut": 4.0, "sel": "auto:1.5"}, "fitting_net": {}}
    whole = {"type": "linear_ener", "type_map": ["A", "B"], "weights": "sum"}
    whole["models"] = [{**near, "type_map": ["B", "C", "A"]}, near]
    found = with_auto_sel(normalized(whole), star()).settings["models"]
    assert [part["descriptor"]["sel"] for part in found] == [[8, 0, 4], [4, 8]]


def test_virtual_atoms_have_places():
    spin = {"use_spin": [True, False], "virtual_scale": [0.3]}
    found = filled({"type": "se_e2_a", "rcut": 4.0, "sel": "auto:1"}, spin=spin)
    assert found["sel"] == [4, 8]
    assert filled({"type": "se_atten", "rcut": 4.0, "sel": "auto:1"}, spin=spin)["sel"] == 12


def test_the_filled_section_is_built():
    found = with_auto_sel(section({"type": "se_e2_a", "rcut": 2.0, "neuron": [4]}), star())
    assert found.shortest == 1.0
    assert build_model(found.settings, seed=1).descriptor.sel == (4, 4)


def test_small_numbers_are_warned_of(caplog):
    filled({"type": "se_e2_a", "rcut": 4.0, "sel": [1, 3]})
    assert "model.descriptor.sel" in caplog.text
    caplog.clear()
    filled({"type": "se_e2_a", "rcut": 4.0, "sel": [0, 4]})
    assert not caplog.text


def test_atoms_far_apart(caplog):
    source = Made("far", frames_of([[[0, 0, 0], [9, 0, 0]]], [0, 1]))
    found = with_auto_sel(section({"type": "se_e2_a", "rcut": 2.0, "sel": [1, 1]}), [source])
    assert found.shortest is None
    assert "far: frame 0, atom 0: has no neighbour" in caplog.text


def test_command(tmp_path, capsys):
    write_system(tmp_path / "star", frames_of([STAR], [0, 1, 1, 1, 1]), ["A", "B"], {})
    call = ["neighbor-stat", "-s", str(tmp_path), "-r", "2.0"]

    def said(*words):
        assert main([*call, *words]) == 0
        return capsys.readouterr().out.splitlines()

    assert said("-t", "A", "B") == ["min_nbor_dist: 1.000000", "max_nbor_size: [1, 3]"]
    assert said("-t", "B", "C", "A")[1] == "max_nbor_size: [3, 0, 1]"
    assert said()[0] == "type_map: A B"
    assert said("--mixed-type") == ["min_nbor_dist: 1.000000", "max_nbor_size: [3]"]


def test_command_refuses(tmp_path, capsys):
    frames = frames_of([STAR], [0, 1, 1, 1, 1])
    write_system(tmp_path / "star", frames, ["A", "B"], {})

    def complaint(*words):
        assert main(["neighbor-stat", "-s", str(tmp_path), *words]) == 1
        return capsys.readouterr().err

    assert "no two atoms are within 0.5 Å; take a larger -r" in complaint("-r", "0.5")
    assert "atoms of B" in complaint("-r", "2", "-t", "A")
    write_system(tmp_path / "other", frames, ["A", "B"], {})
    (tmp_path / "star" / "type_map.raw").unlink()
    assert "star: does not name its types" in complaint("-r", "2")
    assert main(["neighbor-stat", "-s", str(tmp_path), "-r", "2", "-t", "A", "B"]) == 0


def test_types_without_names(tmp_path, capsys):
    """Data of numbered types alone are as good as others, where no names contradict them."""
    for name in ("star", "other"):
        write_system(tmp_path / name, frames_of([STAR], [0, 1, 1, 1, 1]), ["A", "B"], {})
        (tmp_path / name / "type_map.raw").unlink()
    assert main(["neighbor-stat", "-s", str(tmp_path), "-r", "2"]) == 0
    said = capsys.readouterr()
    assert said.out.splitlines()[0] == "type_map: Type_0 Type_1"
    assert "they are called Type_0 Type_1" in said.err


def test_the_shortest_distance_goes_along(tmp_path, capsys):
    """A model keeps the shortest distance of its training data, down to which its tables reach."""
    told = {"type": "se_e2_a", "sel": [4, 4], "rcut": 4.0, "neuron": [4]}
    model = build_model({"type_map": ["A", "B"], "descriptor": told, "fitting_net": {}}, seed=1)
    document = Document(model, {"min_nbor_dist": 0.875})
    files = [tmp_path / name for name in ("model.dp", "model.yaml", "again.dp")]
    for file in files:
        format_of(file).write(file, document)
        document = format_of(file).read(file)
        assert document.provenance["min_nbor_dist"] == 0.875
    call = ["compress", "-i", str(files[0]), "-o", str(tmp_path / "c.dp"), "--step", "0.1"]
    assert main(call) == 0
    assert "down to 0.875 Å" in capsys.readouterr().out
