"""Replace a file or a folder in one step, so that a reader never meets half of one."""

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from dpcore.errors import DPError


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that takes its place once it is safely on disk.

    The temporary path does not exist yet and keeps the suffix of ``path``. When the block raises,
    the temporary file is removed and the old file, if any, stays as it was. A symbolic link is
    followed: its target is replaced.

    Args:
        path: The file to write.

    Yields:
        The path to write instead, in the same folder.

    Raises:
        DPError: The folder of ``path`` does not exist, or ``path`` is read-only or no
            regular file.
    """
    target = _target(path)
    if target.exists() and not target.is_file():
        raise DPError(f"cannot write {path}: it exists and is no regular file; choose another name")
    if target.exists() and not os.access(target, os.W_OK):
        # A rename would override the protection that its owner gave the file.
        raise DPError(f"cannot write {path}: it is read-only; choose another name or chmod it")
    temporary = _sibling(target)
    try:
        yield temporary
        _sync_file(temporary)
        if target.exists():
            shutil.copymode(target, temporary)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(target.parent)


@contextlib.contextmanager
def replacing_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield an empty temporary folder beside ``path`` that takes its place once it is on disk.

    Two renames do the swap, so a crash exactly between them leaves the old folder under a hidden
    name beside ``path``; at every other moment ``path`` is the whole old or the whole new folder.

    Args:
        path: The folder to write.

    Yields:
        The folder to fill instead.

    Raises:
        DPError: The parent of ``path`` does not exist, ``path`` is not a folder, or it holds an
            entry that the new folder lacks and that replacing it would thus delete.
    """
    target = _target(path)
    if target.exists() and not target.is_dir():
        raise DPError(f"cannot write {path}: it exists and is no folder; choose another name")
    temporary = _sibling(target)
    temporary.mkdir()
    try:
        yield temporary
        _check_nothing_lost(target, temporary)
        _sync_tree(temporary)
        _swap(target, temporary)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    _sync_folder(target.parent)


def _target(path: str | os.PathLike[str]) -> Path:
    target = Path(os.path.realpath(path))
    if not target.parent.is_dir():
        raise DPError(
            f"cannot write {path}: folder {target.parent} does not exist; create it first"
        )
    return target


def _sibling(target: Path) -> Path:
    # The suffix is kept because some exporters insist on theirs.
    return target.with_name(f".{target.stem}.{secrets.token_hex(8)}{target.suffix}")


def _swap(target: Path, temporary: Path) -> None:
    if not target.exists():
        temporary.rename(target)
        return
    aside = _sibling(target)
    target.rename(aside)
    try:
        temporary.rename(target)
    except BaseException:
        aside.rename(target)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _check_nothing_lost(target: Path, temporary: Path) -> None:
    # A mistyped output name may be a folder of the user's own work.
    if target.exists():
        lost = [old.name for old in sorted(target.iterdir()) if not (temporary / old.name).exists()]
        if lost:
            raise DPError(
                f"cannot replace folder {target}: it holds {lost[0]!r}, which the new one does not;"
                " remove the folder or choose another name"
            )


def _sync_tree(folder: Path) -> None:
    for parent, _, files in os.walk(folder):
        for name in files:
            _sync_file(Path(parent, name))
        _sync_folder(Path(parent))


def _sync_file(path: Path) -> None:
    # Opened for update because some systems refuse to sync a file that is open for reading only.
    with path.open("r+b") as stream:
        os.fsync(stream.fileno())


def _sync_folder(path: Path) -> None:
    # Some systems cannot sync a folder; the rename is done by then, so nothing is left to undo.
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
