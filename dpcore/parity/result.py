"""What a comparison of backends finds."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self

import numpy as np
from numpy.typing import NDArray

from dpcore.errors import DPError
from dpcore.frames import Floats
from dpcore.models import Output
from dpcore.parity.quantities import Quantity, Values
from dpcore.parity.samples import Sample


class Status(StrEnum):
    """How a backend fared.

    A backend that was named but is not installed has ``failed``; one that merely could have been
    compared is ``missing``.
    """

    REFERENCE = "reference"
    AGREES = "agrees"
    DISAGREES = "disagrees"
    FAILED = "failed"
    MISSING = "missing"


DEFAULT = {"float64": 1e-10, "float32": 1e-5}
"""The largest difference by default: in eV/atom and eV/Å, and where units are others' also as a share."""


@dataclass(frozen=True)
class Tolerance:
    """The largest difference that still counts as agreement.

    Attributes:
        atol: absolute part, in the unit of each quantity.
        rtol: share of the largest reference magnitude of each quantity, added to ``atol``.
    """

    atol: float
    rtol: float = 0.0

    def __post_init__(self) -> None:
        for name in ("atol", "rtol"):
            value = getattr(self, name)
            if not 0.0 <= value < float("inf"):
                raise DPError(f"{name}: {value}; it must be a finite number, 0 or more")

    @classmethod
    def of(cls, dtype: str, atol: float | None = None, rtol: float | None = None) -> Self:
        """Return the tolerance of a dtype, 1e-10 or 1e-5, where no other value is given.

        Args:
            dtype: ``float64`` or ``float32``.
            atol: absolute part instead of the dtype's.
            rtol: relative part instead of 0.
        """
        return cls(_default(dtype) if atol is None else atol, rtol or 0.0)

    @classmethod
    def usual(cls, dtype: str, output: Output) -> Self:
        """Return the tolerance of a dtype for an output, relative as well where its unit is not eV."""
        default = _default(dtype)
        return cls(default, 0.0 if output.unit == "eV" else default)

    def limit(self, reference: Floats) -> float:
        """Return the largest difference allowed of values like these."""
        return self.atol + (self.rtol * float(np.abs(reference).max()) if self.rtol else 0.0)

    def __str__(self) -> str:
        relative = f" + {self.rtol:g} * largest magnitude" if self.rtol else ""
        return f"{self.atol:g}{relative}"


def _default(dtype: str) -> float:
    if dtype not in DEFAULT:
        raise DPError(f"dtype: {dtype!r}; allowed: {', '.join(DEFAULT)}")
    return DEFAULT[dtype]


@dataclass(frozen=True)
class Difference:
    """The largest difference of one quantity, NaN if there is any NaN, and where it is.

    Attributes:
        quantity: what differs.
        largest: the difference, in the quantity's unit.
        tolerance: the largest difference allowed.
        sample: place of the frame among the samples.
        atom: the atom in the frame; None for a quantity of the whole frame.
    """

    quantity: Quantity
    largest: float
    tolerance: float
    sample: int
    atom: int | None = None

    @property
    def agrees(self) -> bool:
        """Whether the difference is within the tolerance; NaN never is."""
        return self.largest <= self.tolerance


@dataclass(frozen=True)
class Seconds:
    """Wall time for all samples: a first call with everything it has to prepare, and a second."""

    first: float
    second: float


@dataclass(frozen=True, eq=False)
class BackendResult:
    """One backend against the reference.

    Attributes:
        name: the backend.
        status: how it fared.
        reason: why there are no numbers, on one line; empty where there are.
        version: version of its framework.
        device: where it ran.
        seconds: how long it took.
        differences: one for each quantity, none for the reference.
        values: its predictions by quantity.
    """

    name: str
    status: Status
    reason: str = ""
    version: str = ""
    device: str = ""
    seconds: Seconds | None = None
    differences: tuple[Difference, ...] = ()
    values: Values | None = None

    @property
    def passes(self) -> bool:
        """Whether nothing speaks against this backend."""
        return self.status not in {Status.DISAGREES, Status.FAILED}

    @property
    def compared(self) -> bool:
        """Whether there are numbers to compare."""
        return self.status in {Status.AGREES, Status.DISAGREES}


@dataclass(frozen=True)
class ModelFile:
    """The file that was compared, the sha256 of what is in it, and the branch of a multi-task model."""

    path: str
    sha256: str
    branch: str | None = None


@dataclass(frozen=True)
class SystemSize:
    """Some of the compared frames: where they come from, and how many frames and atoms they are."""

    name: str
    frames: int
    atoms: int


@dataclass(frozen=True, eq=False)
class ParityResult:
    """All backends against the reference.

    Attributes:
        reference: the reference, in float64.
        backends: the others, in the order they were asked for.
        samples: the frames.
        quantities: what is compared.
        type_map: names of the model's atom types.
        dtype: dtype of the backends.
        tolerance: the largest difference that counts as agreement.
        model: the file, if the model came from one.
        environment: versions of what all backends share.
    """

    reference: BackendResult
    backends: tuple[BackendResult, ...]
    samples: tuple[Sample, ...]
    quantities: tuple[Quantity, ...]
    type_map: tuple[str, ...]
    dtype: str
    tolerance: Tolerance
    model: ModelFile | None = None
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def passes(self) -> bool:
        """Whether no backend disagrees or failed."""
        return all(result.passes for result in self.backends)

    @property
    def compared(self) -> tuple[BackendResult, ...]:
        """The backends that gave numbers."""
        return tuple(result for result in self.backends if result.compared)

    @property
    def natoms(self) -> int:
        """Number of atoms of all frames."""
        return sum(sample.natoms for sample in self.samples)

    def magnitude(self, quantity: Quantity) -> float:
        """Return the largest magnitude of a quantity in the reference."""
        assert self.reference.values is not None
        return float(np.abs(self.reference.values[quantity.name]).max())

    def systems(self) -> list[SystemSize]:
        """Return the systems of the frames, in order."""
        sizes: dict[str, NDArray[np.int64]] = {}
        for sample in self.samples:
            sizes.setdefault(sample.system, np.zeros(2, np.int64))
            sizes[sample.system] += (1, sample.natoms)
        return [SystemSize(name, int(n), int(atoms)) for name, (n, atoms) in sizes.items()]

    def place(self, difference: Difference) -> str:
        """Return where a difference is, in words."""
        sample = self.samples[difference.sample]
        atom = "" if difference.atom is None else f", atom {difference.atom}"
        return f"{sample.system}, frame {sample.number}{atom}"
