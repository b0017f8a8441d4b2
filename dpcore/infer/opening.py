"""Opening a model file: which backend evaluates it, and how."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from dpcore.backend import Exporter
from dpcore.formats import Document
from dpcore.infer.engine import Engine, engines_of
from dpcore.infer.head import with_head
from dpcore.registry import backend as adapter_of
from dpcore.registry import canonical_backend, format_of


@dataclass(frozen=True)
class OpenedModel:
    """A model file's content and what evaluates each part of it."""

    document: Document
    engines: Mapping[str, Engine]

    @property
    def engine(self) -> Engine:
        """The engine of the first part; where and how it runs is the same for all."""
        return next(iter(self.engines.values()))


def open_model(
    path: str | Path,
    backend: str | None = None,
    device: str | None = None,
    *,
    dtype: str | None = None,
    compiled: bool | None = None,
    tables: bool | None = None,
    head: str | None = None,
) -> OpenedModel:
    """Open a model file; its compiled program runs where nothing else is asked for.

    Args:
        path: the model file.
        backend: name of a backend; by default the one that the file was made for.
        device: name of a device; by default the backend's own choice.
        dtype: ``float64`` or ``float32``; by default the precision of the model.
        compiled: compile the evaluation, where the backend offers it and does not do so anyway.
        tables: evaluate embedding networks by tables that agree with them to rounding; by default
            where the backend has kernels for them. ``False`` evaluates the networks.
        head: the branch of a multi-task model, which such a model needs.
    """
    form = format_of(path)
    document = with_head(form.read(Path(path)), head, path)
    name = canonical_backend(backend or form.backend)
    adapter = adapter_of(name)
    as_compiled = dtype is None and not compiled and not tables
    if form.compiled and name == form.backend and as_compiled:
        return OpenedModel(document, cast("Exporter", adapter).load(Path(path), document, device))
    engines = engines_of(
        document.model, adapter, device=device, dtype=dtype, compiled=compiled, tables=tables
    )
    return OpenedModel(document, engines)
