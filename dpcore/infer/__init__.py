"""Evaluate models from Python."""

from pathlib import Path

from dpcore.infer.deep_eval import DeepEval
from dpcore.infer.deep_pot import DeepPot

__all__ = ["DeepEval", "DeepPot", "load"]

# The class that offers the calls of each kind of model.
CLASSES: dict[str, type[DeepEval]] = {"energy": DeepPot}


def load(path: str | Path, backend: str | None = None, device: str | None = None) -> DeepEval:
    """Load any model file as the class that fits its kind of model.

    Args:
        path: the model file.
        backend: name of a backend; by default the one that the file was made for.
        device: name of a device; by default the backend's own choice.
    """
    from dpcore.registry import format_of

    kind = format_of(path).read(Path(path)).model.type_name
    return CLASSES[kind](path, backend, device)
