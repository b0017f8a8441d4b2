"""Systems named by another file: a training input, or a list with one path a line."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from dpcore.data.find import find_systems
from dpcore.data.stored import read_text, reason
from dpcore.errors import DPError


def systems_from_input(
    path: str, section: Literal["training_data", "validation_data"]
) -> list[str]:
    """Return the systems that a training input names.

    Args:
        path: an input in JSON or YAML; paths in it are relative to its folder.
        section: which data. The flat layout of old inputs has training data only.

    Raises:
        DPError: for an input that cannot be read or names no systems in this section.
    """
    data = _section(_settings(Path(path)), section, path)
    systems, patterns = data.get("systems"), data.get("rglob_patterns")
    listed = [systems] if isinstance(systems, str) else systems
    if not _strings(listed) or not listed:
        raise DPError(f"{path}: {section}.systems is {systems!r}; give a path or a list of paths")
    if patterns is not None and not _strings(patterns):
        raise DPError(f"{path}: {section}.rglob_patterns is {patterns!r}; give a list of globs")
    return find_systems([str(Path(path).parent / name) for name in listed], patterns)


def systems_from_datafile(path: str) -> list[str]:
    """Return the systems that a text file lists, one path a line, relative to the working folder.

    Raises:
        DPError: for a file that cannot be read or lists nothing, and for a path without a system.
    """
    lines = [line.strip() for line in read_text(Path(path)).splitlines()]
    listed = [line for line in lines if line]
    if not listed:
        raise DPError(f"{path}: lists no systems; write one path a line")
    return find_systems(listed)


def _settings(path: Path) -> Mapping[str, Any]:
    import yaml

    text = read_text(path)
    try:
        settings = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except (json.JSONDecodeError, yaml.YAMLError) as error:
        raise DPError(f"{path}: not valid JSON or YAML: {reason(error)}") from error
    if not isinstance(settings, Mapping):
        raise DPError(f"{path}: holds no settings; give a training input in JSON or YAML")
    return settings


def _section(settings: Mapping[str, Any], section: str, path: str) -> Mapping[str, Any]:
    training = settings.get("training", settings)
    if not isinstance(training, Mapping):
        raise DPError(f"{path}: training is {training!r}; it must be a section of settings")
    data = training.get(section)
    if isinstance(data, Mapping):
        return data
    if section == "training_data" and "systems" in training:
        return training
    if "data_dict" in training:
        branches = ", ".join(training["data_dict"])
        raise DPError(
            f"{path}: data of several models ({branches}); give the folders of one instead"
        )
    has = ", ".join(
        key for key in ("systems", "training_data", "validation_data") if key in training
    )
    raise DPError(f"{path}: no training.{section}; of data it has: {has or 'none'}")


def _strings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(entry, str) for entry in value)
