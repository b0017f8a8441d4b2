"""Finding systems: folders, or groups of an HDF5 file, that hold ``type.raw``."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from dpcore.data.hdf5 import hdf5_systems
from dpcore.data.stored import NOT_READ, reason
from dpcore.errors import DPError


def find_systems(paths: str | Sequence[str], patterns: Sequence[str] | None = None) -> list[str]:
    """Return every system at or below the given paths, each once, in the order of the paths.

    Args:
        paths: folders, HDF5 files, or ``FILE#/GROUP``.
        patterns: globs, one of which a folder's path below the given one must match.

    Raises:
        DPError: for a path that does not exist or has no system.
    """
    found: dict[str, None] = {}
    for path in [paths] if isinstance(paths, str) else paths:
        systems = _find(str(path)) if patterns is None else _match(str(path), patterns)
        if not systems:
            below = f" that matches {' or '.join(patterns)}" if patterns else ""
            where = f"neither it nor anything below it{below} holds type.raw"
            raise DPError(f"{path}: no system found; {where}; give a folder of systems")
        found |= dict.fromkeys(systems)
    if not found:
        raise DPError("no system found: the list of paths is empty; name a folder of systems")
    return list(found)


def is_lmdb(path: str) -> bool:
    """Return whether a path names an LMDB data set."""
    return path.rstrip("/").endswith(".lmdb") or Path(path, "data.mdb").is_file()


def _find(path: str) -> list[str]:
    if is_lmdb(path):
        raise DPError(f"{path}: an LMDB data set; {NOT_READ}")
    folder = Path(path)
    if folder.is_dir():
        return [str(system) for system in _walk(folder, frozenset())]
    if Path(path.partition("#")[0]).is_file():
        return hdf5_systems(path)
    raise DPError(f"{path}: not found; give a folder, an HDF5 file or FILE.hdf5#/GROUP")


def _walk(folder: Path, above: frozenset[Path]) -> Iterator[Path]:
    """Yield the systems at and below a folder, links followed unless they lead back up."""
    real = folder.resolve()
    if real in above:
        return
    if (folder / "type.raw").is_file():
        yield folder
    try:
        below = sorted(child for child in folder.iterdir() if child.is_dir())
    except OSError as error:
        raise DPError(f"{folder}: cannot be searched for systems: {reason(error)}") from error
    for child in below:
        yield from _walk(child, above | {real})


def _match(path: str, patterns: Sequence[str]) -> list[str]:
    folder = Path(path)
    if not folder.is_dir():
        raise DPError(f"{path}: not a folder; rglob_patterns search folders only")
    try:
        found = {match for pattern in patterns for match in folder.rglob(pattern)}
    except (ValueError, NotImplementedError) as error:
        raise DPError(
            f"rglob_patterns {list(patterns)}: {reason(error)}; use globs below the folder"
        ) from error
    return sorted(str(match) for match in found if (match / "type.raw").is_file())
