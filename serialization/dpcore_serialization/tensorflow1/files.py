"""A model from the file of its settings and the file of its weights."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dpcore.errors import DPError
from dpcore.formats import Document
from dpcore.models import Model
from dpcore.registry import format_of
from dpcore_serialization.provenance import now
from dpcore_serialization.tensorflow1.models import DIPOLE, read_model
from dpcore_serialization.tensorflow1.npz import NpzSource
from dpcore_serialization.tensorflow1.variables import Variables

# No settings are larger; checked before they are read.
_MOST_BYTES = 1 << 24


def read_weights(weights: Path, settings: Path) -> Document:
    """Return the model whose weights and settings are in two files.

    Args:
        weights: ``.npz`` file of the variables that DeePMD-kit's TensorFlow code has, ``.`` for ``/``.
        settings: DeePMD-kit's input file, or its ``model`` section alone. Where that has a ``modifier``,
            ``model_name`` is looked for in the folder of this file: a model file, or beside it a
            ``model.json`` of the dipole model whose weights are in ``weights``.

    Raises:
        DPError: a file is missing or damaged, or the two do not belong together.
    """
    section, source = _section(settings), NpzSource(weights)
    has_dipole = any(name.startswith(DIPOLE) for name in source.names())

    def dipole(name: str) -> Mapping[str, Any] | Model:
        path = settings.parent / name
        if not has_dipole:
            return format_of(path).read(path).model
        return _section(path if path.suffix == ".json" else path.with_name("model.json"))

    try:
        model = read_model(section, Variables(source), dipole)
    except DPError as error:
        if str(error).startswith((str(weights), str(settings.parent))):
            raise
        raise DPError(f"{settings}: {error}") from error
    origin = {
        "file": weights.name,
        "sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "settings": settings.name,
        "time": now(),
    }
    return Document(model, {"source": origin, "model_def_script": section})


def _section(path: Path) -> dict[str, Any]:
    """Return the ``model`` section of an input file."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise DPError(f"{path}: too large for a file of settings")
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DPError(f"{path}: no such file; it must hold the settings of the model") from error
    except (OSError, ValueError, RecursionError) as error:
        raise DPError(f"{path}: no JSON file of settings ({error})") from error
    section = data.get("model", data) if isinstance(data, dict) else None
    if not isinstance(section, dict) or "descriptor" not in section:
        raise DPError(f"{path}: no settings of a model: there is no 'descriptor'")
    return section
