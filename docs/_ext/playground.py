"""The folder that snippets and commands of the pages run in: a copy of the water example."""

import functools
import importlib.util
import os
import re
import shutil
import subprocess
import sysconfig
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "water"
# Models that take or predict what that of water does not.
CASES = ROOT / "consistency_tests" / "data"
OTHERS = {
    "parameters": "se_e2_a_fparam_aparam",
    "dipole": "dipole",
    "messages": "dpa3",
    "spin": "spin",
}


@functools.cache
def folder() -> Path:
    """Return the folder, made on first use; it is removed when Python ends."""
    path = Path(_keep().name)
    shutil.copy(EXAMPLE / "model.dp", path)
    shutil.copytree(EXAMPLE / "data", path / "data")
    shutil.copy(ROOT / "docs" / "input.json", path)
    for name, case in OTHERS.items():
        shutil.copy(CASES / case / "model.dp", path / f"{name}.dp")
    _write_dipoles(path / "dipoles")
    return path


def _write_dipoles(path: Path) -> None:
    """Write a system of two frames with dipoles that the model of dipoles nearly predicts."""
    known = np.load(CASES / "dipole" / "expected.npz")
    part = path / "set.000"
    part.mkdir(parents=True)
    (path / "type_map.raw").write_text("O H")
    (path / "type.raw").write_text(" ".join(map(str, known["atype"])))
    for name, values in {
        "coord": known["coord"],
        "box": known["box"],
        "dipole": known["pbc.global_dipole"] + 0.1,
    }.items():
        np.save(part / f"{name}.npy", values.reshape(2, -1))


def enter() -> None:
    """Make it the working folder."""
    os.chdir(folder())


def can(package: str, *programs: str) -> bool:
    """Return whether a package, and programs, are installed."""
    return importlib.util.find_spec(package) is not None and all(map(shutil.which, programs))


def run_cpp(source: str, *arguments: object) -> list[list[float]]:
    """Return the numbers in each line that a C++ program of the pages prints, compiled as they say."""
    page = (ROOT / "docs" / "exported.md").read_text(encoding="utf-8")
    script = re.search(r"^TORCH=.*?(?=^\./predict)", page, re.DOTALL | re.MULTILINE)
    assert script is not None
    shutil.copy(ROOT / "docs" / source, folder())
    words = " ".join(map(str, arguments))
    done = subprocess.run(  # noqa: S603  # what the page tells readers to run
        ["/bin/sh", "-ec", f"{script[0]}./{Path(source).stem} {words}"],
        cwd=folder(),
        env=os.environ | {"PATH": f"{sysconfig.get_path('scripts')}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    return [[float(x) for x in line.split()[:-1]] for line in done.stdout.splitlines()]


@functools.cache
def _keep() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="dpcore-docs-")
