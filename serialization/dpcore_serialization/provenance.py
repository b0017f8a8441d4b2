"""Where a model comes from."""

import hashlib
import time
from pathlib import Path
from typing import Any

import dpcore

# The version of DeePMD-kit whose dictionaries are written.
DEEPMD_VERSION = "3.2.0"


def stamp(provenance: dict[str, Any]) -> dict[str, Any]:
    """Return the provenance of a file written now."""
    return provenance | {"software": "dpcore", "version": dpcore.__version__, "time": now()}


def deepmd_stamp() -> dict[str, str]:
    """Return the entries that DeePMD-kit expects at the top of its header."""
    return {"software": "dpcore", "version": DEEPMD_VERSION, "time": now()}


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
    return provenance | ({"model_def_script": script} if isinstance(script, dict) else {})


def now() -> str:
    """Return the time in UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
