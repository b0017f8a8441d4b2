"""What a model file is to the core: a document, and the contract of a format."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, Self

from numpy.typing import NDArray

from dpcore.models import Model


@dataclass(frozen=True)
class Unfinished:
    """What a training run needs besides the model to be continued, on any backend.

    Attributes:
        facts: plain data: the step, the input, the state of random numbers.
        arrays: arrays by dotted path: what the optimizer remembers.
    """

    facts: dict[str, Any]
    arrays: Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Document:
    """The content of a model file.

    Attributes:
        model: the model, with NumPy arrays.
        provenance: where it comes from: software, version, time, source files, training input.
        training: the state of the run that the model is a checkpoint of.
    """

    model: Model
    provenance: dict[str, Any] = field(default_factory=dict)
    training: Unfinished | None = None

    @property
    def step(self) -> int | None:
        """How many steps the model was trained; None where the file does not tell."""
        found = {} if self.training is None else self.training.facts
        return found.get("step", self.provenance.get("step"))

    def with_provenance(self, **entries: Any) -> Self:
        """Return the document with more entries in its provenance."""
        return replace(self, provenance=self.provenance | entries)


class Format(Protocol):
    """A kind of model file, known by its suffix.

    Attributes:
        backend: the backend that evaluates such a file unless the user names another.
        compiled: whether the file holds a compiled program beside the document.
    """

    backend: str
    compiled: bool

    def read(self, path: Path) -> Document:
        """Return the document in a file; DPError if it is missing or damaged."""
        ...

    def write(self, path: Path, document: Document) -> None:
        """Write a document; a file that was there before survives any failure."""
        ...


class Importer(Protocol):
    """Reads weights that came without the settings of their model."""

    def __call__(self, weights: Path, settings: Path) -> Document:
        """Return the model of a file of weights and a file of settings; DPError if they do not fit."""
        ...
