"""Who takes part: backends of ours, and files of the peer."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from benchmarks.vs_deepmd.results import COMPRESSED, DEFAULT, EXACT, OURS, THEIRS, Entry

DTYPES = ("float64", "float32")


@dataclass(frozen=True)
class Contestant:
    """A way to evaluate the model, and how to start it.

    Attributes:
        entry: what it is.
        python: the interpreter that has its program.
        model: the model file.
        options: keyword arguments of its ``DeepPot``.
        variables: environment variables of its own.
    """

    entry: Entry
    python: str
    model: Path
    options: dict[str, Any] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Its name."""
        return self.entry.name

    @property
    def task(self) -> dict[str, Any]:
        """What its process is told."""
        return {
            "program": self.entry.program,
            "model": str(self.model),
            "options": self.options,
        }


def our_contestants(backends: Sequence[str], python: str, model: Path) -> list[Contestant]:
    """Return each backend by default and exact, in both precisions, NumPy also without kernels."""
    kinds = [
        Entry("", OURS, backend, mode, dtype)
        for backend, dtype, mode in itertools.product(backends, DTYPES, (DEFAULT, EXACT))
    ]
    if "numpy" in backends:
        # Without kernels the networks are the default.
        kinds += [Entry("", OURS, "numpy", DEFAULT, dtype, kernels=False) for dtype in DTYPES]
    return [_ours(kind, python, model) for kind in kinds]


def _ours(kind: Entry, python: str, model: Path) -> Contestant:
    parts = [
        kind.family,
        "" if kind.kernels else "nokernels",
        kind.mode if kind.mode == EXACT else "",
        kind.dtype if kind.dtype == "float32" else "",
    ]
    name = "-".join(part for part in parts if part)
    options: dict[str, Any] = {"backend": kind.family}
    if kind.mode == EXACT:
        options["tables"] = False
    if kind.dtype == "float32":
        options["dtype"] = kind.dtype
    entry = Entry(name, OURS, kind.family, kind.mode, kind.dtype, kind.kernels)
    variables = {} if kind.kernels else {"DPCORE_KERNELS": "0"}
    return Contestant(entry, python, model, options, variables)


def peer_entry(suffix: str, mode: str) -> Entry:
    """Return what a file of the peer's is as a contestant."""
    name = f"peer.{suffix}" + ("-compressed" if mode == COMPRESSED else "")
    return Entry(name, THEIRS, suffix, mode)


def peer_contestant(suffix: str, mode: str, python: str, model: Path) -> Contestant:
    """Return a file of the peer's as a contestant."""
    # A checkpoint evaluated eagerly; compiled, it would be what a `.pth` is.
    options = {"no_jit": True} if suffix == "pt" else {}
    return Contestant(peer_entry(suffix, mode), python, model, options)


def selected(names: Iterable[str], patterns: Sequence[str]) -> list[str]:
    """Return the names that match any of the patterns, all of them without patterns."""
    return [name for name in names if not patterns or any(fnmatchcase(name, p) for p in patterns)]
