"""Where a model comes from."""

import hashlib
import time
from pathlib import Path
from typing import Any

import numpy as np

import dpcore

# The version of DeePMD-kit whose dictionaries are written.
DEEPMD_VERSION = "3.2.0"

# What it calls the shortest distance in the training data.
_SHORTEST = "min_nbor_dist"


def stamp(provenance: dict[str, Any]) -> dict[str, Any]:
    """Return the provenance of a file written now."""
    return provenance | {"software": "dpcore", "version": dpcore.__version__, "time": now()}


def deepmd_stamp(provenance: dict[str, Any]) -> dict[str, Any]:
    """Return the entries beside the model that DeePMD-kit expects at the top of its header.

    Args:
        provenance: that of the model, with ``min_nbor_dist``, the shortest distance in its training data in
            Å, where it is known.
    """
    known = {key: provenance[key] for key in (_SHORTEST,) if key in provenance}
    return {
        "software": "dpcore",
        "version": DEEPMD_VERSION,
        "time": now(),
        "backend": "dpcore",
        "model_def_script": provenance.get("model_def_script", {}),
        **known,
        "@variables": {},
    }


def deepmd_provenance(path: Path, header: dict[str, Any]) -> dict[str, Any]:
    """Return the provenance of a model read from one of DeePMD-kit's files."""
    keys: list[str] = [key for key in ("software", "version", "time") if key in header]
    source: dict[str, str] = {
        "file": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        **{key: str(header[key]) for key in keys},
    }
    script = header.get("model_def_script")
    provenance: dict[str, Any] = {"source": source}
    if isinstance(script, dict):
        provenance["model_def_script"] = script
    places = header, header.get("@variables")
    for place in places:
        value = place.get(_SHORTEST) if isinstance(place, dict) else None
        if isinstance(value, float | int) or (isinstance(value, np.ndarray) and value.size == 1):
            provenance.setdefault(_SHORTEST, float(np.asarray(value).reshape(())))
    return provenance


def now() -> str:
    """Return the time in UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
