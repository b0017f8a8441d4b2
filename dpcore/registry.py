"""Backends, file formats and kernels, found by entry points and loaded on first use."""

import logging
import os
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from dpcore.backend.adapter import Adapter
from dpcore.errors import DPError, suggest
from dpcore.formats import Format, Importer

log = logging.getLogger(__name__)

# The version of the kernels' functions that adapters call.
_KERNELS = 4


def backend_names() -> list[str]:
    """Return the names of all known backends, installed or not; the reference comes first."""
    return sorted(_points("dpcore.backends"), key=lambda name: (name != "numpy", name))


def canonical_backend(name: str) -> str:
    """Return the name of a backend from that name or an alias of it."""
    aliases = {key: point.value for key, point in _points("dpcore.backend_aliases").items()}
    resolved = aliases.get(name.lower(), name.lower())
    if resolved not in _points("dpcore.backends"):
        raise DPError(f"unknown backend {name!r}{suggest(name, backend_names())}")
    return resolved


def backend(name: str) -> Adapter:
    """Return the adapter of a backend, by name or alias.

    Raises:
        DPError: no such backend, or its framework is not installed.
    """
    resolved = canonical_backend(name)
    found: Adapter = _load(_points("dpcore.backends")[resolved], "backend", resolved)
    return found


def training_backend() -> Adapter:
    """Return the backend that trains where none is named: the first installed one of those listed for that.

    Raises:
        DPError: none is installed, or none is listed.
    """
    points = _points("dpcore.training_backends")
    if not points:
        # They are written down when dpcore is installed, by one that is older not yet.
        raise DPError(
            "the installed dpcore does not list what trains: reinstall it, or name one: dp -b NAME"
        )
    *others, last = (points[rank].value for rank in sorted(points))
    for name in others:
        try:
            return backend(name)
        except DPError:
            continue
    return backend(last)


def format_of(path: str | Path) -> Format:
    """Return the file format that a path's suffix names.

    Raises:
        DPError: no format has that suffix.
    """
    suffix, formats = Path(path).suffix.removeprefix("."), _points("dpcore.formats")
    if suffix not in formats:
        known = ", ".join(f".{name}" for name in sorted(formats))
        what = f"unknown suffix {'.' + suffix!r}" if suffix else "no suffix"
        raise DPError(f"{path}: {what}; model files end in {known}")
    found: Format = _load(formats[suffix], "format", suffix)
    return found


def importer_of(path: str | Path) -> Importer | None:
    """Return what reads the weights in a file, by its suffix, given the settings of their model.

    It is None where the suffix is not that of a file of weights.
    """
    suffix, importers = Path(path).suffix.removeprefix("."), _points("dpcore.importers")
    if suffix not in importers:
        return None
    found: Importer = _load(importers[suffix], "format", suffix)
    return found


@cache
def kernels() -> Any | None:
    """Return the library of CPU kernels, or None to do without.

    The environment variable ``DPCORE_KERNELS=0`` switches the kernels off. They are looked for once.
    """
    points = _points("dpcore.kernels")
    if os.environ.get("DPCORE_KERNELS") == "0" or "library" not in points:
        return None
    try:
        found = points["library"].load()
    except (ImportError, OSError, AttributeError) as error:
        log.warning("the CPU kernels cannot be loaded, evaluation is slower without: %s", error)
        return None
    if getattr(found, "interface", None) != _KERNELS:
        log.warning(
            "the CPU kernels are of another version and left alone: reinstall dpcore-kernels"
        )
        return None
    return found


@cache
def _points(group: str) -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=group)}


def _load(point: EntryPoint, kind: str, name: str) -> Any:
    try:
        return point.load()
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing.startswith("dpcore"):
            raise
        raise DPError(
            f"{kind} {name!r} needs the package {missing!r}: pip install 'dpcore[{name}]'"
        ) from error
