"""Compare the backends on a model file: what the command and test suites call."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from dpcore.formats import Document
from dpcore.infer.head import with_head
from dpcore.models import Model
from dpcore.parity.compare import Backend, compare
from dpcore.parity.generate import generated_samples
from dpcore.parity.result import ModelFile, ParityResult, Tolerance
from dpcore.parity.samples import Sample, system_samples
from dpcore.parity.table import table

FRAMES = 20
"""Frames of each system that are compared unless another number is asked for."""


def samples_for(
    model: Model,
    path: str | Path | None = None,
    systems: Sequence[str] | None = None,
    limit: int = FRAMES,
) -> list[Sample]:
    """Return the frames to compare a model on.

    Args:
        model: the model.
        path: its file: systems in a folder ``data`` beside it are used where none are named.
        systems: data systems, or folders that hold some. Without any, frames are generated.
        limit: the most frames of each system; 0 for all.

    Raises:
        DPError: data that is missing, damaged or does not fit the model.
    """
    if systems:
        return system_samples(model, systems, limit)
    beside = None if path is None else Path(path).parent / "data"
    if beside is not None and next(beside.rglob("type.raw"), None) is not None:
        return system_samples(model, [str(beside)], limit)
    return generated_samples(model)


def compare_file(
    path: str | Path,
    backends: Sequence[Backend] | None = None,
    systems: Sequence[str] | None = None,
    *,
    limit: int = FRAMES,
    reference: Backend = "numpy",
    dtype: str = "float64",
    tolerance: Tolerance | None = None,
    device: str | None = None,
    tables: bool | None = None,
    head: str | None = None,
) -> ParityResult:
    """Compare backends on one model file of any format.

    Args:
        path: the model file.
        backends: names or adapters; None for all that are installed.
        systems: data systems; None for those beside the file, or generated frames.
        limit: the most frames of each system; 0 for all.
        reference: name or adapter of the reference.
        dtype: ``float64`` or ``float32``, in which the backends compute.
        tolerance: the largest difference that counts as agreement.
        device: where the backends that have such a device run.
        tables: whether the backends evaluate networks by tables; by default where they have kernels.
        head: the branch of a multi-task model, which such a model needs.

    Raises:
        DPError: a model or data that cannot be read, or that do not fit each other.
    """
    from dpcore.registry import format_of

    document = with_head(format_of(path).read(Path(path)), head, path)
    return compare(
        document,
        samples_for(document.model, path, systems, limit),
        backends,
        reference=reference,
        dtype=dtype,
        tolerance=tolerance,
        device=device,
        tables=tables,
        model=ModelFile(str(path), _sha256(Path(path)), document.provenance.get("branch")),
    )


def assert_parity(
    model: str | Path | Document,
    backends: Sequence[Backend] | None = None,
    systems: Sequence[str] | None = None,
    dtype: str = "float64",
    *,
    tolerance: Tolerance | None = None,
) -> ParityResult:
    """Raise an AssertionError with the table of differences unless all backends agree.

    Args:
        model: a model file or a document.
        backends: names or adapters; None for all that are installed.
        systems: data systems; None for those beside the file, or generated frames.
        dtype: ``float64`` or ``float32``, in which the backends compute.
        tolerance: the largest difference that counts as agreement.

    Returns:
        What was found, when all agree.

    Raises:
        AssertionError: a backend disagrees or fails, or there is none to compare.
        DPError: a model or data that cannot be read, or that do not fit each other.
    """
    if isinstance(model, Document):
        samples = samples_for(model.model, systems=systems)
        result = compare(model, samples, backends, dtype=dtype, tolerance=tolerance)
    else:
        result = compare_file(model, backends, systems, dtype=dtype, tolerance=tolerance)
    if not result.passes or not result.compared:
        raise AssertionError(f"\n{table(result)}")
    return result


def _sha256(path: Path) -> str:
    """Return the sha256 of a file, or of the names and contents of all files in a folder."""
    if not path.is_dir():
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    files = sorted(child for child in path.rglob("*") if child.is_file())
    listed = "".join(f"{_sha256(file)} {file.relative_to(path).as_posix()}\n" for file in files)
    return hashlib.sha256(listed.encode()).hexdigest()
