"""Finding systems: folders, or groups of an HDF5 file, that hold ``type.raw``, and LMDB data sets."""

from collections.abc import Iterator, Sequence
from glob import glob, has_magic
from pathlib import Path

from dpcore.data.hdf5 import hdf5_systems
from dpcore.data.stored import reason
from dpcore.errors import DPError


def find_systems(paths: str | Sequence[str], patterns: Sequence[str] | None = None) -> list[str]:
    """Return every system at or below the given paths, each once, in the order of the paths.

    Args:
        paths: folders, HDF5 files, ``FILE#/GROUP``, LMDB data sets, or globs of these.
        patterns: globs, one of which a folder's path below the given one must match.

    Raises:
        DPError: for a path that does not exist or has no system.
    """
    found: dict[str, None] = {}
    for path in expanded(paths):
        systems = _find(path) if patterns is None else _match(path, patterns)
        if not systems:
            below = f" that matches {' or '.join(patterns)}" if patterns else ""
            where = f"neither it nor anything below it{below} holds type.raw"
            raise DPError(f"{path}: no system found; {where}; give a folder of systems")
        found |= dict.fromkeys(systems)
    if not found:
        raise DPError("no system found: the list of paths is empty; name a folder of systems")
    return list(found)


def expanded(paths: str | Sequence[str]) -> list[str]:
    """Return paths with those that a glob matches, sorted, in its place.

    Raises:
        DPError: nothing matches a glob.
    """
    out = []
    for path in [paths] if isinstance(paths, str) else map(str, paths):
        if Path(path).exists() or not has_magic(path):
            out.append(path)
            continue
        # Those of pathlib would need to be relative to some folder.
        matches = sorted(glob(path, recursive=True))  # noqa: PTH207
        if not matches:
            raise DPError(f"{path}: not found; no file or folder matches this pattern")
        out += matches
    return out


def is_lmdb(path: str) -> bool:
    """Return whether a path names an LMDB data set."""
    return path.rstrip("/").endswith(".lmdb") or Path(path, "data.mdb").is_file()


def _find(path: str) -> list[str]:
    folder = Path(path)
    if is_lmdb(path) and folder.exists():
        return [path]
    if folder.is_dir():
        return [str(system) for system in _walk(folder, frozenset())]
    if Path(path.partition("#")[0]).is_file():
        return hdf5_systems(path)
    raise DPError(
        f"{path}: not found; give a folder, an HDF5 file, FILE.hdf5#/GROUP or an LMDB data set"
    )


def _walk(folder: Path, above: frozenset[Path]) -> Iterator[Path]:
    """Yield the systems at and below a folder, links followed unless they lead back up."""
    real = folder.resolve()
    if real in above:
        return
    if (folder / "type.raw").is_file() or is_lmdb(str(folder)):
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
    return sorted(str(match) for match in found if _is_system(match))


def _is_system(path: Path) -> bool:
    return (path / "type.raw").is_file() or (path.exists() and is_lmdb(str(path)))
