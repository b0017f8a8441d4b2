"""Input files as they are written: JSON or YAML."""

import json
import re
from pathlib import Path
from typing import Any

from dpcore.errors import DPError

# YAML as people write it: 1e-3 is a number, with or without a point.
_NUMBER = re.compile(
    r"[-+]?(\d[\d_]*)(\.\d*)?[eE][-+]?\d+|[-+]?(\d[\d_]*)?\.\d+([eE][-+]?\d+)?|[-+]?\d+\."
)


def read_settings(path: str | Path) -> dict[str, Any]:
    """Read an input file.

    Raises:
        DPError: the file is neither JSON nor YAML, has a key twice, or holds no section.
    """
    path = Path(path)
    if not path.is_file():
        raise DPError(f"{path}: no such file")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DPError(f"{path}: no text; an input file is JSON or YAML") from error
    found = _from_yaml(text, path) if path.suffix in {".yaml", ".yml"} else _from_json(text, path)
    if not isinstance(found, dict):
        raise DPError(
            f"{path}: the outermost value must be a section; found {type(found).__name__}"
        )
    return found


def _from_json(text: str, path: Path) -> Any:
    def section(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            if key in found and not key.startswith("_"):
                raise DPError(f"{path}: the key {key!r} is there twice in one section; keep one")
            found[key] = value
        return found

    try:
        return json.loads(text, object_pairs_hook=section)
    except json.JSONDecodeError as error:
        raise DPError(
            f"{path}: line {error.lineno}, column {error.colno}: not JSON: {error.msg}"
        ) from error


def _from_yaml(text: str, path: Path) -> Any:
    import yaml

    class Loader(yaml.SafeLoader):
        """A reader that knows all forms of numbers."""

    Loader.add_implicit_resolver("tag:yaml.org,2002:float", _NUMBER, list("-+0123456789."))
    try:
        return yaml.load(text, Loader)  # noqa: S506  # a safe loader
    except yaml.YAMLError as error:
        raise DPError(f"{path}: not YAML: {' '.join(str(error).split())}") from error
