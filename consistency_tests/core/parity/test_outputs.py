"""The command's exit status and what it writes: JSON, JUnit XML and a page."""

import argparse
import html
import json
import re
import sys
from html.parser import HTMLParser
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from dpcore import registry
from dpcore.backend.reference import NumpyAdapter
from dpcore.cli import parity
from dpcore.errors import DPError
from dpcore.parity import compare_file, files
from dpcore.parity.figures import MOST_POINTS, plots
from dpcore.parity.records import as_json, as_junit
from dpcore.parity.report import as_html

MODEL = Path(__file__).resolve().parents[4] / "shared" / "golden" / "se_e2_a" / "model.dp"
HOSTILE = "<script>alert('x')</script>&amp;\x07"
GROUP = "dpcore.backends"


class Fake(NumpyAdapter):
    """NumPy with changed results."""

    def __init__(self, name, change=dict):
        self.name, self.change = name, change

    def kernels(self, device):  # noqa: ARG002
        return ()

    def compile(self, function, **_options):
        def changed(model, batch):
            return self.change({k: np.array(v) for k, v in function(model, batch).items()})

        return changed


def shifted(outputs):
    return outputs | {"energy": outputs["energy"] + 0.03}


def spoilt(outputs):
    """Spoil the force of the first atom of the first type."""
    outputs["force"][0] = np.nan
    return outputs


def blank(outputs):
    return {name: values * np.nan for name, values in outputs.items()}


def crashing(_):
    raise RuntimeError(HOSTILE)


FAKES = {
    "same": Fake("same"),
    "shifted": Fake("shifted", shifted),
    "nan": Fake("nan", spoilt),
    "crash": Fake("crash", crashing),
}


@pytest.fixture
def backends(monkeypatch):
    """Let the fakes be found by their names."""
    module = ModuleType("fake_backends")
    vars(module).update(FAKES)
    monkeypatch.setitem(sys.modules, "fake_backends", module)
    points = {name: EntryPoint(name, f"fake_backends:{name}", GROUP) for name in FAKES}
    points["numpy"] = EntryPoint("numpy", "dpcore.backend.reference:adapter", GROUP)
    points["absent"] = EntryPoint("absent", "no_such_framework:adapter", GROUP)
    original = registry._points
    monkeypatch.setattr(registry, "_points", lambda g: points if g == GROUP else original(g))


def dp(*words):
    parser = argparse.ArgumentParser()
    parity.add_parser(parser.add_subparsers(), [])
    return parity.run(parser.parse_args(["parity", str(MODEL), *map(str, words)]))


@pytest.fixture(scope="module")
def result():
    return compare_file(MODEL, list(FAKES.values()))


@pytest.mark.usefixtures("backends")
@pytest.mark.parametrize(
    ("names", "status"),
    [("same", 0), ("same,numpy", 0), ("same,shifted", 1), ("nan", 1), ("crash", 1), ("absent", 1)],
)
def test_the_exit_status_tells_whether_all_agree(capsys, names, status):
    assert dp("--backends", names) == status
    printed = capsys.readouterr().out
    assert ("NOT in agreement" in printed) == bool(status)
    assert "b351f4c24d5245e107ff6c0c9a0f6427a2d88da931381e2882dd6bba9640be7d" in printed


@pytest.mark.usefixtures("backends")
def test_tolerances_on_the_command_line_decide(capsys):
    assert dp("--backends", "shifted", "--atol", "0.011") == 0
    assert dp("--backends", "shifted", "--atol", "0.009") == 1
    assert dp("--backends", "shifted", "--rtol", "0.1") == 0
    assert "1e-10 + 0.1 * largest magnitude" in capsys.readouterr().out


@pytest.mark.usefixtures("backends")
def test_all_backends_are_listed_even_those_that_are_missing(capsys):
    assert dp() == 1
    printed = capsys.readouterr().out
    assert re.search(
        r"^absent +not installed: pip install 'dpcore\[absent\]'$", printed, re.MULTILINE
    )
    assert re.search(r"^same .* yes$", printed, re.MULTILINE)
    assert "NOT in agreement: crash, nan, shifted (3 of 6 backends)." in printed


@pytest.mark.usefixtures("backends")
def test_everything_is_written(tmp_path, capsys):
    outputs = {kind: tmp_path / f"out.{kind}" for kind in ("json", "junit", "report")}
    words = [word for kind, path in outputs.items() for word in (f"--{kind}", path)]
    assert dp("--backends", "shifted", *words) == 1
    assert json.loads(outputs["json"].read_text("utf-8"))["passes"] is False
    assert ET.parse(outputs["junit"]).getroot().tag == "testsuites"
    assert outputs["report"].read_text("utf-8").startswith("<!DOCTYPE html>")
    assert sorted(tmp_path.iterdir()) == sorted(outputs.values())
    assert capsys.readouterr().out


@pytest.mark.usefixtures("backends")
@pytest.mark.parametrize("words", [("--backends", ","), ("--atol", "-1"), ("--reference", "nunpy")])
def test_wrong_options_are_errors(words):
    with pytest.raises(DPError):
        dp(*words)


def test_json_holds_what_was_found(result):
    found = json.loads(as_json(result))
    assert found["format"] == 1
    assert found["model"]["path"] == str(MODEL)
    assert (found["frames"], found["atoms"]) == (6, 126)
    assert found["tolerance"] == {"atol": 1e-10, "rtol": 0.0}
    assert [size["frames"] for size in found["systems"]] == [2, 2, 2]
    same, shifted, nan, crash = found["backends"]
    assert [b["status"] for b in found["backends"]] == ["agrees", *["disagrees"] * 2, "failed"]
    assert shifted["differences"]["energy"]["largest"] == pytest.approx(0.01)
    assert shifted["differences"]["energy"]["system"] == "generated box below the cutoff"
    assert nan["differences"]["force"]["largest"] is None
    assert nan["differences"]["force"]["agrees"] is False
    assert nan["differences"]["force"]["atom"] == 0
    assert same["seconds"]["first"] > 0
    assert crash["seconds"] is None
    assert crash["differences"] == {}


def test_junit_has_one_case_for_each_backend_and_quantity(result):
    (suite,) = ET.fromstring(as_junit(result))
    cases = {
        (c.get("classname"), c.get("name")): [e.tag for e in c] for c in suite.iter("testcase")
    }
    assert len(cases) == 12
    bad = {key: tags for key, tags in cases.items() if tags}
    names = ("energy per atom", "force", "virial per atom")
    assert bad == {
        ("parity.shifted", "energy per atom"): ["failure"],
        ("parity.nan", "force"): ["failure"],
        **{("parity.crash", name): ["error"] for name in names},
    }
    assert {key: suite.get(key) for key in ("tests", "failures", "errors", "skipped")} == {
        "tests": "12",
        "failures": "2",
        "errors": "3",
        "skipped": "0",
    }
    assert "1.0e-02 eV/atom" in suite.find(".//failure").get("message")
    assert "<script>" in suite.find(".//error").get("message")


@pytest.mark.usefixtures("backends")
def test_junit_skips_what_is_not_installed():
    (suite,) = ET.fromstring(as_junit(compare_file(MODEL)))
    assert suite.get("skipped") == "3"


class Page(HTMLParser):
    """Tags, references to other resources, and text of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.references, self.words, self.open = set(), [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag not in {"meta", "image", "use"}:
            self.open.append(tag)
        self.references += [v for k, v in attrs if k in {"src", "href", "xlink:href", "data"}]

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if self.open and self.open[-1] == tag:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def test_the_page_is_whole_and_needs_nothing_else(result):
    text = as_html(result)
    page = Page(text)
    assert not page.open
    assert page.references
    assert all(r.startswith(("#", "data:image/png;base64,")) for r in page.references)
    assert not page.tags & {"script", "link", "iframe", "object"}
    assert not re.search(r"@import|url\((?!#)", text)
    assert not re.search(r"(src|href)=.https?:", text)
    assert len(text.encode()) < 1_000_000
    assert text.count("<svg") == 3
    words = " ".join(" ".join(page.words).split())
    assert "NOT in agreement: shifted, nan, crash" in words
    assert "1.0e-02" in words
    assert words.count("not finite") == words.count("3 not finite") == 1


def test_the_page_shows_hostile_names_as_text(tmp_path):
    folder = tmp_path / "<script>alert(1)<"
    (folder / "set.000").mkdir(parents=True)
    np.save(folder / "set.000" / "coord.npy", [[0.0, 0, 0, 1.5, 0, 0]])
    (folder / "type.raw").write_text("0 1")
    (folder / "nopbc").touch()
    path = folder / "model'\"><script>.dp"
    path.write_bytes(MODEL.read_bytes())
    fakes = [Fake(HOSTILE, blank), Fake("crash", crashing)]
    found = compare_file(path, fakes, [str(folder)])
    text = as_html(found)
    page = Page(text)
    assert "script" not in page.tags
    words = " ".join(" ".join(page.words).split())
    assert str(path) in words
    assert words.count("no finite numbers") == 6
    assert "failed: RuntimeError: <script>alert('x')</script>&amp;�" in words
    assert html.escape("<script>alert(1)<") in text
    assert ET.fromstring(as_junit(found)).find(".//failure") is not None
    assert json.loads(as_json(found))["backends"][0]["name"] == HOSTILE.replace("\x07", "�")


def test_many_points_are_thinned_but_the_worst_stay(monkeypatch, result):
    monkeypatch.setattr("dpcore.parity.figures.MOST_POINTS", 50)
    from dpcore.parity import figures

    assert MOST_POINTS == 20_000
    shown = figures._points(
        result, result.backends[1], result.backends[1].differences[1].quantity, 1.0
    )
    assert len(shown.truth) == 50
    truth, found = np.zeros(1000), np.zeros(1000)
    found[[17, 830]] = 1.0, 2.0
    kept = figures._kept(truth, found)
    assert {17, 830} <= set(kept)
    assert len(set(kept)) == 50
    assert "<svg" in plots(result, result.backends[0])


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "out.json"
    files.write_text(path, "first")
    files.write_text(path, "second Å\n")
    assert path.read_bytes() == "second Å\n".encode()
    for wrong in (tmp_path, tmp_path / "none" / "out.json"):
        with pytest.raises(DPError, match="cannot write"):
            files.write_text(wrong, "")
    with pytest.raises(UnicodeEncodeError):
        files.write_text(path, "half \udc80")
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_text("utf-8") == "second Å\n"


def test_a_report_without_its_packages_names_the_remedy(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "jinja2" else name)
    with pytest.raises(DPError, match=r"report: needs jinja2: pip install 'dpcore\[plot\]'"):
        dp("--report", "out.html")
