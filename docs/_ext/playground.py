"""The folder that snippets and commands of the pages run in: a copy of the water example."""

import functools
import importlib.util
import os
import shutil
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "water"
# A model that takes frame and atomic parameters, which water does not need.
WITH_PARAMETERS = ROOT / "consistency_tests" / "data" / "se_e2_a_fparam_aparam" / "model.dp"


@functools.cache
def folder() -> Path:
    """Return the folder, made on first use; it is removed when Python ends."""
    path = Path(_keep().name)
    shutil.copy(EXAMPLE / "model.dp", path)
    shutil.copytree(EXAMPLE / "data", path / "data")
    shutil.copy(WITH_PARAMETERS, path / "parameters.dp")
    return path


def enter() -> None:
    """Make it the working folder."""
    os.chdir(folder())


def can(package: str, *programs: str) -> bool:
    """Return whether a package, and programs, are installed."""
    return importlib.util.find_spec(package) is not None and all(map(shutil.which, programs))


@functools.cache
def _keep() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="dpcore-docs-")
