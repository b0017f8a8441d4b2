"""Where systems are looked for, and how an input or a list of paths names them."""

import json
from pathlib import Path

import h5py
import pytest
import yaml

from dpcore.data import find_systems, systems_from_datafile, systems_from_input
from dpcore.errors import DPError


@pytest.fixture
def tree(tmp_path):
    """Return a folder with the systems a, a/deep/inner and b, and one folder without any."""
    for name in ("a", "a/deep/inner", "b"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "type.raw").write_text("0")
        (tmp_path / name / "set.000").mkdir()
    (tmp_path / "empty/below").mkdir(parents=True)
    return tmp_path


@pytest.fixture
def hdf5(tmp_path):
    file = tmp_path / "data.hdf5"
    with h5py.File(file, "w") as root:
        root["x/type.raw"] = [0]
        root["y/z/type.raw"] = [0]
        root["y/z/set.000/coord.npy"] = [[0.0]]
    return str(file)


def below(tree, *names):
    return [str(tree / name) for name in names]


def test_folders_are_searched(tree):
    assert find_systems(str(tree)) == below(tree, "a", "a/deep/inner", "b")
    assert find_systems(str(tree / "b")) == below(tree, "b")


def test_a_list_keeps_its_order_and_gives_each_system_once(tree):
    paths = below(tree, "b", "a/deep", "a")
    assert find_systems(paths) == below(tree, "b", "a/deep/inner", "a")


def test_links_are_followed_but_not_in_circles(tree):
    (tree / "b/up").symlink_to(tree)
    (tree / "empty/link").symlink_to(tree / "b")
    found = find_systems(str(tree / "empty"))
    assert str(tree / "empty/link") in found
    assert len(found) < 10


def test_groups_of_an_hdf5_file(hdf5):
    assert find_systems(hdf5) == [f"{hdf5}#/x", f"{hdf5}#/y/z"]
    assert find_systems(f"{hdf5}#/y") == [f"{hdf5}#/y/z"]
    assert find_systems(f"{hdf5}#/y/z") == [f"{hdf5}#/y/z"]


def test_an_hdf5_file_may_be_a_system_itself(tmp_path):
    file = tmp_path / "one.h5"
    with h5py.File(file, "w") as root:
        root["type.raw"] = [0]
    assert find_systems(str(file)) == [f"{file}#/"]


def test_nothing_found_says_where_it_looked(tree):
    with pytest.raises(DPError, match=r"empty: no system found; neither it nor anything below it"):
        find_systems([str(tree), str(tree / "empty")])
    with pytest.raises(DPError, match="nowhere: not found"):
        find_systems(str(tree / "nowhere"))
    with pytest.raises(DPError, match="the list of paths is empty"):
        find_systems([])


def test_lmdb_data_sets_are_systems(tree):
    (tree / "empty/data.mdb").touch()
    assert find_systems(str(tree / "empty")) == [str(tree / "empty")]
    assert find_systems(str(tree)) == below(tree, "a", "a/deep/inner", "b", "empty")
    with pytest.raises(DPError, match=r"x\.lmdb: not found"):
        find_systems(str(tree / "x.lmdb"))


def test_globs(tree):
    assert find_systems(str(tree / "[ab]")) == below(tree, "a", "a/deep/inner", "b")
    assert find_systems(str(tree / "**/inner")) == below(tree, "a/deep/inner")
    (tree / "b").rename(tree / "[b]")
    assert find_systems(str(tree / "[b]")) == below(tree, "[b]")
    with pytest.raises(DPError, match=r"c\*: not found; no file or folder matches"):
        find_systems(str(tree / "c*"))


def write_input(tree, settings, name="run/input.json"):
    file = tree / name
    file.parent.mkdir(exist_ok=True)
    text = json.dumps(settings) if file.suffix == ".json" else yaml.safe_dump(settings)
    file.write_text(text)
    return str(file)


def test_sections_of_an_input(tree, hdf5):
    data = {
        "training_data": {"systems": "../a"},
        "validation_data": {"systems": ["../b", f"../{Path(hdf5).name}#/x", str(tree / "a/deep")]},
    }
    for name in ("run/input.json", "run/input.yaml"):
        file = write_input(tree, {"training": data}, name)
        train = systems_from_input(file, "training_data")
        valid = systems_from_input(file, "validation_data")
        assert list(map(resolved, train)) == below(tree, "a", "a/deep/inner")
        assert list(map(resolved, valid)) == [
            str(tree / "b"),
            f"{hdf5}#/x",
            str(tree / "a/deep/inner"),
        ]


def resolved(path):
    return str(Path(path).resolve())


def test_patterns_of_an_input(tree):
    data = {"systems": str(tree), "rglob_patterns": ["deep/*", "b", "empty"]}
    file = write_input(tree, {"training": {"training_data": data}})
    assert systems_from_input(file, "training_data") == below(tree, "a/deep/inner", "b")


@pytest.mark.parametrize("wrap", [lambda flat: {"training": flat}, lambda flat: flat])
def test_flat_layouts_of_old_inputs(tree, wrap):
    file = write_input(tree, wrap({"systems": ["../b"], "set_prefix": "set"}))
    assert list(map(resolved, systems_from_input(file, "training_data"))) == below(tree, "b")
    with pytest.raises(DPError, match=r"no training\.validation_data; of data it has: systems"):
        systems_from_input(file, "validation_data")


BAD_INPUTS = [
    ({"training": {}}, "no training.training_data; of data it has: none"),
    ({"training": []}, "training is []; it must be a section"),
    ([1], "holds no settings"),
    ({"training": {"training_data": {}}}, "training_data.systems is None"),
    ({"training": {"training_data": {"systems": []}}}, "training_data.systems is []"),
    ({"training": {"training_data": {"systems": [1]}}}, "training_data.systems is [1]"),
    ({"training": {"data_dict": {"m1": {}, "m2": {}}}}, "data of several models (m1, m2)"),
    (
        {"training": {"training_data": {"systems": "../a", "rglob_patterns": "x"}}},
        "training_data.rglob_patterns is 'x'; give a list",
    ),
    (
        {"training": {"training_data": {"systems": "../a", "rglob_patterns": ["x", "y"]}}},
        "anything below it that matches x or y holds type.raw",
    ),
    (
        {"training": {"training_data": {"systems": "../a", "rglob_patterns": ["/x"]}}},
        "rglob_patterns ['/x']: ",
    ),
    (
        {"training": {"training_data": {"systems": "../a/type.raw", "rglob_patterns": ["*"]}}},
        "type.raw: not a folder; rglob_patterns search folders only",
    ),
]


@pytest.mark.parametrize(("settings", "message"), BAD_INPUTS)
def test_bad_inputs(settings, message, tree):
    with pytest.raises(DPError) as caught:
        systems_from_input(write_input(tree, settings), "training_data")
    assert message in str(caught.value)


@pytest.mark.parametrize(("name", "text"), [("i.json", '{"a": }'), ("i.yaml", "a: [1\nb: 2")])
def test_an_input_that_cannot_be_parsed(name, text, tmp_path):
    (tmp_path / name).write_text(text)
    with pytest.raises(DPError) as caught:
        systems_from_input(str(tmp_path / name), "training_data")
    assert f"{name}: not valid JSON or YAML: " in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_datafile_lists_paths(tree, hdf5, monkeypatch):
    monkeypatch.chdir(tree)
    Path("list.txt").write_text(f"\n  b  \n\n{hdf5}#/x\na/deep\n")
    assert systems_from_datafile("list.txt") == ["b", f"{hdf5}#/x", "a/deep/inner"]
    Path("blank.txt").write_text("\n \n")
    with pytest.raises(DPError, match=r"blank\.txt: lists no systems"):
        systems_from_datafile("blank.txt")
    with pytest.raises(DPError, match=r"none\.txt: cannot be read: No such file"):
        systems_from_datafile("none.txt")
