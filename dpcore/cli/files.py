"""Model files on disk: their sizes, names given without a suffix, and how one becomes another."""

import hashlib
import logging
from pathlib import Path

from dpcore.errors import DPError

log = logging.getLogger(__name__)


def size_of(path: Path) -> int:
    """Return the bytes that a file, or everything in a folder, takes."""
    if path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return path.stat().st_size


def size_text(size: float) -> str:
    """Return a number of bytes for people to read."""
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} GB"


def suffixes() -> list[str]:
    """Return the suffixes of model files, ``.dp`` first."""
    from importlib.metadata import entry_points

    names = {point.name for point in entry_points(group="dpcore.formats")}
    return [f".{name}" for name in sorted(names, key=lambda name: (name != "dp", name))]


def find_model(name: str) -> Path:
    """Return the model file that a name, perhaps without its suffix, stands for.

    Raises:
        DPError: no file has that name.
    """
    path, known = Path(name), suffixes()
    if path.suffix in known or path.exists():
        return path
    found = [candidate for s in known if (candidate := path.with_name(path.name + s)).exists()]
    if not found:
        raise DPError(f"{name}: no model file of that name, nor with {', '.join(known)} after it")
    if len(found) > 1:
        others = ", ".join(str(candidate) for candidate in found[1:])
        log.warning("%s: %s is taken, there is %s too", name, found[0], others)
    return found[0]


def check_target(source: Path, target: Path) -> None:
    """Raise a DPError if a file cannot be written from another one."""
    if source.resolve() == target.resolve():
        raise DPError(f"{target}: it is the input itself; give the output another name")
    if not target.parent.is_dir():
        raise DPError(f"{target}: the folder {target.parent} does not exist; create it first")


def origin(source: Path, command: str) -> dict[str, str]:
    """Return the entry of a model's history that says which file a command made it from."""
    entry = {"from": source.name, "command": command}
    # A folder has no one sha256; the document embedded in it has checksums of its own.
    if source.is_file():
        with source.open("rb") as file:
            entry["sha256"] = hashlib.file_digest(file, "sha256").hexdigest()
    return entry
