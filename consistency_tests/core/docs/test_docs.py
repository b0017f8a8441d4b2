"""What the pages say exists: commands, links, extras, suffixes, and the example of the README."""

import re
import shlex
import shutil
import tomllib
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from dpcore.cli.arguments import COMMANDS, build_parser

ROOT = Path(__file__).parents[3]
README = ROOT / "README.md"
TOP = [README, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]
PAGES = [*TOP, *sorted((ROOT / "docs").glob("*.md"))]
EVERY = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def text_of(page):
    return page.read_text(encoding="utf-8")


def blocks(page, language):
    """Return the fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text_of(page), re.DOTALL | re.MULTILINE)


def shell_lines(page):
    joined = "".join(blocks(page, "sh")).replace("\\\n", " ")
    inline = re.findall(r"`((?:dp|pip) [^`]+)`", text_of(page))
    return [*joined.splitlines(), *inline]


def own_commands(page):
    """Return what follows ``dp`` in every command of ours that a page shows."""
    run = re.findall(r"^```\{dp\} (.*)$", text_of(page), re.MULTILINE)
    typed = [line for line in shell_lines(page) if line.startswith("dp ")]
    return run + [line[3:] for line in typed if "DeePMD-kit" not in line]


def test_commands_are_found():
    shown = {words.split()[0] for page in PAGES for words in own_commands(page)}
    assert {command.name for command in COMMANDS} <= shown


def understood(words):
    """Return whether the program understands a command; one that is only named needs no arguments."""
    if len(words) == 1 and not words[0].startswith("-"):
        return words[0] in {command.name for command in COMMANDS}
    try:
        build_parser().parse_args(words)
    except SystemExit as error:
        return error.code == 0
    return True


def test_a_wrong_command_is_not_understood():
    assert understood(["show", "model.dp"])
    assert not understood(["shew"])
    assert not understood(["show", "model.dp", "colour"])


@EVERY
def test_commands_are_understood(page):
    for line in own_commands(page):
        assert understood(shlex.split(line, comments=True)), line


@EVERY
def test_extras_exist(page):
    project = tomllib.loads(text_of(ROOT / "pyproject.toml"))["project"]
    for line in shell_lines(page):
        for names in re.findall(r"\[([a-z,]+)\]'", line):
            assert set(names.split(",")) <= project["optional-dependencies"].keys(), line


@pytest.mark.parametrize("page", TOP, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text_of(page)):
        assert link.startswith("https://") or (page.parent / link).exists(), link


@pytest.mark.parametrize("page", PAGES[3:], ids=lambda page: page.name)
def test_python_is_written_as_doctests(page):
    assert not blocks(page, "python")


@pytest.mark.parametrize("page", [README, ROOT / "docs" / "convert.md"], ids=lambda p: p.name)
def test_every_suffix_is_explained(page):
    for point in entry_points(group="dpcore.formats"):
        if point.name != "yml" or page != README:
            assert f"`.{point.name}`" in text_of(page)


def test_readme_is_short():
    assert len(text_of(README).splitlines()) < 150


def test_readme_example_prints_what_it_says(tmp_path, monkeypatch, capsys):
    water = ROOT / "examples" / "water"
    shutil.copy(water / "model.dp", tmp_path)
    shutil.copytree(water / "data", tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    (example,) = blocks(README, "python")
    exec(compile(example, str(README), "exec"), {})
    said = re.search(r"print\(.*\) +# ((?:\([\d, ]+\) ?)+)", example)
    assert capsys.readouterr().out.strip() == said[1].strip()
