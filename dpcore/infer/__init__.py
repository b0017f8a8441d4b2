"""Evaluate models from Python."""

from pathlib import Path

from dpcore.infer.deep_eval import DeepEval
from dpcore.infer.deep_pot import DeepPot
from dpcore.infer.opening import open_model

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
    opened = open_model(path, backend, device)
    return CLASSES[opened.document.model.type_name].from_opened(opened)
