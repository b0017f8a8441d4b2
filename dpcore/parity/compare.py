"""Evaluate the same frames on every backend and measure the differences."""

import logging
import platform
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version

import numpy as np

from dpcore.backend.adapter import Adapter
from dpcore.errors import DPError
from dpcore.formats import Document
from dpcore.frames import Floats
from dpcore.infer.engine import engines_of
from dpcore.infer.whole import WholeEvaluator
from dpcore.parity.quantities import Quantity, Values, quantities_of, values_of
from dpcore.parity.result import (
    BackendResult,
    Difference,
    ModelFile,
    ParityResult,
    Seconds,
    Status,
    Tolerance,
)
from dpcore.parity.samples import Sample
from dpcore.parity.text import one_line

log = logging.getLogger(__name__)

Backend = str | Adapter


@dataclass(frozen=True)
class _Task:
    """What every backend is asked to do."""

    document: Document
    samples: tuple[Sample, ...]
    quantities: tuple[Quantity, ...]
    dtype: str
    device: str | None = None
    tables: bool | None = None
    kernels: bool = True


def compare(
    document: Document,
    samples: Sequence[Sample],
    backends: Sequence[Backend] | None = None,
    *,
    reference: Backend = "numpy",
    dtype: str = "float64",
    tolerance: Tolerance | None = None,
    device: str | None = None,
    tables: bool | None = None,
    model: ModelFile | None = None,
) -> ParityResult:
    """Compare backends with a reference, which computes in float64 by array code and networks alone.

    A backend that raises is reported as failed and the others still run. A difference agrees if it is
    at most ``atol + rtol * largest reference magnitude`` of its quantity; NaN never agrees.

    Args:
        document: the model.
        samples: the frames to evaluate.
        backends: names or adapters; None for all known names, where one that is not installed is no
            failure. The reference itself is left out where it would do the same again, for want of kernels.
        reference: name or adapter of the reference.
        dtype: ``float64`` or ``float32``, in which the backends compute.
        tolerance: the largest difference that counts as agreement; by default 1e-10 for float64 and
            1e-5 for float32, and as much relative to the largest magnitude where the unit is not eV.
        device: where the backends that have such a device run; the others and the reference run on
            their own default.
        tables: whether the backends evaluate networks by tables; by default where they have kernels.
        model: the file that the document is from, for the record.

    Raises:
        DPError: no frames, an unknown backend or dtype, or a reference that fails.
    """
    from dpcore.registry import backend_names

    usual = Tolerance.usual(dtype, document.model.output)
    tolerance = tolerance or usual
    if not samples:
        raise DPError("no frames to compare backends on; give a system that has some")
    wanted = _distinct(backend_names() if backends is None else backends)
    (standard,) = _distinct([reference])
    task = _Task(document, tuple(samples), quantities_of(document.model), dtype, device, tables)
    plain = replace(task, dtype="float64", device=None, tables=False, kernels=False)
    truth = _reference(standard, plain)
    repeats = dtype == "float64" and not _has_kernels(_adapter(standard))
    results = tuple(
        _compared(backend, task, truth, tolerance, named=backends is not None)
        for backend in wanted
        if backend != standard or not repeats
    )
    return ParityResult(
        truth,
        results,
        task.samples,
        task.quantities,
        document.model.type_map,
        dtype,
        tolerance,
        model,
        _environment(),
    )


def _distinct(backends: Sequence[Backend]) -> list[Backend]:
    """Return each backend once, by its canonical name where it is given by name."""
    from dpcore.registry import canonical_backend

    distinct: list[Backend] = []
    for backend in backends:
        resolved = canonical_backend(backend) if isinstance(backend, str) else backend
        if resolved not in distinct:
            distinct.append(resolved)
    return distinct


def _adapter(backend: Backend) -> Adapter:
    from dpcore.registry import backend as adapter_of

    return adapter_of(backend) if isinstance(backend, str) else backend


def _has_kernels(adapter: Adapter) -> bool:
    return bool(adapter.kernels(adapter.device(None)))


def _name(backend: Backend) -> str:
    return one_line(backend if isinstance(backend, str) else backend.name, 40)


def _reference(backend: Backend, task: _Task) -> BackendResult:
    try:
        return _evaluated(_adapter(backend), task)
    except DPError:
        raise
    except Exception as error:
        raise DPError(f"the reference, {_name(backend)}, failed: {_reason(error)}") from error


def _compared(
    backend: Backend, task: _Task, truth: BackendResult, tolerance: Tolerance, *, named: bool
) -> BackendResult:
    name = _name(backend)
    try:
        adapter = _adapter(backend)
    except Exception as error:  # noqa: BLE001  # the other backends still run
        if not isinstance(error.__cause__, ModuleNotFoundError):
            return _failed(name, error)
        reason = f"not installed: pip install 'dpcore[{name}]'"
        return BackendResult(name, Status.FAILED if named else Status.MISSING, reason)
    try:
        found = _evaluated(adapter, task)
        assert truth.values is not None
        assert found.values is not None
        differences = _differences(found.values, truth.values, task, tolerance)
    except Exception as error:  # noqa: BLE001  # the other backends still run
        return _failed(name, error)
    agrees = all(difference.agrees for difference in differences)
    return BackendResult(
        name,
        Status.AGREES if agrees else Status.DISAGREES,
        version=found.version,
        device=found.device,
        seconds=found.seconds,
        differences=differences,
        values=found.values,
    )


def _failed(name: str, error: Exception) -> BackendResult:
    log.debug("backend %s failed:\n%s", name, "".join(traceback.format_exception(error)))
    return BackendResult(name, Status.FAILED, f"failed: {_reason(error)}")


def _reason(error: Exception) -> str:
    kind = "" if isinstance(error, DPError) else f"{type(error).__name__}: "
    return one_line(f"{kind}{error}" if str(error) else type(error).__name__, 300)


def _evaluated(adapter: Adapter, task: _Task) -> BackendResult:
    """Return a backend's predictions as if it were the reference."""
    kind = (task.device or "").partition(":")[0]
    device = task.device if kind in adapter.capabilities.devices else None
    frames = [sample.frame for sample in task.samples]
    start = time.perf_counter()
    model = task.document.model
    engines = engines_of(
        model, adapter, device=device, dtype=task.dtype, tables=task.tables, kernels=task.kernels
    )
    evaluator, engine = WholeEvaluator(model, engines), next(iter(engines.values()))
    natoms = np.array([sample.natoms for sample in task.samples])
    predictions = evaluator.predict(frames)
    prepared = time.perf_counter()
    evaluator.predict(frames)
    seconds = Seconds(prepared - start, time.perf_counter() - prepared)
    return BackendResult(
        _name(adapter),
        Status.REFERENCE,
        version=one_line(engine.version, 40),
        device=one_line(engine.device, 40),
        seconds=seconds,
        values=values_of(task.quantities, predictions, natoms),
    )


def _differences(
    found: Values, truth: Values, task: _Task, tolerance: Tolerance
) -> tuple[Difference, ...]:
    lengths = [len(sample.frame.types) for sample in task.samples]
    atoms = [(place, atom) for place, n in enumerate(lengths) for atom in range(n)]
    frames = [(place, None) for place in range(len(lengths))]
    return tuple(
        _difference(q, found[q.name], truth[q.name], frames if q.of_frame else atoms, tolerance)
        for q in task.quantities
    )


def _difference(
    quantity: Quantity,
    found: Floats,
    truth: Floats,
    places: Sequence[tuple[int, int | None]],
    tolerance: Tolerance,
) -> Difference:
    with np.errstate(invalid="ignore"):
        by_row = np.abs(found - truth).reshape(len(places), -1).max(axis=1)
    # NaN is the largest of all to argmax, as it must be here.
    worst = int(by_row.argmax())
    limit = tolerance.limit(truth)
    return Difference(quantity, float(by_row[worst]), limit, *places[worst])


def _environment() -> dict[str, str]:
    return {
        "dpcore": version("dpcore"),
        "Python": platform.python_version(),
        "NumPy": np.__version__,
        "platform": platform.platform(),
        "processor": platform.machine(),
        "date": time.strftime("%Y-%m-%d %H:%M:%S %z"),
    }
