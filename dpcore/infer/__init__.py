"""Evaluate models from Python."""

from pathlib import Path

from dpcore.infer.deep_eval import DeepEval
from dpcore.infer.deep_pot import DeepPot
from dpcore.infer.deep_property import DeepDOS, DeepProperty
from dpcore.infer.deep_tensor import DeepDipole, DeepGlobalPolar, DeepPolar, DeepTensor, DeepWFC
from dpcore.infer.opening import open_model
from dpcore.output import Output

__all__ = [
    "DeepDOS",
    "DeepDipole",
    "DeepEval",
    "DeepGlobalPolar",
    "DeepPolar",
    "DeepPot",
    "DeepPotential",
    "DeepProperty",
    "DeepTensor",
    "DeepWFC",
    "class_of",
    "load",
]

# The classes that offer the calls of kinds of models; the first that fits is taken.
CLASSES: list[type[DeepEval]] = [DeepPot, DeepDOS, DeepDipole, DeepPolar, DeepProperty, DeepTensor]


def class_of(output: Output) -> type[DeepEval]:
    """Return the class that has the calls for what a model predicts."""
    return next((cls for cls in CLASSES if cls.fits(output)), DeepEval)


def load(
    path: str | Path,
    backend: str | None = None,
    device: str | None = None,
    *,
    dtype: str | None = None,
    compiled: bool | None = None,
    tables: bool | None = None,
    head: str | None = None,
) -> DeepEval:
    """Load any model file as the class that has the calls for what it predicts.

    Args:
        path: the model file.
        backend: name of a backend; by default the one that the file was made for.
        device: name of a device; by default the backend's own choice.
        dtype: ``float64`` or ``float32``; by default the precision of the model.
        compiled: compile the evaluation, where the backend offers it and does not do so anyway.
        tables: evaluate embedding networks by tables that agree with them to rounding; by default
            where the backend has kernels for them. ``False`` evaluates the networks.
        head: the branch of a multi-task model, which such a model needs.

    Returns:
        a :class:`DeepPot`, :class:`DeepDipole`, :class:`DeepPolar`, :class:`DeepDOS` or
        :class:`DeepProperty`.
    """
    opened = open_model(
        path, backend, device, dtype=dtype, compiled=compiled, tables=tables, head=head
    )
    return class_of(opened.document.model.output).from_opened(opened)


# What DeePMD-kit calls it.
DeepPotential = load
