"""What a comparison finds, kept as JSON."""

import dataclasses as dc
import json
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

T = TypeVar("T")

OURS, THEIRS = "dpcore", "deepmd"
# How a contestant evaluates: ours by default or with `tables=False`; the peer's file as it is or compressed.
DEFAULT, EXACT, PLAIN, COMPRESSED = "default", "exact", "plain", "compressed"


@dataclass(frozen=True)
class Entry:
    """What a contestant is.

    Attributes:
        name: by which it is selected.
        program: ``dpcore`` or ``deepmd``.
        family: the backend of ours, the suffix of the peer's file.
        mode: ``default`` or ``exact``; ``plain`` or ``compressed``.
        dtype: ``float64`` or ``float32``.
        kernels: whether it may use the kernel library.
    """

    name: str
    program: str
    family: str
    mode: str
    dtype: str = "float64"
    kernels: bool = True


@dataclass(frozen=True)
class Start:
    """How a contestant started.

    Attributes:
        total: from the start of the process until the model is loaded, s.
        imported: of it, the import of the program, s.
        loaded: of it, loading the model, s.
        peak: largest resident memory until then, MiB.
    """

    total: float
    imported: float
    loaded: float
    peak: float


@dataclass(frozen=True)
class Deviation:
    """The largest differences from the numbers of a reference.

    Attributes:
        energy: eV an atom.
        force: eV/Å; None where a contestant gives no forces.
        virial: eV an atom; None where it gives none.
    """

    energy: float
    force: float | None
    virial: float | None


@dataclass(frozen=True)
class Timing:
    """How long a contestant takes for one size.

    Attributes:
        first: the first evaluation, which may compile, s.
        samples: one evaluation, the median of a burst, in each round, s.
        fastest: the fastest evaluation of all, s.
        peak: largest resident memory so far, MiB.
        deviation: how far its numbers are from the reference's.
    """

    first: float
    samples: tuple[float, ...]
    fastest: float
    peak: float
    deviation: Deviation

    @property
    def typical(self) -> float:
        """The median over the rounds, s."""
        return median(self.samples)


@dataclass(frozen=True)
class Size:
    """The timings for one number of atoms, by the contestants' names.

    Attributes:
        atoms: number of atoms.
        reference: the contestant that the numbers of all are compared with.
        force_scale: root mean square of the force components, eV/Å.
        timings: by name.
    """

    atoms: int
    reference: str
    force_scale: float
    timings: Mapping[str, Timing]


@dataclass(frozen=True)
class Machine:
    """Where it was measured.

    Attributes:
        processor: its name.
        system: the operating system.
        cores: cores that each contestant might use.
        memory: GiB.
        speed: of the product of two matrices, GFLOP/s, by dtype.
    """

    processor: str
    system: str
    cores: int
    memory: float
    speed: Mapping[str, float]


@dataclass(frozen=True)
class Work:
    """Floating-point operations for one atom, forward and backward.

    Attributes:
        embedding: embedding networks, or tables of them, over the neighbours.
        descriptor: products of features and environment rows.
        fitting: fitting network.
    """

    embedding: float
    descriptor: float
    fitting: float

    @property
    def total(self) -> float:
        """The sum."""
        return self.embedding + self.descriptor + self.fitting


@dataclass(frozen=True)
class Remark:
    """Why something was not measured, or is not compared."""

    name: str
    reason: str


@dataclass(frozen=True)
class Comparison:
    """Everything that is found.

    Attributes:
        date: when, ISO 8601.
        machine: where.
        versions: of the packages, by program.
        model: in words.
        neighbours: mean number of neighbours of an atom.
        nets: operations through the networks; None where they are not counted.
        tables: operations through tables; likewise.
        entries: the contestants.
        starts: by contestant.
        sizes: in ascending order.
        commands: seconds of each run of ``dp -h``, by program.
        remarks: what is missing, and why.
    """

    date: str
    machine: Machine
    versions: Mapping[str, Mapping[str, str]]
    model: str
    neighbours: float
    nets: Work | None
    tables: Work | None
    entries: tuple[Entry, ...]
    starts: Mapping[str, Start]
    sizes: tuple[Size, ...]
    commands: Mapping[str, tuple[float, ...]]
    remarks: tuple[Remark, ...]

    def entry(self, name: str) -> Entry:
        """Return the contestant of that name."""
        return next(entry for entry in self.entries if entry.name == name)

    def fastest(self, size: Size, program: str, mode: str) -> str | None:
        """Return the fastest float64 contestant of a kind that gives forces, or None."""
        timings = {
            entry.name: size.timings[entry.name].typical
            for entry in self.entries
            if (entry.program, entry.mode, entry.dtype) == (program, mode, "float64")
            and entry.name in size.timings
            and size.timings[entry.name].deviation.force is not None
        }
        return min(timings, key=timings.__getitem__, default=None)

    def ratio(self, size: Size, name: str, reference: str | None) -> float | None:
        """Return how many times faster a contestant is than another, or None without a figure."""
        if reference is None or not {name, reference} <= size.timings.keys():
            return None
        return paired_ratio(size.timings[name].samples, size.timings[reference].samples)

    def work(self, name: str) -> Work | None:
        """Return the operations that a contestant cannot avoid, or None where they are not counted."""
        entry = self.entry(name)
        kernels = entry.kernels and "dpcore-kernels" in self.versions.get(OURS, {})
        tables = entry.mode == COMPRESSED or (entry.mode == DEFAULT and kernels)
        return self.tables if tables else self.nets


def paired_ratio(samples: Sequence[float], reference: Sequence[float]) -> float:
    """Return the median over rounds of the reference's time over the other's in the same round."""
    return median(theirs / ours for ours, theirs in zip(samples, reference, strict=False))


def write_comparison(path: Path, comparison: Comparison) -> None:
    """Write everything as JSON."""
    text = json.dumps(dc.asdict(comparison), indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def read_comparison(path: Path) -> Comparison:
    """Read what was written."""
    return decode(Comparison, json.loads(path.read_text(encoding="utf-8")))


def decode(kind: type[T], value: Any) -> T:
    """Build an annotated value, dataclasses and containers of them, from plain data."""
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    found: Any = value
    if dc.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        found = kind(**{name: decode(hints[name], item) for name, item in value.items()})
    elif origin in {typing.Union, types.UnionType}:
        kinds = [part for part in parts if part is not types.NoneType]
        found = None if value is None else decode(kinds[0], value)
    elif origin is tuple:
        found = tuple(decode(parts[0], item) for item in value)
    elif origin is Mapping:
        found = {key: decode(parts[1], item) for key, item in value.items()}
    return typing.cast("T", found)
