"""``dp doctor``: what of dpcore works on this computer, and the remedy for what does not."""

import argparse
import importlib.util
import os
import platform
import shutil
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dpcore import __version__
from dpcore.cli.backends import aliases
from dpcore.cli.files import suffixes
from dpcore.cli.logs import say

if TYPE_CHECKING:
    from dpcore.cli.probe import Finding

# Packages that dpcore works without: what they are for, and the extra that installs them.
HELPERS = {
    "dpcore_kernels": ("fused kernels, several times faster", "fast"),
    "matplotlib": ("plots", "plot"),
    "jinja2": ("reports", "plot"),
}

VARIABLES = ("OMP_NUM_THREADS", "DP_BACKEND", "DP_INFER_BATCH_SIZE", "DPCORE_KERNELS")


@dataclass(frozen=True)
class Row:
    """A line of the table.

    Attributes:
        what: what was looked at.
        state: ``ok``, ``missing`` or ``broken``; empty for plain information.
        text: what was found, and the remedy.
    """

    what: str
    state: str
    text: str


def add_parser(subparsers: Any, parents: list[argparse.ArgumentParser]) -> None:
    """Add the command to the program."""
    subparsers.add_parser(
        "doctor",
        help="check the installation",
        description="Check which backends and helpers work here, and name the remedy for the others. "
        "The exit code is 1 if no backend works.",
        parents=parents,
    )


def run(_: argparse.Namespace) -> int:
    """Print the table; return 1 if no backend works."""
    backends = _probe_all()
    rows = [*_basics(), *_backend_rows(backends), *_helpers(), *_surroundings()]
    width = max(len(row.what) for row in rows)
    for row in rows:
        say(f"{row.what:<{width}}  {row.state:<7}  {row.text}")
    return 0 if any(finding.problem is None for finding in backends.values()) else 1


def _probe_all() -> "dict[str, Finding]":
    from concurrent.futures import ThreadPoolExecutor

    from dpcore.cli.probe import probe

    names = sorted(set(aliases().values()))
    with ThreadPoolExecutor() as pool:
        return dict(zip(names, pool.map(probe, names), strict=True))


def _basics() -> Iterator[Row]:
    python = f"{platform.python_version()} at {sys.executable}, {platform.platform()}"
    yield Row("Python", "", python)
    yield Row("dpcore", "", f"{__version__} at {Path(__file__).parents[1]}")
    for name in ("numpy", "h5py"):
        version = _version(name)
        yield Row(name, "ok" if version else "missing", version or f"pip install {name}")


def _backend_rows(backends: "Mapping[str, Finding]") -> Iterator[Row]:
    for name, finding in backends.items():
        what = f"backend {name}"
        if finding.problem is None:
            yield Row(what, "ok", f"{finding.version} on {', '.join(finding.devices)}")
        else:
            absent = "pip install" in finding.problem
            yield Row(what, "missing" if absent else "broken", finding.problem)


def _helpers() -> Iterator[Row]:
    for name, (purpose, extra) in HELPERS.items():
        if importlib.util.find_spec(name):
            yield Row(name, "ok", f"{_version(name) or 'installed'}, for {purpose}")
        else:
            yield Row(name, "missing", f"optional, for {purpose}: pip install 'dpcore[{extra}]'")
    compiler = _compiler()
    purpose = "for compiled model files"
    missing = f"optional, {purpose}: install one, or name it in the environment variable CXX"
    yield Row("C++ compiler", "ok" if compiler else "missing", compiler or missing)


def _compiler() -> str | None:
    candidates = (os.environ.get("CXX", ""), "c++", "g++", "clang++")
    return next((found for name in candidates if name and (found := shutil.which(name))), None)


def _surroundings() -> Iterator[Row]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield Row("processor cores", "", f"{cores} usable, the default number of threads")
    for name in VARIABLES:
        yield Row(name, "", os.environ.get(name) or "not set")
    yield Row("model files", "", " ".join(suffixes()))
    yield check_program(shutil.which("dp"), Path(sysconfig.get_path("scripts")))


def check_program(found: str | None, scripts: Path) -> Row:
    """Tell whether the ``dp`` that a shell finds is this program.

    Args:
        found: the first ``dp`` on the path, or None.
        scripts: the folder where this Python's programs are installed.
    """
    remedy = "type 'dpcore ...' or 'python -m dpcore ...' instead of 'dp ...'"
    if found is None:
        return Row("dp on PATH", "missing", f"no program dp is found: {remedy}")
    path = Path(found)
    code = path.read_bytes() if path.is_file() else b""
    if b"dpcore" not in code:
        owner = "DeePMD-kit's" if b"deepmd" in code else "another program's"
        return Row("dp on PATH", "foreign", f"{found} is {owner}: {remedy}")
    if path.resolve().parent != scripts.resolve():
        return Row("dp on PATH", "foreign", f"{found} is of another Python's dpcore: {remedy}")
    return Row("dp on PATH", "ok", found)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
