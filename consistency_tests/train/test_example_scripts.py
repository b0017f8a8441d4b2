"""DeePMD-kit's example scripts: the page that tells what became of them, and some of them on all frameworks."""

from pathlib import Path

import pytest
from harness import FRAMEWORKS

from benchmarks.example_scripts.page import page
from benchmarks.example_scripts.results import apart, read_results
from benchmarks.example_scripts.scripts import PARTS, scripts_in, shortened
from benchmarks.example_scripts.trial import laid_out, left_in
from dpcore.cli.program import main
from dpcore.errors import DPError
from dpcore.settings.read import read_input

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT.parent / "shared" / "deepmd_examples"
PAGE = ROOT / "docs" / "example_scripts.md"
RESULTS = read_results(PAGE.with_suffix(".json"))
STEPS = 3

# A small script, with keys of version 1 and types without names. The others take minutes: the page tells.
SMALL = ("fparam/train/input_aparam.json",)


def complaint(script):
    """Return what is said of a script when it is read, None where nothing is wrong with it."""
    try:
        read_input(EXAMPLES / script)
    except DPError as error:
        return str(error).removeprefix(f"{EXAMPLES / script}: ")
    return None


def test_the_page_is_of_all_scripts():
    names = scripts_in(EXAMPLES)
    assert set(RESULTS) == set(names)
    assert set(PARTS) < set(names)
    assert {part.script for parts in PARTS.values() for part in parts} < set(names)
    assert PAGE.read_text(encoding="utf-8") == page(RESULTS, names, STEPS)


@pytest.mark.parametrize("script", sorted(RESULTS))
def test_what_is_refused_is_refused(script):
    """A refusal that the page tells is still there, and nothing else is refused when the script is read."""
    ends = {result.outcome for result in RESULTS[script].values()}
    said = {
        result.message.removeprefix(f"{Path(script).name}: ")
        for result in RESULTS[script].values()
        if result.outcome == "refused"
    }
    found = complaint(script)
    assert "failed" not in ends
    assert found is None or (said, ends) == ({found}, {"refused"})


@pytest.mark.parametrize("script", SMALL)
def test_small_scripts_run_on_all_frameworks(script, tmp_path, monkeypatch):
    """They come to the same parameters, by the same gradients."""
    found = []
    for framework in FRAMEWORKS:
        path = laid_out(EXAMPLES, tmp_path / str(framework.required()), script, STEPS)
        monkeypatch.chdir(path.parent)
        assert main(["--backend", str(framework), "train", path.name]) == 0
        found.append(left_in(path.parent))
    assert {result.steps for result in found} == {STEPS}
    assert len({tuple(result.errors) for result in found}) == 1
    assert apart(found, "vector") < 1e-8
    assert max(apart(found, part) for part in found[0].marks if part != "vector") < 1e-12


def test_a_script_that_counts_epochs_counts_fewer():
    path = EXAMPLES / "water" / "se_e2_a" / "input_torch_num_epoch.json"
    told, frames = shortened(path, STEPS)["training"], 320
    assert STEPS - 1 < told["num_epoch"] * frames < STEPS
    assert "numb_steps" not in told
